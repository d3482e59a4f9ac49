"""The head of pages: drops what no page needs, and names early what every page will need."""

import re

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.types import Message, Receive, Scope, Send

from pages.http.middleware import HttpMiddleware

FONTS = re.compile(rb'@import url\("[^"\n]*/static/fonts\.css"\) layer\(base\);')
"""NiceGUI's text and icon fonts. The pages have the reader's own text font, and the styles bring the icons."""


FIRST_PAINT = "livewatch.first_paint"


def add_first_paint(request: Request, head: bytes, start: bytes) -> None:
    """Add HTML to the end of the head and the start of the body of the page that is being built."""
    request.scope.get(FIRST_PAINT, []).append((head, start))


class PageHead(HttpMiddleware):
    """ASGI middleware inside NiceGUI, before `PagePolicy`: edits the head of each page."""

    async def serve_http(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_page = False
        added: list[tuple[bytes, bytes]] = []
        scope[FIRST_PAINT] = added

        async def send_edited(message: Message) -> None:
            nonlocal is_page
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                is_page = headers.get("content-type", "").startswith("text/html")
                if is_page:
                    del headers["content-length"]
            elif is_page and (body := message.get("body")):
                body = FONTS.sub(b"", body, count=1)
                for head, start in added:
                    body = body.replace(b"</head>", head + b"</head>", 1).replace(b"<body>", b"<body>" + start, 1)
                # The window keeps its request, and with it this.
                added.clear()
                message = {**message, "body": body}
            await send(message)

        await self._app(scope, receive, send_edited)

"""The head of pages: drops what no page needs, and names early what every page will need."""

import re

from starlette.datastructures import MutableHeaders
from starlette.types import Message, Receive, Scope, Send

from pages.http.middleware import HttpMiddleware

FONTS = re.compile(rb'@import url\("[^"\n]*/static/fonts\.css"\) layer\(base\);')
"""NiceGUI's text and icon fonts. The pages have the reader's own text font, and the styles bring the icons."""


class PageHead(HttpMiddleware):
    """ASGI middleware inside NiceGUI, before `PagePolicy`: edits the head of each page."""

    async def serve_http(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_page = False

        async def send_edited(message: Message) -> None:
            nonlocal is_page
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                is_page = headers.get("content-type", "").startswith("text/html")
                if is_page:
                    del headers["content-length"]
            elif is_page and (body := message.get("body")):
                message = {**message, "body": FONTS.sub(b"", body, count=1)}
            await send(message)

        await self._app(scope, receive, send_edited)

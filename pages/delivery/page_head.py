"""The head of pages: drops what no page needs, and names early what every page will need."""

import re
from dataclasses import dataclass

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.types import Message, Receive, Scope, Send

from components.shell.theme.theme import STYLES_BELOW
from pages.http.middleware import HttpMiddleware

FONTS = re.compile(rb'@import url\("[^"\n]*/static/fonts\.css"\) layer\(base\);')
"""NiceGUI's text and icon fonts. The pages have the reader's own text font, and the styles bring the icons."""


FIRST_PAINT = "livewatch.first_paint"


LATER = re.compile(rb'<style>\s*@layer .*?</style>|<link rel="(?:modulepreload|preload)"[^>\n]*>', re.DOTALL)
"""What the first paint does not need: Quasar's styles, and the files that scripts will ask for."""


STYLES = re.compile(rb'<link rel="stylesheet" href="[^"\n]*' + STYLES_BELOW.encode() + rb'[^"\n]*">')


@dataclass(slots=True)
class Extra:
    """The first paint, for the start of a page's body, and what else to load early; none once it is sent.

    `styles` are the app's styles, which the page brings itself: asking for them would cost a slow line's round trip
    before anything shows.
    """

    start: bytes = b""
    styles: bytes = b""
    preloads: bytes = b""
    is_sent: bool = False

    def add_to(self, page: bytes) -> bytes:
        """Return the page with the HTML, which is not kept: the window keeps its request, and with it this.

        What only scripts need comes after the first paint, so that a slow line brings that first. Scripts wait for all
        styles, so that they never show anything without.
        """
        self.is_sent = True
        if self.start:
            head, mark, body = page.partition(b"<body>")
            later = b"".join(LATER.findall(head))
            # Not as a pattern's replacement, where a backslash would mean something.
            before, after = STYLES.split(LATER.sub(b"", head), maxsplit=1)
            styled = before + b"<style>" + self.styles + b"</style>" + after
            page = styled + mark + self.start + later + self.preloads + body
        self.start = self.styles = self.preloads = b""
        return page


def extra_of(request: Request) -> Extra:
    """Return what is added to the page that is being built."""
    extra = request.scope.get(FIRST_PAINT)
    return extra if isinstance(extra, Extra) else Extra(is_sent=True)


class PageHead(HttpMiddleware):
    """ASGI middleware inside NiceGUI, before `PagePolicy`: edits the head of each page."""

    async def serve_http(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_page = False
        extra = scope[FIRST_PAINT] = Extra()

        async def send_edited(message: Message) -> None:
            nonlocal is_page
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                is_page = headers.get("content-type", "").startswith("text/html")
                if is_page:
                    del headers["content-length"]
            elif is_page and (body := message.get("body")):
                message = {**message, "body": extra.add_to(FONTS.sub(b"", body, count=1))}
            await send(message)

        await self._app(scope, receive, send_edited)

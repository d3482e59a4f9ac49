"""The head of pages: drops what no page needs, and names early what every page will need."""

import json
import re
from dataclasses import dataclass
from html import unescape

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.types import Message, Receive, Scope, Send

from components.shell.first_paint.first_paint import FIRST_END, FirstPaint
from components.shell.theme.theme import STYLES_BELOW
from pages.http.middleware import HttpMiddleware

FONTS = re.compile(rb'@import url\("[^"\n]*/static/fonts\.css"\) layer\(base\);')
"""NiceGUI's text and icon fonts. The pages have the reader's own text font, and the styles bring the icons."""


FIRST_PAINT = "livewatch.first_paint"


LATER = re.compile(rb'<style>\s*@layer .*?</style>|<link rel="preload"[^>\n]*>', re.DOTALL)
"""What follows the first paint: Quasar's styles, and the icons' font."""
MODULES = re.compile(rb'<link rel="modulepreload" href="([^"\n]*)"[^>\n]*>')
"""What scripts will ask for, after the first frame: thirty requests take the browser 10 ms, and the cores longer."""


STYLES = re.compile(rb'<link rel="stylesheet" href="[^"\n]*' + STYLES_BELOW.encode() + rb'[^"\n]*">')


EXPECT = b'<link rel="expect" href="#%b" blocking="render">' % FIRST_END.encode()
"""Has browsers wait with the first frame until all of the first paint is there, instead of painting a part twice."""


@dataclass(slots=True)
class Extra:
    """The first paint of a page; none once it is sent.

    `styles` are the app's styles, which the page brings itself: asking for them would cost a slow line's round trip
    before anything shows.
    """

    first: FirstPaint | None = None
    styles: bytes = b""
    is_sent: bool = False

    def parts_of(self, page: bytes) -> list[bytes]:
        """Return the page with the HTML, which is not kept: the window keeps its request, and with it this.

        What only scripts need is the second of two parts, so that a browser shows the first one before it asks for
        scripts, and a slow line brings that first. Scripts wait for all styles, so that they never show anything
        without.
        """
        first, styles = self.first, self.styles
        self.first, self.styles, self.is_sent = None, b"", True
        if first is None:
            return [page]
        head, mark, body = page.partition(b"<body>")
        later = b"".join(LATER.findall(head))
        modules = [unescape(url.decode()) for url in MODULES.findall(head)]
        # Not as a pattern's replacement, where a backslash would mean something.
        before, after = STYLES.split(MODULES.sub(b"", LATER.sub(b"", head)), maxsplit=1)
        start = before + EXPECT + b"<style>" + styles + b"</style>" + after + mark + first.html + b"\n"
        return [start, first.frame + later + _preload(*modules, *first.modules) + body]


def _preload(*modules: str) -> bytes:
    """A script that preloads modules after the first frame."""
    urls = json.dumps(modules).replace("<", "\\u003c")
    return b"\n<script>lwFirst.preload(%b)</script>" % urls.encode()


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
                *first, last = extra.parts_of(FONTS.sub(b"", body, count=1))
                for part in first:
                    await send({**message, "body": part, "more_body": True})
                message = {**message, "body": last}
            await send(message)

        await self._app(scope, receive, send_edited)

"""First paint: the page as plain HTML, and the first frame, which the page brings before there is a socket."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from html import escape
from pathlib import Path
from typing import Any

from nicegui import Client, json
from nicegui.dependencies import libraries
from nicegui.element import Element
from nicegui.slot import Slot
from nicegui.version import __version__

from components.presentation.markup import Markup
from components.window.batch import Batch, EncodedBatch
from components.window.frame_transport import encode_frame
from components.window.view import FirstHtml, Link
from components.window.window import Window

FIRST_END = "lw-first-end"
"""Id of the element that ends the first paint."""
MAX_ROWS = 100
"""Rows of a list that the page carries; the others come by the socket."""
TAGS = {"nicegui-link": "a", "nicegui-sub_pages": "div", "q-btn": "button"}
"""What NiceGUI's own components become; others are left out, with what is in them."""
VOID = {"br", "hr", "img", "input", "source"}
ATTRIBUTES = re.compile(r"(aria-|data-)[\w-]+|action|dir|href|id|lang|method|name|role|tabindex|target|title|type")
IMPORT = re.compile(r'^import [^;]*?from "(\w+)";', re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstPaint:
    """HTML for the start of the body; the first frame, for the scripts; and the URLs of modules that they import."""

    html: bytes
    frame: bytes
    modules: tuple[str, ...]


def first_paint(client: Client, window: Window, *, is_live: bool, prefix: str, theme: Mapping[str, str]) -> FirstPaint:
    """Render the page that has been built; the browser replaces it once its scripts have built the same page.

    Args:
        client: The page.
        window: The page's window, whose elements may show rows already.
        is_live: Whether the window's rows are loaded and live; the page shows placeholders otherwise.
        prefix: Path prefix of a proxy or an outer app.
        theme: Theme and density that the user prefers.
    """

    def link(path: str) -> str:
        return prefix + path if path.startswith("/") else path

    frame = first_batches(window) if is_live else {}
    body = "".join(_render(child, link, frame) for child in client.content.default_slot.children)
    preferred = "".join(f' data-{name}="{escape(value)}"' for name, value in theme.items())
    html = (
        f'<div id="lw-first" class="nicegui-layout" aria-busy="true"{preferred}>\n<script>{_script()}</script>'
        f'<div class="nicegui-content">{body}</div>\n<script>lwFirst.format()</script>'
        f'<i id="{FIRST_END}" hidden></i></div>'
    )
    # As a script's text it would end at a tag within.
    carried = encode_frame(frame.items()).replace("<", "\\u003c")
    return FirstPaint(
        html=html.encode(),
        frame=f'<script type="application/json" id="lw-first-frame">{carried}</script>'.encode(),
        modules=tuple(f"{prefix}{url}" for url in _libraries(client)),
    )


def first_batches(window: Window) -> dict[int, Batch]:
    """Return the content of the window's elements by id, of lists the first rows; not to be changed."""
    batches: dict[int, Batch] = {}
    for element, payload in window.previews():
        if isinstance(payload, EncodedBatch):
            batches[element.id] = _decoded(payload)
        elif isinstance(payload, dict):
            batches[element.id] = _cut(payload)
    return batches


@lru_cache(maxsize=16)
def _decoded(payload: EncodedBatch) -> Batch:
    """The content that several windows share, decoded once for those that open while it is the same."""
    batch: Batch = json.loads(str(payload))
    return _cut(batch)


def _cut(batch: Batch) -> Batch:
    """Return the batch with the first rows only."""
    reset = batch.get("reset")
    if reset is None or len(reset["order"]) <= MAX_ROWS:
        return batch
    order = reset["order"][:MAX_ROWS]
    return {"reset": {**reset, "order": order, "rows": {id: reset["rows"][id] for id in order}}}


def _render(element: Element, link: Link, frame: Mapping[int, Batch]) -> str:
    if isinstance(element, FirstHtml):
        return element.first_html(link, frame.get(element.id))
    if isinstance(element, Markup):
        slots = element.slots
        return element.html(link, lambda name: _children(slots[name], link, frame) if name in slots else "")
    tag = TAGS.get(element.tag, element.tag)
    if not element.visible or not re.fullmatch(r"[a-z][a-z0-9]*", tag) or tag in ("script", "template", "style"):
        return ""
    attributes = {
        "class": " ".join(element.classes) or None,
        "style": ";".join(f"{name}:{value}" for name, value in element.style.items()) or None,
        **{name: value for name, value in element.props.items() if ATTRIBUTES.fullmatch(name)},
    }
    if href := attributes.get("href"):
        attributes["href"] = link(str(href))
    start = f"<{tag}{_attributes(attributes)}>"
    if tag in VOID:
        return start
    text = element._text if element._text is not None else element.props.get("label", "")
    return f"{start}{escape(str(text))}{_children(element.default_slot, link, frame)}</{tag}>"


def _children(slot: Slot, link: Link, frame: Mapping[int, Batch]) -> str:
    return "".join(_render(child, link, frame) for child in slot.children)


def _attributes(attributes: Mapping[str, Any]) -> str:
    given = ((name, value) for name, value in attributes.items() if value is not None and value is not False)
    return "".join(f" {name}" if value is True else f' {name}="{escape(str(value))}"' for name, value in given)


def _libraries(client: Client) -> Iterable[str]:
    """The modules that the page's components import, which the browser would find only in their sources."""
    keys = {library.name: library for library in libraries.values()}
    wanted = [element.component.path for element in client.elements.values() if element.component]
    # NiceGUI's last script imports it, too.
    found: dict[str, str] = {"dompurify": f"/_nicegui/{__version__}/static/dompurify.mjs"}
    while wanted:
        for name in _imports(wanted.pop()):
            if name in keys and name not in found:
                found[name] = f"/_nicegui/{__version__}/libraries/{keys[name].key}"
                wanted.append(keys[name].path)
    return found.values()


@cache
def _imports(path: Path) -> list[str]:
    return IMPORT.findall(path.read_text(encoding="utf-8")) if path.suffix == ".js" else []


@cache
def _script() -> str:
    return Path(__file__).with_suffix(".js").read_text(encoding="utf-8")

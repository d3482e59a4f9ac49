"""Markdown of people as a tree of known elements; a browser builds text nodes from it and never parses HTML."""

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

from markdown_it import MarkdownIt
from markdown_it.token import Token

Node = str | list[Any]
"""A text, or an element as `[tag, attributes, *children]` with one of `TAGS`."""

TAGS = frozenset(
    {"p", "strong", "em", "s", "code", "pre", "blockquote", "ul", "ol", "li", "br", "hr", "a", "h4", "run", "mention"}
)
MAX_DEPTH = 20
"""Nesting of lists and quotations; what is deeper stays text."""
MAX_MARKS = 1000
"""Marks, or lines, above which a text is shown as it is: parsing takes a tenth of a second for 10,000."""
_UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_RUN = re.compile(rf"^/(?:streams/(?P<streams>{_UUID})|monitoring/(?P<tab>scans|agents)\?selected=(?P<row>{_UUID}))$")
_TABLES = {"scans": "acquisition_scans", "agents": "agent_executions"}
_ADDRESS = re.compile(r"https?://[^\s<>\"'`]+[^\s<>\"'`.,;:!?)\]}]")

_parser = MarkdownIt("zero", {"maxNesting": MAX_DEPTH}).enable(
    [
        "backticks",
        "blockquote",
        "emphasis",
        "escape",
        "fence",
        "heading",
        "hr",
        "link",
        "list",
        "newline",
        "strikethrough",
    ]
)


def markdown_tree(text: str, *, origin: str = "", names: Sequence[str] = (), is_cached: bool = True) -> list[Node]:
    """Parse a safe subset: emphasis, code, quotations, lists, headings and links by http and https.

    Args:
        text: The Markdown; HTML in it is text.
        origin: URL of the app: links below it to runs become `["run", {"table", "id", "href"}, label]`.
        names: Names after an `@`, which become `["mention", {}, "@name"]`.
        is_cached: Whether the tree is kept for the next window; not for what is large, or soon another text.
    """
    build = _tree if is_cached else _tree.__wrapped__
    return build(text, origin.rstrip("/"), tuple(sorted(names, key=len, reverse=True)))


@lru_cache(maxsize=2048)
def _tree(text: str, origin: str, names: tuple[str, ...]) -> list[Node]:
    if sum(map(text.count, "*_~`[")) > MAX_MARKS or text.count("\n") > MAX_MARKS:
        return [["pre", {}, text]]
    return _Builder(origin, names).children(_parser.parse(text))


class _Builder:
    """Builds the tree of one text."""

    def __init__(self, origin: str, names: tuple[str, ...]) -> None:
        self._origin = origin
        alternatives = "|".join(re.escape(name) for name in names if name)
        self._mention = re.compile(rf"@(?:{alternatives})(?!\w)") if alternatives else None

    def children(self, tokens: Iterable[Token]) -> list[Node]:
        """Return the elements of a flat list of tokens."""
        root: list[Any] = ["", {}]
        stack = [root]
        for token in tokens:
            if token.nesting < 0:
                if len(stack) > 1:
                    stack.pop()
                continue
            node = self._node(token)
            if token.type == "inline":
                stack[-1].extend(self.children(token.children or ()))
            elif isinstance(node, str):
                stack[-1].extend(self._texts(node, in_link=stack[-1][0] == "a"))
            elif node:
                stack[-1].append(node)
                if token.nesting > 0:
                    stack.append(node)
        return root[2:]

    def _node(self, token: Token) -> Node:
        match token.type:
            case "text":
                return token.content
            case "code_inline" | "fence":
                return ["pre" if token.block else "code", {}, token.content.removesuffix("\n")]
            case "link_open":
                return self._link(str(token.attrs.get("href", "")))
        tag = {"softbreak": "br", "hardbreak": "br", "heading_open": "h4"}.get(token.type, token.tag)
        # A paragraph of a tight list has no margin, so it needs no element.
        return ["", {}] if token.hidden or tag not in TAGS else [tag, {}]

    def _link(self, href: str) -> list[Any]:
        """Return the element of a link; one that is none of ours, nor by http, stays text."""
        try:
            scheme = urlsplit(href).scheme
        except ValueError:
            return ["", {}]
        path = href.removeprefix(self._origin) if self._origin and href.startswith(f"{self._origin}/") else href
        if run := _RUN.match(path):
            table = "streams" if run["streams"] else _TABLES[run["tab"]]
            return ["run", {"table": table, "id": run["streams"] or run["row"], "href": path}]
        if path.startswith("/") and not path.startswith(("//", "/\\")):
            return ["a", {"href": path}]
        return ["a", {"href": href}] if scheme in ("http", "https") else ["", {}]

    def _texts(self, text: str, *, in_link: bool) -> list[Node]:
        """Split a text at addresses and mentions."""
        if in_link:
            return [text]
        found = sorted(
            [*_ADDRESS.finditer(text), *(self._mention.finditer(text) if self._mention else ())],
            key=lambda match: match.start(),
        )
        parts: list[Node] = []
        at = 0
        for match in found:
            if match.start() < at:
                continue
            parts.append(text[at : match.start()])
            whole = match[0]
            parts.append(["mention", {}, whole] if whole.startswith("@") else [*self._link(whole), whole])
            at = match.end()
        parts.append(text[at:])
        return [part for part in parts if part]


def runs_in(tree: Iterable[Node]) -> set[tuple[str, str]]:
    """Return table and id of each run that a tree links to."""
    found: set[tuple[str, str]] = set()
    for node in tree:
        if isinstance(node, list):
            if node[0] == "run":
                found.add((node[1]["table"], node[1]["id"]))
            found |= runs_in(node[2:])
    return found

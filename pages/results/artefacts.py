"""Artefacts of a run: listed live, images shown, tables and texts read when they are opened."""

import json
from collections.abc import Iterable, Sequence
from itertools import zip_longest
from typing import Any
from uuid import UUID

from components.presentation.markdown import TAGS, markdown_tree
from components.presentation.markup import Markup, Node, node
from components.views.visible_reloads import VisibleReloads
from components.window.live_element import LiveElement
from pages.page.context import PageContext
from services.entities import Entity, R
from services.errors import LivewatchError, NotAccepted
from services.results.artefacts import Artefact, artefact_use, artefacts_of, read_artefact, table_of
from services.text import uuid_of, visible_name

READ_INTERVAL_SECONDS = 0.5
MAX_ROWS_SHOWN = 200
MAX_COLUMNS_SHOWN = 50
MAX_CELL_CHARACTERS = 200
READABLE = ("table", "markdown")
UNITS = ("B", "KiB", "MiB", "GiB")


def artefact_list(page: PageContext, entity: Entity[R], run: UUID) -> None:
    """Show the artefacts of a run; nothing without any. Its table of contents is read after each change of the run."""
    section = Markup(node("div"))
    listed: list[Artefact] = []
    opened: dict[UUID, Node] = {}
    use = (0, 1)
    has_failed = False

    def show() -> None:
        section.show(_tree(listed, opened, use) if listed else node("div"))

    async def read() -> None:
        nonlocal listed, use, has_failed
        database, identity = page.services.database, page.session.identity
        found = await artefacts_of(database, identity, run)
        if found == listed and not has_failed:
            return
        known = {(each.id, each.sha256) for each in listed}
        for each in found:
            if each.id in opened and (each.id, each.sha256) not in known:
                # It may be unfolded, and then nobody presses it again.
                opened[each.id] = await _content(page, each)
        use = await artefact_use(database, identity, page.membership.org_id)
        listed, has_failed = found, False
        show()

    async def press(key: str) -> None:
        id = uuid_of(key)
        chosen = next((each for each in listed if each.id == id and each.kind in READABLE), None)
        if chosen is None or chosen.id in opened:
            return
        opened[chosen.id] = await _content(page, chosen)
        show()

    def failed(error: LivewatchError) -> None:
        nonlocal has_failed
        has_failed = True
        section.show(node("p", f"The artefacts could not be read: {error}", role="alert", class_="lw-muted"))

    reads = VisibleReloads(
        page.window, read, name=f"artefacts of {run}", on_failure=failed, interval=READ_INTERVAL_SECONDS
    )
    section.on_press(press)
    owner = LiveElement()
    subscription = page.window.subscribe(entity, row_id=run, on_change=lambda _: reads.mark_due())
    owner.on_delete(subscription.close, reads.close)
    reads.start()


async def _content(page: PageContext, artefact: Artefact) -> Node:
    services = page.services
    try:
        found = await read_artefact(services.database, services.files, page.session.identity, artefact.id)
        if found is None:
            return node("p", "It was deleted.", class_="lw-muted")
        if artefact.kind == "table":
            return _table(*table_of(found.content))
    except (LivewatchError, NotAccepted) as error:
        return node("p", f"It could not be read: {error}", role="alert", class_="lw-muted")
    tree = markdown_tree(found.content.decode("utf-8", "replace"), is_cached=False)
    return node("div", *_nodes(tree), class_="lw-artefact__text", dir="auto")


def _tree(artefacts: Sequence[Artefact], opened: dict[UUID, Node], use: tuple[int, int]) -> Node:
    used, quota = use
    room = f"The organisation stores {size_text(used)} of the {size_text(quota)} that it may."
    return node(
        "section",
        node("h2", "Artefacts"),
        node("ul", *(_item(each, opened.get(each.id)) for each in artefacts), class_="lw-artefacts__list"),
        node("p", room, class_="lw-muted", data_testid="artefact-use"),
        class_="lw-section lw-artefacts",
        aria_label="Artefacts",
    )


def _item(artefact: Artefact, content: Node | None) -> Node:
    path, name = f"/artefacts/{artefact.id}", visible_name(artefact.name)
    link = node("a", name, href=path, download="", dir="auto", class_="lw-artefact__name")
    facts = node("span", f"{artefact.kind} · {size_text(artefact.size)}", class_="lw-muted")
    parts: list[Node] = [node("div", link, facts, class_="lw-artefact__head")]
    if artefact.kind == "image":
        picture = node("img", src=f"{path}?inline=1&v={artefact.sha256[:8]}", alt=name, loading="lazy")
        parts.append(picture)
    elif artefact.kind in READABLE:
        summary = node("summary", "Show", aria_label=f"Show {name}", data_press=str(artefact.id))
        parts.append(node("details", summary, content or node("p", "Reading …", class_="lw-muted")))
    return node("li", *parts, class_="lw-artefact", data_artefact=artefact.name, data_kind=artefact.kind)


def _table(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> Node:
    shown = [row[:MAX_COLUMNS_SHOWN] for row in rows[:MAX_ROWS_SHOWN]]
    labels = [visible_name(each[:MAX_CELL_CHARACTERS]) for each in columns[:MAX_COLUMNS_SHOWN]]
    head = node("tr", *(node("th", each, scope="col", dir="auto") for each in labels))
    # A row may have more cells than there are columns, or fewer.
    body = [
        node("tr", *(_cell(value, label) for value, label in zip_longest(row, labels[: len(row)], fillvalue="")))
        for row in shown
    ]
    table = node("table", node("thead", head), node("tbody", *body))
    width = max([len(columns), *map(len, rows)])
    is_part = len(rows) > len(shown) or width > MAX_COLUMNS_SHOWN
    more = (
        f"{len(shown):,} of {len(rows):,} rows and {min(width, MAX_COLUMNS_SHOWN)} of {width:,} columns; the download "
        "has all."
    )
    return node(
        "div",
        table,
        *([node("p", more, class_="lw-muted")] if is_part else []),
        class_="lw-facts lw-artefact__table",
        tabindex="0",
        role="region",
    )


def _cell(value: Any, label: str) -> Node:
    text = "" if value is None else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return node("td", text[:MAX_CELL_CHARACTERS], dir="auto", data_label=label)


def _nodes(tree: Iterable[Any]) -> list[Node]:
    """Return a tree of Markdown, whose tags are safe and whose links are by http and https, as one of markup."""
    nodes: list[Node] = []
    for each in tree:
        if isinstance(each, str):
            nodes.append(each)
            continue
        tag, attributes, *children = each
        if tag not in TAGS:
            # The paragraph of an entry of a list, which has none.
            nodes += _nodes(children)
            continue
        given = {name: str(value) for name, value in attributes.items()}
        if tag == "a":
            given |= {"target": "_blank", "rel": "noopener noreferrer"}
        nodes.append(node(tag, *_nodes(children), **given))
    return nodes


def size_text(size: int) -> str:
    """Return bytes in the unit that fits, as `1.5 MiB`."""
    value, unit = float(size), 0
    while value >= 1024 and unit < len(UNITS) - 1:
        value, unit = value / 1024, unit + 1
    return f"{value:.0f} {UNITS[unit]}" if value >= 10 or unit == 0 else f"{value:.1f} {UNITS[unit]}"

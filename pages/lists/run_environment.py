"""The environment of a run, in a section that is read when it is opened."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from components.presentation.markup import Markup, Node, node
from pages.page.context import PageContext
from services.errors import LivewatchError
from services.history.run_environments import environment_facts, environment_packages, run_environment

READING = "Reading …"
NOTHING = "Its program said nothing of where it runs."


def run_environment_section(page: PageContext, run: UUID) -> None:
    """Show what a run's program runs in, folded; each opening reads it."""
    section = Markup(_tree(node("p", READING)))

    async def read(_: str) -> None:
        try:
            content = await run_environment(page.services.database, page.session.identity, run)
        except LivewatchError as error:
            section.show(_tree(node("p", f"The environment could not be read: {error}")))
        else:
            section.show(_tree(node("p", NOTHING) if not content else _content(content)))

    section.on_press(read)


def _tree(*content: Node) -> Node:
    summary = node("summary", "Environment", data_press="environment")
    return node("details", summary, *content, class_="lw-environment", data_testid="environment")


def _content(content: Mapping[str, Any]) -> Node:
    parts: list[Node] = [_table(environment_facts(content))]
    if packages := environment_packages(content):
        noun = "package" if len(packages) == 1 else "packages"
        parts.append(node("details", node("summary", f"{len(packages):,} {noun}"), _table(packages)))
    return node("div", *parts, class_="lw-environment__content")


def _table(values: Mapping[str, str]) -> Node:
    rows = [each for label, value in values.items() for each in (node("dt", label), node("dd", value, dir="auto"))]
    return node("dl", *rows, class_="lw-details__facts")

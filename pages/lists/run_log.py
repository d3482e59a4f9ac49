"""Log of a run, read when the section is mounted and after every change of the run."""

from collections.abc import Mapping
from uuid import UUID

from nicegui import background_tasks

from components.elements.logs.run_log import RunLog
from pages.lists.log_reader import LogReader
from pages.page.context import PageContext
from pages.page.membership import ORG_PARAMETER
from services.entities import Entity, R

LINE_PARAMETER = "line"
"""Parameter of the URL with the id of the line that is shown first and highlighted."""


def run_log(page: PageContext, entity: Entity[R], run: UUID) -> RunLog:
    """Show the log of one run; the section is invisible without lines."""
    element = RunLog(download=f"/export/log.txt?{ORG_PARAMETER}={page.membership.org_id}&run={run}")
    reader = LogReader(page, element, run)
    chosen = _line_of(page.url.params)

    def choose(id: int) -> None:
        nonlocal chosen
        chosen = id
        page.url.set({LINE_PARAMETER: str(id)} if id else {}, known=(LINE_PARAMETER,), is_new=False)

    def follow(params: Mapping[str, str]) -> None:
        nonlocal chosen
        if (id := _line_of(params)) != chosen:
            chosen = id
            element.select(id)
            if id:
                background_tasks.create(reader.go(id), name=f"line {id} of a log")

    async def begin() -> None:
        element.select(chosen)
        await reader.restart(chosen)

    page.url.listen(follow)
    element.on("live", begin)
    element.on("taken", lambda event: reader.taken(event.args is True))
    element.on("latest", reader.read_latest)
    element.on_id("older", reader.read_older)
    element.on_id("newer", reader.read_newer)
    element.on_id("go", reader.go)
    element.on_id("line", choose)
    element.on_jump(reader.jump)
    element.on_search(reader.search)
    subscription = page.window.subscribe(entity, row_id=run, on_change=lambda _: reader.wake())
    element.on_delete(subscription.close, reader.stop)
    return element


def _line_of(params: Mapping[str, str]) -> int:
    """The id of the line in the URL; 0 for none."""
    given = params.get(LINE_PARAMETER, "")
    return int(given) if given.isascii() and given.isdigit() and len(given) < 19 else 0

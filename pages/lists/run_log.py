"""The log of a run on a page: read when the section opens, and again when a change of the run says that it lives."""

import asyncio
from typing import Any
from uuid import UUID

from nicegui import ui

from components.elements.logs.run_log import RunLog
from components.window.window import end_with
from pages.page.context import PageContext
from services.entities.entity import Entity, R
from services.errors import LivewatchError
from services.history.run_logs import MAX_LINES, log_lines
from services.realtime import Delta

# Lines are not broadcast; writing them is a heartbeat of their run, which every window of its organisation hears.
PAUSE = 0.5


def run_log(page: PageContext, entity: Entity[R], run: UUID) -> RunLog:
    """The section of one run; it shows once there are lines."""
    element = RunLog()
    last = 0
    reading: asyncio.Task[None] | None = None
    is_due = is_mounted = False

    async def read() -> None:
        nonlocal last, is_due
        while is_due:
            is_due = False
            try:
                lines = await log_lines(page.context.database, page.session.identity, run, after=last)
            except LivewatchError:
                return  # the next change of the run asks again
            if lines:
                element.add(lines, is_first=not last, more=not last and len(lines) == MAX_LINES)
                last = lines[-1].id
            await asyncio.sleep(PAUSE)

    def ask() -> None:
        nonlocal reading, is_due
        is_due = True
        if reading is None or reading.done():
            reading = asyncio.create_task(read(), name=f"log of {run}")

    def changed(_: list[Delta[Any]]) -> None:
        if is_mounted:
            ask()

    def mounted() -> None:
        nonlocal is_mounted, last
        is_mounted, last = True, 0
        ask()

    async def older(before: int) -> None:
        try:
            lines = await log_lines(page.context.database, page.session.identity, run, before=before)
        except LivewatchError as error:
            ui.notify(str(error), type="negative")
        else:
            element.add(lines, is_older=True, more=len(lines) == MAX_LINES)

    def stop() -> None:
        if reading is not None:
            reading.cancel()

    element.on("live", mounted)
    element.on_older(older)
    subscription = page.window.subscribe(entity, where=lambda row: row.id == run, on_change=changed)
    end_with(element, subscription.close, stop)
    return element

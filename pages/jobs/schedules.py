"""/schedules: when runs are expected, and what is late."""

from nicegui import ui

from components.elements.jobs.schedule_list import ScheduleList
from components.presentation.text import text
from components.shell.shell import page_head
from pages.lists.job_reader import JobReader
from pages.page.context import PageContext
from services.entities import RUNS
from services.history.jobs import jobs
from services.schedules.schedules import PAGE_SCHEDULES, schedules


def schedules_page(page: PageContext) -> None:
    """Build the list of schedules: those that are late first, then those that are due next."""
    with page_head("Schedules"):
        ui.link("All jobs", "/jobs").classes("lw-button lw-button--link")
    text("p", "A run that does not begin by its due time and the grace is late. What is late comes first.").classes(
        "lw-lead"
    )
    with ui.element("div").classes("lw-panel"):
        found = ScheduleList()
    wanted = PAGE_SCHEDULES

    async def read() -> None:
        database, identity, org_id = page.services.database, page.session.identity, page.membership.org_id
        # One more than is shown tells whether there are more.
        read = await schedules(database, identity, org_id, limit=wanted + 1)
        shown = read[:wanted]
        ids = [each.job_id for each in shown]
        of_them = await jobs(database, identity, org_id, ids=ids, limit=len(ids)) if ids else []
        found.show(shown, {each.id: each for each in of_them}, has_more=len(read) > wanted)

    def older() -> None:
        nonlocal wanted
        wanted += PAGE_SCHEDULES
        reader.again()

    reader = JobReader(page, found, read=read, fail=found.fail, kinds=tuple(RUNS), follows_schedules=True)
    found.on_older(older)

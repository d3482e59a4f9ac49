"""/jobs and /jobs/{kind}/{slug}: what repeats, and how its runs went."""

from collections.abc import Mapping
from urllib.parse import quote
from uuid import UUID

from nicegui import ui

from components.elements.jobs.job_list import JobList
from components.elements.jobs.job_panel import JobPanel
from components.presentation.text import text
from components.shell.feedback import not_found_panel
from components.shell.shell import page_head
from pages.jobs.schedule_panel import schedule_panel
from pages.lists.job_reader import JobReader, RunDelta, has_new_state
from pages.page.context import PageContext
from services.entities import RUNS
from services.entities.base.listing import JOB_FACET
from services.history.jobs import PAGE_JOBS, Job, jobs
from services.text import visible_name

KIND_PARAMETER = "kind"
KINDS = {kind: entity.label for kind, entity in RUNS.items()}
DEFAULT_KIND = "streams"


def jobs_page(page: PageContext) -> None:
    """Build the list of jobs: a search, the jobs that ran last, and older ones on demand."""
    with page_head("Jobs"):
        ui.link("Schedules", "/schedules").classes("lw-button lw-button--link")
    text("p", "A job has a name and repeats; each of its runs has a number. Those that ran last come first.").classes(
        "lw-lead"
    )
    with ui.element("div").classes("lw-panel"):
        found = JobList(kinds=KINDS, kind=_kind(page.url.params))
    wanted, kind, pages = "", _kind(page.url.params), 1

    async def read() -> None:
        asked, shown = (wanted, kind), list[Job]()
        has_more = True
        while has_more and len(shown) < pages * PAGE_JOBS:
            part = await jobs(
                page.services.database,
                page.session.identity,
                page.membership.org_id,
                search=wanted,
                kind=kind,
                after=shown[-1] if shown else None,
            )
            has_more = len(part) == PAGE_JOBS
            shown += part
        # A slow answer to an earlier search must not take the place of a later one.
        if asked == (wanted, kind):
            found.show(shown, has_more=has_more, is_search=bool(wanted))

    def search(words: str) -> None:
        nonlocal wanted, pages
        wanted, pages = words.strip(), 1
        reader.again()

    def choose(given: str) -> None:
        follow({KIND_PARAMETER: given})
        page.url.set({} if kind == DEFAULT_KIND else {KIND_PARAMETER: kind}, known=(KIND_PARAMETER,), is_new=True)

    def follow(params: Mapping[str, str]) -> None:
        nonlocal kind, pages
        kind, pages = _kind(params), 1
        found.choose(kind)
        reader.again()

    def older() -> None:
        nonlocal pages
        pages += 1
        reader.again()

    reader = JobReader(page, found, read=read, fail=found.fail, kinds=tuple(RUNS))
    found.on_search(search)
    found.on_kind(choose)
    found.on_older(older)
    page.url.listen(follow)


def _kind(params: Mapping[str, str]) -> str:
    given = params.get(KIND_PARAMETER, "")
    return given if given in KINDS else DEFAULT_KIND


def job_page(page: PageContext, kind: str, slug: str) -> None:
    """Build the page of a job, or a not-found panel for one that does not exist."""
    with ui.element("div") as missing:
        not_found_panel("There is no such job", f"No run of {kind} has the slug “{slug}”, or all of it was deleted.")
    missing.set_visibility(False)
    if kind not in RUNS:
        missing.set_visibility(True)
        return
    with ui.element("div").classes("lw-page") as content:
        heading = text("h1", "").classes("lw-ghost__line").props("dir=auto")
        with page_head(heading):
            # Invisible until the id of the job is known, but at its place.
            analytics = ui.link("Analytics", "/analytics").classes("lw-button lw-button--link invisible")
            ui.link("Logs", f"/logs?job={kind}/{quote(slug, safe='')}").classes("lw-button lw-button--link")
            ui.link("All jobs", "/jobs").classes("lw-button lw-button--link")
        schedule_panel(page, kind, slug)
        with ui.element("div").classes("lw-panel"):
            panel = JobPanel()
    job_id: UUID | None = None

    async def read() -> None:
        nonlocal job_id
        database, identity = page.services.database, page.session.identity
        found = await jobs(database, identity, page.membership.org_id, kind=kind, slug=slug, limit=1)
        missing.set_visibility(not found)
        content.set_visibility(bool(found))
        for job in found:
            if job_id != job.id:
                job_id = job.id
                analytics.props["href"] = f"/analytics?kind={kind}&{JOB_FACET}={job_id}"
                analytics.classes(remove="invisible")
            panel.show(job)
            name = visible_name(job.name)
            if heading.text != name:
                heading.text = name
                heading.classes(remove="lw-ghost__line")
                page.title.set(name)

    def matters(delta: RunDelta) -> bool:
        job_ids = [each.job_id for each in (delta.new, delta.old) if each is not None]
        return has_new_state(delta) and (job_id is None or job_id in job_ids)

    JobReader(page, panel, read=read, fail=panel.fail, kinds=(kind,), matters=matters)

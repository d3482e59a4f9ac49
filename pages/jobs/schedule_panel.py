"""The schedule of a job on its page, with what operators do to it."""

from collections.abc import Awaitable, Callable
from typing import Any

from nicegui import ui

from components.elements.jobs.schedule_list import ScheduleList
from components.presentation.text import text
from components.shell.dialogs import confirm, dialog_buttons
from components.shell.shell import section
from pages.lists.job_reader import JobReader
from pages.page.context import PageContext
from services.errors import NotAccepted
from services.schedules.duration import duration_text
from services.schedules.plan import EXAMPLE, MAX_CRON_CHARACTERS, Plan
from services.schedules.schedules import Schedule, pause_schedule, put_schedule, remove_schedule, schedules

Load = Callable[[], object]


def schedule_panel(page: PageContext, kind: str, slug: str) -> None:
    """Build the panel: when runs are expected and the next one, with buttons for operators."""
    current: list[Schedule] = []
    database, identity, org_id = page.services.database, page.session.identity, page.membership.org_id

    async def read() -> None:
        nonlocal current
        current = await schedules(database, page.session.identity, org_id, kind=kind, slug=slug, limit=1)
        shown.show(current, {})
        for button, needs_one in buttons:
            button.set_visibility(bool(current) == needs_one)
        for each in current:
            pause.text = "Pause" if each.paused_at is None else "Resume"

    def change() -> None:
        _dialog(page, kind, slug, current[0].plan if current else None, reader.again)

    async def toggle() -> None:
        is_paused = current[0].paused_at is None
        work = pause_schedule(database, identity, org_id, kind, slug, paused=is_paused)
        await page.act(work, done="Paused." if is_paused else "Resumed.")
        reader.again()

    async def remove() -> None:
        if await confirm(
            "Remove this schedule?", "Nobody is told any more when a run is missing. Its runs stay.", action="Remove"
        ):
            await page.act(remove_schedule(database, identity, org_id, kind, slug), done="Removed.")
            reader.again()

    with section("Schedule"), ui.element("div").classes("lw-panel").props("data-testid=schedule"):
        shown = ScheduleList(of_one_job=True)
        buttons: list[tuple[ui.button, bool]] = []
        with ui.element("div").classes("lw-row"):
            _button("Create schedule", change, buttons, needs_one=False)
            _button("Change", change, buttons, needs_one=True)
            pause = _button("Pause", toggle, buttons, needs_one=True)
            _button("Remove", remove, buttons, needs_one=True)
    if not page.membership.may_write:
        for button, _ in buttons:
            button.delete()
        buttons.clear()
    reader = JobReader(page, shown, read=read, fail=shown.fail, kinds=(kind,), follows_schedules=True)


def _button(label: str, act: Callable[[], Any], buttons: list[tuple[ui.button, bool]], *, needs_one: bool) -> ui.button:
    button = ui.button(label, on_click=act).props("flat no-caps").classes("lw-button")
    button.set_visibility(False)
    buttons.append((button, needs_one))
    return button


def _dialog(page: PageContext, kind: str, slug: str, plan: Plan | None, load: Load) -> None:
    """Ask for a plan, say below its field what is wrong or when it is due, and store it."""

    def parsed() -> Plan | None:
        try:
            return Plan.parse({name: field.value for name, field in fields.items()})
        except NotAccepted as error:
            told.text = str(error)
            told.classes(add="lw-critical")
            return None

    def preview() -> None:
        if given := parsed():
            told.text = f"{given.sentence}."
            told.classes(remove="lw-critical")

    async def save() -> None:
        given = parsed()
        if given is None:
            return
        identity, org_id = page.session.identity, page.membership.org_id
        work: Awaitable[Any] = put_schedule(page.services.database, identity, org_id, kind, slug, plan=given)
        if await page.get(work):
            dialog.close()
            load()

    zone = plan.zone if plan else "UTC"
    values = {
        "expect": plan.expected if plan else "",
        "zone": zone,
        "grace": duration_text(plan.grace_seconds) if plan else "",
        "max": duration_text(plan.max_seconds) if plan and plan.max_seconds else "",
    }
    labels = {
        "expect": (f"Expected: a cron line such as {EXAMPLE}, or an interval such as 1h", MAX_CRON_CHARACTERS),
        "zone": ("Time zone, such as Europe/Berlin", 60),
        "grace": ("Grace: late after, such as 30m", 40),
        "max": ("Longest run, such as 2h; empty for any", 40),
    }
    with ui.dialog().props('aria-label="Schedule"') as dialog, ui.element("div").classes("lw-dialog"):
        text("h2", "Schedule of this job")
        fields = {
            name: ui.input(label, value=values[name], on_change=preview).props(f"outlined dense maxlength={limit}")
            for name, (label, limit) in labels.items()
        }
        told = ui.label("").classes("lw-muted").props('role=status data-testid="preview"')
        dialog_buttons(dialog, "Save", save)
    if plan:
        preview()
    dialog.on("hide", dialog.delete)
    dialog.open()

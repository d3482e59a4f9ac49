"""Retention periods of the organisation in the settings of its admins."""

from dataclasses import replace

from nicegui import ui

from components.shell.feedback import tell_error
from pages.page.context import PageContext
from pages.settings.setting import setting
from services.errors import LivewatchError
from services.operations.retention_choice import RetentionChoice, choose_retention, chosen_retention

# By days; 0 represents None, because a select needs a value.
PERIODS = {1: "1 day", 7: "1 week", 30: "30 days", 90: "90 days", 365: "1 year", 0: "Forever"}
KINDS = {
    "runs_days": ("Runs", "Finished streams, scans and agents, with their history."),
    "alerts_days": ("Alerts and notifications", "Counted from arrival."),
    "events_days": ("Activity and logs", "Activity entries and log lines."),
    "audit_days": ("Audit log", "Who changed what."),
    "unreachable_days": ("Unreachable runs", "Then they end as cancelled. Counted from the last report."),
}


def retention_settings(page: PageContext) -> None:
    """Build a select for each kind of data; older rows are deleted within minutes and cannot be restored."""
    choice = RetentionChoice()
    places: dict[str, ui.element] = {}

    async def load() -> None:
        nonlocal choice
        try:
            choice = await chosen_retention(page.services.database, page.session.identity, page.membership.org_id)
        except LivewatchError as error:
            tell_error(str(error))
            return
        for name, place in places.items():
            days = getattr(choice, name) or 0
            with place:
                # The database may contain a period that is not in the list.
                options = PERIODS | {days: PERIODS.get(days, f"{days} days")}
                control = ui.select(options, value=days, on_change=lambda event, name=name: choose(name, event.value))
                control.props(f'outlined dense options-dense aria-label="{KINDS[name][0]}"')

    async def choose(name: str, days: int) -> None:
        nonlocal choice
        chosen = replace(choice, **{name: days or None})
        if chosen != choice:
            choice = chosen
            work = choose_retention(page.services.database, page.session.identity, page.membership.org_id, chosen)
            await page.act(work, done="Saved.")

    for name, (label, about) in KINDS.items():
        with setting(label, about):
            places[name] = ui.element()  # empty until the current period is loaded
    ui.timer(0, load, once=True)

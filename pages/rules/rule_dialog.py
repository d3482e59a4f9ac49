"""Dialog that makes or changes a rule, and tries it on the last days before it is saved."""

from collections.abc import Iterable
from typing import Any

from nicegui import ui

from components.presentation.text import text
from components.shell.dialogs import dialog_buttons
from pages.page.context import PageContext
from pages.rules.actions import Load
from pages.rules.choices import Choices
from pages.rules.wording import PACES, ROLES
from services.entities import RUNS, Priority
from services.errors import LivewatchError, NotAccepted
from services.rules.terms.pace import Pace
from services.rules.rule import MAX_NAME_CHARACTERS, MAX_SEARCH_CHARACTERS, Rule, RuleEvent
from services.rules.rules import StoredRule, put_rule
from services.rules.trial import try_rule
from services.schedules.duration import duration_text
from services.text import visible_name

ROWS = "outlined dense options-dense use-chips"


def rule_dialog(page: PageContext, known: Choices, load: Load, *, stored: StoredRule | None = None) -> None:
    """Ask for a rule, say what is wrong with it or what it would have told, save it, and await `load`."""
    rule = stored.rule if stored else None

    def parsed() -> Rule | None:
        try:
            return Rule.parse({name: field.value for name, field in fields.items()})
        except NotAccepted as error:
            say(str(error), is_wrong=True)
            return None

    def say(what: str, *, is_wrong: bool = False) -> None:
        told.text = what
        told.classes(add="lw-critical") if is_wrong else told.classes(remove="lw-critical")

    async def attempt() -> None:
        if given := parsed():
            try:
                trial = await try_rule(page.services.database, page.session.identity, page.membership.org_id, given)
            except LivewatchError as error:
                say(str(error), is_wrong=True)
                return
            say(trial.sentence)

    async def save() -> None:
        if (given := parsed()) is None:
            return
        work = put_rule(
            page.services.database,
            page.session.identity,
            page.membership.org_id,
            given,
            id=stored.id if stored else None,
            is_enabled=stored.is_enabled if stored else True,
        )
        if await page.act(work, done="Saved."):
            dialog.close()
            await load()

    with ui.dialog().props('aria-label="Rule"') as dialog, ui.element("div").classes("lw-dialog"):
        text("h2", f"Change {visible_name(stored.name)}" if stored else "New rule")
        fields = _fields(page, known, rule, stored.name if stored else "")
        told = ui.label("").classes("lw-muted").props('role=status data-testid="trial"')
        with ui.element("div").classes("lw-row"):
            ui.button("Try on the last 7 days", on_click=attempt).props("flat no-caps").classes("lw-button")
        dialog_buttons(dialog, "Save", save)
    dialog.on("hide", dialog.delete)
    dialog.open()


def _fields(page: PageContext, known: Choices, rule: Rule | None, name: str) -> dict[str, Any]:
    """Build the fields of a rule, by the names under which `Rule.parse` reads them."""

    def words(label: str, value: str, limit: int) -> Any:
        return ui.input(label, value=value).props(f"outlined dense maxlength={limit}")

    def one(label: str, options: dict[Any, str], value: Any) -> Any:
        return ui.select(options, value=value, label=label).props("outlined dense options-dense")

    def several(label: str, options: dict[Any, str], value: Iterable[Any]) -> Any:
        chosen = [each for each in value if each in options]
        return ui.select(options, value=chosen, label=label, multiple=True).props(ROWS)

    may_pass_alerts = page.membership.is_admin
    events = {each: each.style.label for each in RuleEvent if may_pass_alerts or each is not RuleEvent.ALERT}
    quiet = rule.quiet if rule else None
    repeat = duration_text(rule.repeat_seconds) if rule and rule.repeat_seconds else ""
    channels = {id: visible_name(each.name) for id, each in known.channels.items()}
    me = [page.session.identity.user_id]
    kinds = {each: entity.label for each, entity in RUNS.items()}
    priorities = {each: each.style.label for each in Priority}
    return {
        "name": words("Name", name, MAX_NAME_CHARACTERS),
        "events": several("When a run is …", events, rule.events if rule else [RuleEvent.FAILED]),
        "kinds": several("Kinds of run; none for all", kinds, rule.kinds if rule else ()),
        "job": words("Job, by its slug; empty for all", rule.job if rule else "", MAX_SEARCH_CHARACTERS),
        "tag": words("Tag; empty for any", rule.tag if rule else "", MAX_SEARCH_CHARACTERS),
        "search": words("Words of the name; empty for any", rule.search if rule else "", MAX_SEARCH_CHARACTERS),
        "priority": one("Alerts from priority", priorities, rule.priority if rule else Priority.LOW),
        "roles": several("Tell the inbox of", dict(ROLES), rule.roles if rule else ()),
        "people": several("Tell people", known.people, rule.people if rule else me),
        "channels": several("Tell channels", channels, rule.channels if rule else ()),
        "pace": one("How often", dict(PACES), rule.pace if rule else Pace.GROUPED),
        "repeat": words("Again while it is so, such as 1h; empty for once", repeat, 20),
        "quiet": words("Quiet hours, such as 22:00-07:00; empty for none", str(quiet) if quiet else "", 20),
        "zone": words("Time zone of the quiet hours", quiet.zone if quiet else "UTC", 60),
        "tells_recovery": ui.checkbox("Tell when it is over", value=rule is None or rule.tells_recovery).props("dense"),
    }

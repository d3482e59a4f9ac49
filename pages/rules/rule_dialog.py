"""Dialog that makes or changes a rule, tries it on the last days, and shows what it matches and how it says it."""

from nicegui import ui

from components.presentation.text import text
from components.shell.dialogs import dialog_buttons
from pages.page.context import PageContext
from pages.rules.actions import Load
from pages.rules.choices import Choices, read_all_choices
from pages.rules.rule_fields import RuleFields
from services.errors import LivewatchError, NotAccepted
from services.rules.rule import Rule, RuleEvent
from services.rules.rules import StoredRule, put_rule
from services.rules.terms.list_addresses import list_addresses
from services.rules.terms.run_filter import RunFilter
from services.rules.trial import try_rule
from services.rules.wording import sample_of
from services.text import visible, visible_name


async def rule_dialog(page: PageContext, load: Load, *, stored: StoredRule | None = None) -> None:
    """Ask for a rule, say what is wrong with it or what it would have told, save it, and await `load`."""
    if (known := await page.get(read_all_choices(page))) is None:
        return
    with ui.dialog().props('aria-label="Rule"') as dialog, ui.element("div").classes("lw-dialog"):
        text("h2", f"Change {visible_name(stored.name)}" if stored else "New rule")
        RuleForm(page, known, load, dialog, stored)
    dialog.on("hide", dialog.delete)
    dialog.open()


class RuleForm:
    """What is inside the dialog: the fields, what is said of them, and the buttons."""

    def __init__(
        self, page: PageContext, known: Choices, load: Load, dialog: ui.dialog, stored: StoredRule | None
    ) -> None:
        self._page = page
        self._load = load
        self._dialog = dialog
        self._stored = stored
        rule, name = (stored.rule, stored.name) if stored else (None, "")
        self._preview: ui.element | None = None
        self._fields = RuleFields(page, known, rule, name, on_change=self._show_preview)
        self._preview = ui.element("div").classes("lw-panel").props('role=status data-testid="preview"')
        self._told = ui.label("").classes("lw-muted").props('role=status data-testid="trial"')
        self._links = ui.element("div").classes("lw-row").props('data-testid="matches"')
        with ui.element("div").classes("lw-row"):
            for label, act in (("Try on the last 7 days", self._try), ("Show what this matches", self._show_matches)):
                ui.button(label, on_click=act).props("flat no-caps").classes("lw-button")
        dialog_buttons(dialog, "Save", self._save)
        self._show_preview()

    def _say(self, what: str, *, is_wrong: bool = False) -> None:
        self._told.text = what
        self._told.classes(add="lw-critical") if is_wrong else self._told.classes(remove="lw-critical")

    def _parsed(self) -> Rule | None:
        try:
            return Rule.parse(self._fields.values)
        except NotAccepted as error:
            self._say(str(error), is_wrong=True)
            return None

    async def _try(self) -> None:
        if given := self._parsed():
            page = self._page
            try:
                trial = await try_rule(page.services.database, page.session.identity, page.membership.org_id, given)
            except LivewatchError as error:
                self._say(str(error), is_wrong=True)
                return
            self._say(trial.sentence)

    async def _show_matches(self) -> None:
        """Offer the lists that show what the rule is for."""
        page = self._page
        self._links.clear()
        try:
            chosen = RunFilter.parse(self._fields.values)
            work = list_addresses(page.services.database, page.session.identity, page.membership.org_id, chosen)
            found = await work
        except LivewatchError as error:
            self._say(str(error), is_wrong=True)
            return
        self._say("It is for the runs of these lists." if found else f"There is no job {visible(chosen.job)}.")
        with self._links:
            for label, address in found:
                ui.link(label, address, new_tab=True).classes("lw-link")

    def _show_preview(self) -> None:
        """Show an example of its messages while they are worded."""
        if self._preview is None:
            return
        given = self._fields.values
        self._preview.clear()
        is_worded = bool(given["title"] or given["text"])
        self._preview.set_visibility(is_worded)
        if not is_worded:
            return
        try:
            events = given["events"] or [RuleEvent.FAILED]
            rule = Rule.parse(given | {"name": given["name"] or "Rule", "events": events, "roles": ["viewer"]})
            sample = sample_of(
                rule, address=self._page.services.accounts.address, organization=self._page.membership.name
            )
        except NotAccepted as error:
            with self._preview:
                text("p", str(error)).classes("lw-critical")
            return
        with self._preview:
            text("p", "A message looks like this:").classes("lw-muted")
            text("h3", sample.title)
            for paragraph in sample.text.splitlines():
                text("p", paragraph)

    async def _save(self) -> None:
        if (given := self._parsed()) is None:
            return
        page, stored = self._page, self._stored
        work = put_rule(
            page.services.database,
            page.session.identity,
            page.membership.org_id,
            given,
            id=stored.id if stored else None,
            is_enabled=stored.is_enabled if stored else True,
        )
        if await page.act(work, done="Saved."):
            self._dialog.close()
            await self._load()

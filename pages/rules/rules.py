"""/settings/rules: of what happens, whom to tell, how often; and the channels beyond the inbox."""

from collections.abc import Awaitable
from datetime import UTC, datetime, timedelta

from nicegui import ui

from components.presentation.text import text
from components.shell.dialogs import confirm
from components.shell.feedback import tell_error
from components.shell.shell import page_head, section
from pages.page.context import PageContext
from pages.rules.actions import Load, actions_of
from pages.rules.channels import channel_list
from pages.rules.choices import Choices, read_choices
from pages.rules.rule_dialog import rule_dialog
from pages.rules.wording import sentence_of, when_text
from pages.settings.filling import fill
from pages.settings.setting import setting
from services.rules.rules import StoredRule, put_rule, remove_rule, rules, snooze_rule
from services.text import visible_name

SNOOZES = {1: "1 hour", 8: "8 hours", 24: "1 day", 168: "7 days"}


def rules_page(page: PageContext) -> None:
    """Build the page: the rules of the organisation, and its channels."""
    may_write = page.membership.may_write
    with page_head("Rules"):
        if may_write:
            add = ui.button("New rule", icon="add").props("unelevated no-caps").classes("lw-button lw-button--primary")
    lead = "What is told to whom when nobody looks. Everybody's inbox is on the page Notifications."
    text("p", lead).classes("lw-lead")
    with (
        section("Rules"),
        ui.element("div").classes("lw-panel lw-settings lw-settings--wide").props("data-testid=rules"),
    ):
        place = ui.element("div")
        with place:
            text("p", "Loading…").classes("lw-muted")
    known = Choices()

    async def read() -> list[StoredRule]:
        nonlocal known
        known = await read_choices(page)
        return await rules(page.services.database, page.session.identity, page.membership.org_id)

    def show(found: list[StoredRule]) -> None:
        for each in found:
            _rule(page, each, known, load)
        if not found:
            with setting("No rules", "Nobody is told when a run fails."):
                pass

    async def load() -> None:
        await fill(place, read(), show, what="rules")

    if may_write:
        add.on_click(lambda: rule_dialog(page, load))
    channel_list(page, load)
    ui.timer(0, load, once=True)


def _rule(page: PageContext, stored: StoredRule, known: Choices, load: Load) -> None:
    about = sentence_of(stored.rule, known) if stored.rule else f"This rule cannot be applied: {stored.fault}"
    fired = f"Fired {stored.fired:,} times in 7 days" if stored.fired > 1 else "Fired once in 7 days"
    if not stored.fired:
        fired = "Not fired in 7 days"
    if stored.last_fired_at:
        fired += f", last {when_text(stored.last_fired_at)}"
    with setting(visible_name(stored.name), f"{about} {fired}."):
        is_snoozed = stored.snoozed_until is not None and stored.snoozed_until > datetime.now(UTC)
        if not stored.is_enabled:
            text("span", "Off").classes("lw-muted")
        elif is_snoozed:
            text("span", f"Snoozed until {stored.snoozed_until:%d %b %H:%M} UTC").classes("lw-muted")
        if page.membership.may_write:
            _buttons(page, stored, load, is_snoozed=is_snoozed)


def _buttons(page: PageContext, stored: StoredRule, load: Load, *, is_snoozed: bool) -> None:
    database, identity, org_id = page.services.database, page.session.identity, page.membership.org_id

    async def done(work: Awaitable[object], said: str) -> None:
        if await page.act(work, done=said):
            await load()

    async def snooze(hours: int | None) -> None:
        until = datetime.now(UTC) + timedelta(hours=hours) if hours else None
        await done(snooze_rule(database, identity, org_id, stored.id, until=until), "Snoozed." if hours else "Awake.")

    async def toggle() -> None:
        if stored.rule is None:
            tell_error("Change the rule first: it cannot be applied as it is.")
            return
        work = put_rule(database, identity, org_id, stored.rule, id=stored.id, is_enabled=not stored.is_enabled)
        await done(work, "Switched off." if stored.is_enabled else "Switched on.")

    async def remove() -> None:
        name = visible_name(stored.name)
        if await confirm(f"Remove {name}?", "What it has yet to tell is lost.", action="Remove"):
            await done(remove_rule(database, identity, org_id, stored.id), "Removed.")

    with actions_of(stored.name):
        ui.menu_item("Change", on_click=lambda: rule_dialog(page, load, stored=stored))
        if is_snoozed:
            ui.menu_item("End the snooze", on_click=lambda: snooze(None))
        else:
            for hours, label in SNOOZES.items():
                ui.menu_item(f"Snooze for {label}", on_click=lambda hours=hours: snooze(hours))
        ui.menu_item("Switch off" if stored.is_enabled else "Switch on", on_click=toggle)
        ui.menu_item("Remove", on_click=remove)

"""The channels of an organisation, which admins write, and what became of their last messages."""

from nicegui import ui
from pydantic import SecretStr

from components.elements.connect.code_block import CodeBlock
from components.presentation.text import text
from components.shell.dialogs import confirm, dialog_buttons
from components.shell.shell import section
from pages.page.context import PageContext
from pages.rules.actions import Load, actions_of
from pages.rules.wording import when_text
from pages.settings.filling import fill
from pages.settings.setting import setting
from services.delivery.channel_kind import MAX_ADDRESS_CHARACTERS, SHAPES, ChannelKind
from services.delivery.channels import (
    Channel,
    ChannelDraft,
    channels,
    deliveries,
    put_channel,
    remove_channel,
    try_channel,
)
from services.text import is_blank, visible, visible_name

MAX_NAME_CHARACTERS = 80
MAX_PER_HOUR = 3600
ONCE = "Check the header webhook-signature with this secret. Copy it now: it is not shown again."


def channel_list(page: PageContext, changed: Load) -> None:
    """Build the section of channels; `changed` is awaited when one was added, changed or removed."""
    with (
        section("Channels"),
        ui.element("div").classes("lw-panel lw-settings lw-settings--wide").props("data-testid=channels"),
    ):
        place = ui.element("div")
        if page.membership.is_admin:
            with ui.element("div").classes("lw-keys__actions"):
                add = ui.button("New channel", icon="add").props("unelevated no-caps")
                add.classes("lw-button lw-button--primary")

    def show(found: list[Channel]) -> None:
        for each in found:
            _channel(page, each, reload)
        if not found:
            about = "Messages reach the inbox alone. Admins add e-mail, chat, push services and webhooks here."
            with setting("No channels", about):
                pass

    async def load() -> None:
        work = channels(page.services.database, page.session.identity, page.membership.org_id)
        await fill(place, work, show, what="channels")

    async def reload() -> None:
        await load()
        await changed()

    if page.membership.is_admin:
        add.on_click(lambda: _dialog(page, None, reload))
    ui.timer(0, load, once=True)


def _channel(page: PageContext, channel: Channel, reload: Load) -> None:
    said = "Nothing was sent yet."
    times = [each for each in (channel.last_delivered_at, channel.last_failed_at) if each]
    if times:
        outcome = "Delivered" if max(times) == channel.last_delivered_at else "Failed"
        said = f"{outcome} {when_text(max(times))}: {visible(channel.last_answer or '')}"
    waiting = f" {channel.waiting:,} waiting." if channel.waiting else ""
    state = "" if channel.is_enabled else " Off."
    about = f"{SHAPES[channel.kind].label}, {visible(channel.hint)}. {said}{waiting}{state}"
    with setting(visible_name(channel.name), about):
        if page.membership.may_write:
            _buttons(page, channel, reload)


def _buttons(page: PageContext, channel: Channel, reload: Load) -> None:
    database, identity, org_id = page.services.database, page.session.identity, page.membership.org_id

    async def test() -> None:
        work = try_channel(database, identity, org_id, channel.id, page.services.couriers)
        if answer := await page.get(work):
            ui.notify(visible(answer.text), type="positive" if answer.is_delivered else "negative")

    async def remove() -> None:
        question = f"Remove {visible_name(channel.name)}?"
        if await confirm(question, "What waits for it is lost, and rules no longer tell it.", action="Remove"):
            await page.act(remove_channel(database, identity, org_id, channel.id), done="Removed.")
            await reload()

    with actions_of(channel.name):
        ui.menu_item("Last messages", on_click=lambda: _history(page, channel))
        if page.membership.is_admin:
            ui.menu_item("Send a test", on_click=test)
            ui.menu_item("Change", on_click=lambda: _dialog(page, channel, reload))
            ui.menu_item("Remove", on_click=remove)


async def _history(page: PageContext, channel: Channel) -> None:
    """Show the last messages and what became of them."""
    work = deliveries(page.services.database, page.session.identity, page.membership.org_id, channel.id)
    found = await page.get(work)
    if found is None:
        return
    with ui.dialog().props('aria-label="Last messages"') as dialog, ui.element("div").classes("lw-dialog"):
        text("h2", f"Last messages to {visible_name(channel.name)}")
        for each in found:
            state = "delivered" if each.delivered_at else "given up" if each.gave_up_at else "waiting"
            tries = f", {each.attempts} tries" if each.attempts > 1 else ""
            double = ", may have arrived twice" if each.may_be_double else ""
            text("p", f"{when_text(each.created_at)}: {visible(each.title)} ({state}{tries}{double})")
            if each.answer:
                text("p", visible(each.answer)).classes("lw-muted")
        if not found:
            text("p", "There is none that is kept.").classes("lw-muted")
        with ui.element("div").classes("lw-dialog__actions"):
            ui.button("Close", on_click=dialog.close).props("flat no-caps").classes("lw-button")
    dialog.on("hide", dialog.delete)
    dialog.open()


def _dialog(page: PageContext, channel: Channel | None, reload: Load) -> None:
    """Ask for a channel, save it, and show the secret of a webhook once."""

    def show_example() -> None:
        address.props(f'placeholder="{SHAPES[ChannelKind(kind.value)].example}"')

    async def save() -> None:
        chosen = (name.value or "").strip()
        if is_blank(chosen) or len(chosen) > MAX_NAME_CHARACTERS:
            name.error = f"Enter a name of 1 to {MAX_NAME_CHARACTERS} characters."
            return
        if not isinstance(limit.value, int | float) or not 1 <= limit.value <= MAX_PER_HOUR:
            limit.error = f"Enter a number from 1 to {MAX_PER_HOUR:,}."
            return
        draft = ChannelDraft(
            name=chosen,
            kind=ChannelKind(kind.value),
            address=SecretStr(address.value or ""),
            max_per_hour=int(limit.value),
            is_enabled=bool(enabled.value),
        )
        identity, org_id = page.session.identity, page.membership.org_id
        work = put_channel(
            page.services.database, identity, org_id, draft, page.services.sealer, id=channel.id if channel else None
        )
        if (saved := await page.get(work)) is None:
            return
        await reload()
        if saved[1]:
            _show_secret(dialog, body, chosen, saved[1])
        else:
            dialog.close()

    kinds = {each: shape.label for each, shape in SHAPES.items()}
    with ui.dialog().props('aria-label="Channel"') as dialog, ui.element("div").classes("lw-dialog") as body:
        text("h2", f"Change {visible_name(channel.name)}" if channel else "New channel")
        name = ui.input("Name", value=channel.name if channel else "").props(
            f"outlined dense maxlength={MAX_NAME_CHARACTERS}"
        )
        kind = ui.select(
            kinds, value=channel.kind if channel else ChannelKind.WEBHOOK, label="Kind", on_change=show_example
        ).props("outlined dense options-dense")
        kind.set_enabled(channel is None)
        label = "New address; empty to keep the present one" if channel else "Address"
        address = ui.input(label).props(f"outlined dense autocomplete=off maxlength={MAX_ADDRESS_CHARACTERS}")
        limit = ui.number("Most messages an hour", value=channel.max_per_hour if channel else 60).props(
            "outlined dense"
        )
        enabled = ui.checkbox("On", value=channel.is_enabled if channel else True).props("dense")
        text("p", "An address is a secret: it is stored encrypted and not shown again.").classes("lw-muted")
        dialog_buttons(dialog, "Save", save)
    show_example()
    dialog.on("hide", dialog.delete)
    dialog.open()


def _show_secret(dialog: ui.dialog, body: ui.element, name: str, secret: str) -> None:
    dialog.props("persistent")
    body.clear()
    with body:
        text("h2", f"The webhook {visible_name(name)} is saved")
        text("p", ONCE)
        CodeBlock(secret, label="The secret")
        with ui.element("div").classes("lw-dialog__actions"):
            ui.button("Done", on_click=dialog.close).props("unelevated no-caps").classes("lw-button lw-button--primary")

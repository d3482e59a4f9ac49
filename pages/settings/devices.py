"""The devices that are told of the person's messages: turned on by a click, tested, and removed."""

from contextlib import suppress
from uuid import UUID

from nicegui import ui

from components.elements.devices.device_list import DeviceList
from components.shell.feedback import tell_error
from pages.page.context import PageContext
from services.errors import NotAccepted
from services.push.devices import own_devices, remove_device, try_device
from services.push.sender import Outcome
from services.rules.terms.pace import QuietHours


def device_settings(page: PageContext) -> None:
    """Build the list of devices with the buttons of this browser."""
    database, identity = page.services.database, page.session.identity
    request = ui.context.client.request
    root = request.scope.get("root_path", "") if request else ""
    devices = DeviceList(root=root, key=page.services.push.key.public, user=str(identity.user_id))

    async def load() -> None:
        found = await page.get(own_devices(database, page.session.identity))
        if found is not None:
            devices.show(found)

    async def test(id: str) -> None:
        if (device := _id_of(id)) is None:
            return
        answer = await page.get(try_device(database, page.session.identity, page.services.push, device))
        if answer and answer.outcome is Outcome.SENT:
            ui.notify(answer.sentence, type="positive")
        elif answer:
            tell_error(answer.sentence)
        await load()

    async def remove(id: str) -> None:
        if device := _id_of(id):
            await page.act(remove_device(database, page.session.identity, device), done="Device removed.")
            await load()

    async def choose_quiet(hours: str, zone: str) -> None:
        try:
            quiet = QuietHours.parse(hours, zone)
        except NotAccepted as error:
            tell_error(str(error))
            return
        changes = {"quiet": str(quiet) if quiet else "", "quiet_zone": quiet.zone if quiet else ""}
        done = f"Quiet hours are {quiet}, by the clocks of {quiet.zone}." if quiet else "There are no quiet hours."
        await page.act(page.preferences.change(**changes), done=done)

    page.preferences.listen(lambda preferences: devices.show_quiet(preferences.quiet))
    devices.on_quiet(choose_quiet)
    devices.on_change(load)
    devices.on_try(test)
    devices.on_remove(remove)
    ui.timer(0, load, once=True)


def _id_of(given: str) -> UUID | None:
    with suppress(ValueError):
        return UUID(given)
    return None

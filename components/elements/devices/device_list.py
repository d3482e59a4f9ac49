"""List of a person's devices, and what this browser can be: one of them, and an installed app."""

from collections.abc import Callable, Sequence

from nicegui.events import GenericEventArguments

from components.presentation.time import epoch_ms
from components.window.live_element import ScriptedElement
from services.push.devices import PushDevice


class DeviceList(ScriptedElement, component="device_list.js", dependencies=["this_device.js"]):
    """List of devices, with placeholders until the first `show`, and buttons for the browser that shows it.

    Emits `changed` after this browser was turned on or off, `try` and `remove` with an id, and
    `quiet` with hours and a zone; these are not trusted.

    Args:
        root: Prefix of the app's paths.
        key: The app's public key for push services.
        user: Id of the person.
    """

    def __init__(self, *, root: str, key: str, user: str) -> None:
        super().__init__()
        self.props["devices"] = None
        self.props["quiet"] = ""
        self.props["root"] = root
        self.props["app-key"] = key
        self.props["user"] = user

    def show(self, devices: Sequence[PushDevice]) -> None:
        """Show these devices in the given order."""
        self.props["devices"] = [
            {
                "id": str(each.id),
                "name": each.name,
                "answer": each.answer,
                "answered_at": epoch_ms(each.answered_at),
                "created_at": epoch_ms(each.created_at),
                "is_of_session": each.is_of_session,
            }
            for each in devices
        ]

    def show_quiet(self, hours: str) -> None:
        """Show the quiet hours, such as 22:00-07:00; empty for none."""
        self.props["quiet"] = hours

    def on_quiet(self, handler: Callable[[str, str], object]) -> None:
        """Call `handler` with the hours that the person wrote and the zone of the browser; neither is trusted."""

        def chosen(event: GenericEventArguments) -> object:
            given = event.args if isinstance(event.args, dict) else {}
            return handler(str(given.get("hours", "")), str(given.get("zone", "")))

        self.on("quiet", chosen)

    def on_change(self, handler: Callable[[], object]) -> None:
        """Call `handler` after the browser has added or removed itself."""
        self.on("changed", lambda _: handler())

    def on_try(self, handler: Callable[[str], object]) -> None:
        """Call `handler` with the id of the device to test."""
        self.on("try", lambda event: handler(str(event.args)))

    def on_remove(self, handler: Callable[[str], object]) -> None:
        """Call `handler` with the id of the device to remove."""
        self.on("remove", lambda event: handler(str(event.args)))

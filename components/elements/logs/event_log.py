"""The realtime inspector: a live log of what arrives, as it arrives."""

from nicegui.element import Element

from components.window.scripts import SHARED_JS


class EventLog(Element, component="event_log.js", dependencies=[SHARED_JS]):
    """Events, latest first, with a filter, pause, clear and export; emits `live` when mounted.

    Takes the batches of an `EventsView`. It keeps the last 1,000 events and shows 200 of them at a time.
    """

    def __init__(self) -> None:
        super().__init__()

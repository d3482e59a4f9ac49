"""Reports a window to the others in its organisation, and shows who is online."""

from components.shell.shell import Frame
from pages.page.context import PageContext
from pages.viewers.places import place_of
from services.people.preferences import Preferences


def show_viewers(page: PageContext, frame: Frame) -> None:
    """Show who is online, and report what the window shows for as long as a browser shows it."""
    window = page.window
    tracked = page.services.viewers.track(page.membership.org_id, page.session.identity.user_id)
    name_page = page.title.show
    named: dict[str, str] = {}

    def note_use() -> None:
        tracked.set_idle(window.is_idle)
        if window.was_attached and window.is_connected:
            tracked.arrive()
        else:
            tracked.leave()

    def name(title: str) -> None:
        name_page(title)
        named[page.url.path] = title
        note_place()

    def note_place() -> None:
        for path in named.keys() - {page.url.path}:
            del named[path]
        tracked.show(place_of(page.url.address, named.get(page.url.path, "")))

    def prefer(preferences: Preferences) -> None:
        tracked.set_shown(preferences.online)
        frame.online.prefer(online=preferences.online)

    page.title.show = name
    page.url.follow(note_place)
    page.preferences.listen(prefer)
    note_place()
    window.on_use(note_use)
    window.on_delete(tracked.leave)
    frame.online.bind_viewers(window)

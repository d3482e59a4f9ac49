"""Shell of every page: sidebar, header, page heads and sections."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit
from uuid import UUID

from nicegui import ui
from nicegui.element import Element
from nicegui.elements.mixins.text_element import TextElement

from components.elements.connection.connection_status import ConnectionStatus
from components.elements.figures.count_badge import CountBadge
from components.elements.viewers.online_people import OnlinePeople
from components.presentation.text import icon, text
from components.shell.attention.attention import Attention
from components.shell.shortcuts import Shortcut, Shortcuts
from services.text import visible_name


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One entry of the sidebar.

    Args:
        path: Path of the page.
        label: Label of the entry.
        icon: Name of a Material icon, or "activity".
        key: Letter of the shortcut, which follows g.
        is_premium: Whether the entry has the premium badge.
        count: Key of the unread counter next to the label; None for no counter.
        rings: Whether the bell counts it, too.
        short: Label in the bottom bar of a phone; None for no entry there.
    """

    path: str
    label: str
    icon: str
    key: str
    is_premium: bool = False
    count: str | None = None
    rings: bool = True
    short: str | None = None


CHAT = "chat"
"""Key of the counter of unread messages."""
NAVIGATION = (
    Place(path="/", label="Dashboard", icon="space_dashboard", key="d", short="Dashboard"),
    Place(path="/monitoring", label="Live Monitoring", icon="activity", key="m", is_premium=True, short="Live"),
    Place(path="/alerts", label="Alerts", icon="notifications_active", key="a", count="alerts", short="Alerts"),
    Place(path="/notifications", label="Notifications", icon="inbox", key="n", count="notifications", short="Inbox"),
    Place(path="/chat", label="Chat", icon="forum", key="t", count=CHAT, rings=False),
    Place(path="/connect", label="Connect your code", icon="cable", key="c"),
    Place(path="/settings", label="Settings", icon="settings", key="s"),
)
# Sidebar entries of paths without an entry of their own.
PARENT_PATHS = {"/streams": "/monitoring"}


@dataclass(frozen=True, slots=True)
class Frame:
    """Live elements of the shell, which the page binds."""

    connection: ConnectionStatus
    badges: list[CountBadge]
    bell: Element
    chat: Element
    """Opens the chat of the organisation."""
    attention: Attention
    shortcuts: Shortcuts
    name_page: Callable[[str], None]
    """Shows the name of what the page shows; each navigation clears it."""
    online: OnlinePeople
    organization: Element
    """The organisation's name in the header, or the menu in its place."""


@contextmanager
def shell(
    *,
    user_id: UUID,
    user_name: str,
    org_name: str,
    switcher: Callable[[], Element] | None = None,
    sign_out: str = "/session/end",
    create: Callable[[], None] = lambda: None,
    navigation: Sequence[Place] = NAVIGATION,
) -> Iterator[Frame]:
    """Build the shell; elements built inside are the page. The sidebar follows the path of `ui.sub_pages`.

    Args:
        user_id: The user, who is not shown among those who are online.
        user_name: Name in the account menu.
        org_name: Name of the organisation in the header.
        switcher: Builds an organisation menu in place of the name; None for a user with one organisation.
        sign_out: Path that the sign-out form posts to.
        create: Called when the user wants another organisation.
        navigation: Entries of the sidebar.
    """
    badges: list[CountBadge] = []
    links: list[tuple[str, ui.link]] = []

    def name_page(name: str) -> None:
        named.text = name
        named.set_visibility(bool(name))
        attention.set_place(name or crumb.text)

    ui.query("main.q-page").props("role=none")  # Quasar's page is around the navigation, too
    with Element("div").classes("lw-shell"):
        ui.link("Skip to the content", "#content").classes("lw-skip")
        with Element("aside").classes("lw-sidebar"):
            _brand()
            with Element("nav").props('aria-label="Main"'):
                for place in navigation:
                    links.append((place.path, _place(place, badges)))
            _icon_button("keyboard_double_arrow_left", "Collapse the sidebar", "toggle-sidebar").classes(
                "lw-sidebar__fold"
            ).props("aria-expanded=true")
        with Element("nav").classes("lw-bottom").props('aria-label="Shortcuts"'):
            for place in navigation:
                if place.short:
                    links.append((place.path, _bottom_place(place)))
        Element("div").classes("lw-scrim").props["data-lw-action"] = "close-drawer"
        with Element("header").classes("lw-header"):
            _icon_button("menu", "Open the navigation", "open-drawer").classes("lw-header__menu").props(
                "aria-expanded=false"
            )
            with Element("div").classes("lw-crumbs"):
                organization = switcher() if switcher else text("span", visible_name(org_name))
                if not switcher:
                    organization.classes("lw-crumbs__org lw-clip").props("dir=auto")
                crumb = text("span", "").classes("lw-crumbs__page lw-clip")
                named = text("span", "").classes("lw-crumbs__page lw-clip").props("dir=auto")
            online = OnlinePeople(me=user_id)
            connection = ConnectionStatus()
            chat = _chat_button()
            bell = _bell(badges, [place.count for place in navigation if place.count and place.rings])
            _icon_button("contrast", "Theme: system, light or dark", "cycle-theme")
            shortcuts = Shortcuts([Shortcut(key=place.key, path=place.path, label=place.label) for place in navigation])
            _user_menu(user_name, org_name, sign_out, create, shortcuts)
        attention = Attention()
        with Element("main").classes("lw-main").props("id=content tabindex=-1"):
            yield Frame(connection, badges, bell, chat, attention, shortcuts, name_page, online, organization)

    def follow(path: str) -> None:
        current = _place_of(path, [place.path for place in navigation])
        for each, link in links:
            if each == current:
                link.props["aria-current"] = "page"
            else:
                link.props.pop("aria-current", None)
        label = next((place.label for place in navigation if place.path == current), "")
        crumb.text = label
        name_page("")

    router = ui.context.client.sub_pages_router
    follow(router.current_path)
    router.on_path_changed(follow)


def page_head(title: str | TextElement) -> Element:
    """Build the head of a page, with a title or an element that moves there; elements built `with` it go right."""
    with Element("div").classes("lw-head") as head:
        if isinstance(title, TextElement):
            title.move(head)
        else:
            text("h1", title)
        return Element("div").classes("lw-head__actions")


@contextmanager
def section(title: str) -> Iterator[Element]:
    """Build a titled section; elements built inside are its content."""
    with Element("section").classes("lw-section") as part:
        part.props["aria-label"] = title
        text("h2", title)
        yield part


def _brand() -> None:
    with ui.link(target="/").classes("lw-brand").props('aria-label="Livewatch, dashboard"'):
        with Element("span").classes("lw-brand__mark"):
            icon("activity")
        text("span", "Livewatch").classes("lw-sidebar__text")


def _chat_button() -> Element:
    with Element("button").classes("lw-icon-button lw-header__chat").props("type=button aria-haspopup=dialog") as chat:
        chat.props["title"] = chat.props["aria-label"] = "Chat"
        icon("forum")
    return chat


def _bell(badges: list[CountBadge], keys: Sequence[str]) -> Element:
    with Element("button").classes("lw-icon-button lw-bell").props("type=button aria-haspopup=dialog") as bell:
        bell.props["title"] = "Inbox"
        text("span", "Inbox: ").classes("lw-sr-only")
        icon("notifications_none")
        badges.append(CountBadge(*dict.fromkeys(keys)))
    return bell


def _place(place: Place, badges: list[CountBadge]) -> ui.link:
    with ui.link(target=place.path).classes("lw-place") as link:
        link.props["title"] = place.label
        icon(place.icon)
        text("span", place.label).classes("lw-sidebar__text lw-clip")
        if place.is_premium:
            text("span", "Premium").classes("lw-premium lw-sidebar__text")
        if place.count:
            badges.append(CountBadge(place.count))
    return link


def _bottom_place(place: Place) -> ui.link:
    with ui.link(target=place.path) as link:
        icon(place.icon)
        text("span", place.short or place.label)
    return link


def _icon_button(name: str, label: str, action: str) -> Element:
    with Element("button").classes("lw-icon-button").props("type=button") as button:
        button.props["aria-label"] = button.props["title"] = label
        button.props["data-lw-action"] = action
        icon(name)
    return button


def _user_menu(user_name: str, org_name: str, sign_out: str, create: Callable[[], None], shortcuts: Shortcuts) -> None:
    with Element("button").classes("lw-avatar").props("type=button aria-haspopup=menu") as button:
        button.props["aria-label"] = f"Account of {user_name}"
        text("span", _initials(user_name)).props("aria-hidden=true")
        with ui.menu().props('anchor="bottom right" self="top right" :offset="[0, 6]"').classes("lw-menu"):
            with Element("div").classes("lw-menu__who"):
                text("strong", visible_name(user_name)).classes("lw-clip").props("dir=auto")
                text("span", visible_name(org_name)).classes("lw-muted lw-clip").props("dir=auto")
            with ui.link(target="/settings/account").classes("lw-menu__item"):
                icon("manage_accounts")
                text("span", "Account")
            with Element("button").classes("lw-menu__item").props("type=button") as another:
                another.on("click", create, args=[])
                icon("domain_add")
                text("span", "New organisation")
            with Element("button").classes("lw-menu__item").props("type=button") as keys:
                keys.on("click", js_handler=shortcuts.opener)
                icon("keyboard")
                text("span", "Keyboard shortcuts")
            with Element("form").props("method=post") as form:
                form.props["action"] = sign_out
                with Element("button").classes("lw-menu__item").props("type=submit"):
                    icon("logout")
                    text("span", "Sign out")


def _initials(name: str) -> str:
    words = name.replace("@", " ").replace(".", " ").split()
    return "".join(word[0] for word in words[:2]).upper() or "?"


def _place_of(path: str, places: Iterable[str]) -> str | None:
    """Return the sidebar entry of a path; the dashboard matches only its own path."""
    path = urlsplit(path).path.rstrip("/") or "/"
    for start, place in PARENT_PATHS.items():
        if path.startswith(start + "/"):
            path = place
    return next((each for each in places if path == each or (each != "/" and path.startswith(each + "/"))), None)

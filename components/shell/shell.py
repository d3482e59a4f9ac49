"""Shell of every page: sidebar, header, page heads and sections."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from uuid import UUID

from nicegui import ui
from nicegui.element import Element
from nicegui.elements.mixins.text_element import TextElement

from components.elements.connection.connection_status import ConnectionStatus
from components.elements.figures.count_badge import CountBadge
from components.elements.viewers.online_people import OnlinePeople
from components.elements.views.pinned_views import PinnedViews
from components.presentation.markup import (
    Markup,
    Node,
    button_node,
    icon_button_node,
    icon_node,
    menu_item_node,
    menu_of_button,
    node,
    slot,
)
from components.presentation.text import text
from components.shell.attention.attention import Attention
from components.shell.navigation import NAVIGATION, Place, place_of
from components.shell.shortcuts import Shortcut, Shortcuts
from services.text import visible_name


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
    views: PinnedViews


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
    places = tuple(navigation)

    def name_page(name: str) -> None:
        named.text = name
        named.set_visibility(bool(name))
        attention.set_place(name or crumb.text)

    ui.query("main.q-page").props("role=none")  # Quasar's page is around the navigation, too
    with Markup(_shell(places)) as frame:
        badges: list[CountBadge] = []
        for place in places:
            if place.count:
                with frame.add_slot(place.count):
                    badges.append(CountBadge(place.count))
        with frame.add_slot("views"):
            views = PinnedViews()
        with frame.add_slot("crumbs"):
            organization = switcher() if switcher else text("span", visible_name(org_name))
            if not switcher:
                organization.classes("lw-crumbs__org lw-clip").props("dir=auto")
            crumb = text("span", "").classes("lw-crumbs__page lw-clip")
            named = text("span", "").classes("lw-crumbs__page lw-clip").props("dir=auto")
        with frame.add_slot("status"):
            online = OnlinePeople(me=user_id)
            connection = ConnectionStatus()
            chat = _chat_button()
            bell = _bell(badges, [place.count for place in places if place.count and place.rings])
        with frame.add_slot("account"):
            shortcuts = Shortcuts([Shortcut(key=place.key, path=place.path, label=place.label) for place in places])
            _account_menu(user_name, org_name, sign_out, create, shortcuts)
        with frame.add_slot("attention"):
            attention = Attention()
        yield Frame(connection, badges, bell, chat, attention, shortcuts, name_page, online, organization, views)

    def follow(path: str) -> None:
        current = next((place for place in places if place.path == place_of(path, places)), None)
        frame.set_current(current.path if current else "")
        crumb.text = current.label if current else ""
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


@cache
def _shell(places: tuple[Place, ...]) -> Node:
    """Return the tree of the shell, the same for all windows, with slots for what differs."""
    fold = icon_button_node(
        "keyboard_double_arrow_left",
        "Collapse the sidebar",
        class_="lw-sidebar__fold",
        data_lw_action="toggle-sidebar",
        aria_expanded="true",
    )
    menu = icon_button_node(
        "menu",
        "Open the navigation",
        class_="lw-header__menu",
        data_lw_action="open-drawer",
        aria_expanded="false",
    )
    bottom = [place for place in places if place.short]
    mark = node("span", icon_node("activity"), class_="lw-brand__mark")
    name = node("span", "Livewatch", class_="lw-sidebar__text")
    return node(
        "div",
        node("a", "Skip to the content", class_="lw-skip", href="#content"),
        node(
            "aside",
            node("a", mark, name, class_="lw-brand", href="/", aria_label="Livewatch, dashboard"),
            node("nav", *map(_place, places), slot("views"), aria_label="Main"),
            fold,
            class_="lw-sidebar",
        ),
        node("nav", *map(_bottom_place, bottom), class_="lw-bottom", aria_label="Shortcuts"),
        node("div", class_="lw-scrim", data_lw_action="close-drawer"),
        node(
            "header",
            menu,
            node("div", slot("crumbs"), class_="lw-crumbs"),
            slot("status"),
            icon_button_node("contrast", "Theme: system, light or dark", data_lw_action="cycle-theme"),
            slot("account"),
            class_="lw-header",
        ),
        slot("attention"),
        node("main", slot(), class_="lw-main", id="content", tabindex="-1"),
        class_="lw-shell",
    )


def _place(place: Place) -> Node:
    premium = (node("span", "Premium", class_="lw-premium lw-sidebar__text"),) if place.is_premium else ()
    return node(
        "a",
        icon_node(place.icon),
        node("span", place.label, class_="lw-sidebar__text lw-clip"),
        *premium,
        *((slot(place.count),) if place.count else ()),
        class_="lw-place",
        href=place.path,
        title=place.label,
    )


def _bottom_place(place: Place) -> Node:
    return node("a", icon_node(place.icon), node("span", place.short or place.label), href=place.path)


def _chat_button() -> Element:
    return Markup(icon_button_node("forum", "Chat", class_="lw-header__chat", aria_haspopup="dialog"))


def _bell(badges: list[CountBadge], keys: Sequence[str]) -> Element:
    with Markup(
        button_node(
            node("span", "Inbox: ", class_="lw-sr-only"),
            icon_node("notifications_none"),
            slot(),
            class_="lw-icon-button lw-bell",
            aria_haspopup="dialog",
            title="Inbox",
        )
    ) as bell:
        badges.append(CountBadge(*dict.fromkeys(keys)))
    return bell


def _account_menu(
    user_name: str, org_name: str, sign_out: str, create: Callable[[], None], shortcuts: Shortcuts
) -> None:
    initials = node("span", _initials(user_name), aria_hidden="true")
    leave = node("button", icon_node("logout"), node("span", "Sign out"), class_="lw-menu__item", type="submit")
    label = f"Account of {user_name}"
    with (
        Markup(button_node(initials, slot(), class_="lw-avatar", aria_haspopup="menu", aria_label=label)),
        menu_of_button(),
    ):
        entries = Markup(
            node(
                "div",
                node(
                    "div",
                    node("strong", visible_name(user_name), class_="lw-clip", dir="auto"),
                    node("span", visible_name(org_name), class_="lw-muted lw-clip", dir="auto"),
                    class_="lw-menu__who",
                ),
                node(
                    "a",
                    icon_node("manage_accounts"),
                    node("span", "Account"),
                    class_="lw-menu__item",
                    href="/settings/account",
                ),
                menu_item_node("domain_add", "New organisation", press="create"),
                menu_item_node("keyboard", "Keyboard shortcuts", press="shortcuts"),
                node("form", leave, method="post", action=sign_out),
            )
        )
    entries.on_press(
        lambda _: create(), js_handler=f"(key) => key === 'shortcuts' ? ({shortcuts.opener})() : emit(key)"
    )


def _initials(name: str) -> str:
    words = name.replace("@", " ").replace(".", " ").split()
    return "".join(word[0] for word in words[:2]).upper() or "?"

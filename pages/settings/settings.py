"""/settings: profile, appearance, notifications, ingest keys and data retention."""

from collections.abc import Callable, Mapping
from typing import Any

from nicegui import ui
from nicegui.element import Element

from components.presentation.text import text
from components.shell.attention.attention import PLAY_TONE
from components.shell.feedback import tell_error
from components.shell.shell import page_head, section
from pages.page.context import PageContext
from pages.settings.devices import device_settings
from pages.settings.ingest_keys import ingest_keys
from pages.settings.retention import retention_settings
from pages.settings.setting import setting
from services.people.models import Role
from services.people.preferences import Preferences
from services.people.profiles import own_profile, rename
from services.text import is_blank, visible_name

THEMES = {"auto": "System", "light": "Light", "dark": "Dark"}
DENSITIES = {"comfortable": "Comfortable", "compact": "Compact"}
MAX_NAME_CHARACTERS = 120
_ROLES = {Role.VIEWER: "a viewer", Role.OPERATOR: "an operator", Role.ADMIN: "an admin"}


def settings_page(page: PageContext) -> None:
    """Build the settings; a change applies at once in this window, and in others when they next load."""
    page_head("Settings")
    with section("Profile"), ui.element("div").classes("lw-panel lw-settings"):
        _profile(page)
        about = "Other members see that you are online, which page you look at, and that you are typing."
        _switch(page, "online", "Show me as online", about)
    with section("Organisation"), ui.element("div").classes("lw-panel lw-settings"):
        _organization(page)
    with section("Appearance"), ui.element("div").classes("lw-panel lw-settings"):
        _choice(page, "theme", "Theme", "Light, dark, or the same as your system.", THEMES)
        _choice(page, "density", "Density", "Compact shows more cards and rows at once.", DENSITIES)
    with section("Attention"), ui.element("div").classes("lw-panel lw-settings"):
        _switch(page, "toasts", "Toasts", "Show new alerts and notifications while a window is open.")
        _switch(page, "sound", "Sound", "Play a short tone for them, in one of your windows.", also=_try)
        with setting("Rules", "Of what happens, whom to tell, where and how often."):
            ui.link("Rules and channels", "/settings/rules").classes("lw-button lw-button--link")
    with section("Devices"), ui.element("div").classes("lw-panel lw-settings"):
        device_settings(page)
    with section("Ingest keys"), ui.element("div").classes("lw-panel lw-settings"):
        ingest_keys(page)
    if page.membership.is_admin:
        with section("Data retention"), ui.element("div").classes("lw-panel lw-settings"):
            retention_settings(page)
    with section("Keyboard"), ui.element("div").classes("lw-panel lw-settings"):
        _switch(page, "shortcuts", "Shortcuts", "Press ? for the list.")


def _profile(page: PageContext) -> None:
    async def load() -> None:
        profile = await page.get(own_profile(page.services.database, page.session.identity))
        if profile is not None:
            # Built with its value: NiceGUI sets one that comes later again, over what was typed meanwhile.
            with place:
                _name(page, profile.name)

    with setting("Display name", "Shown to other members.") as place:
        pass
    with setting("Account", f"You sign in as {page.session.identity.email}."):
        ui.link("Password, e-mail and sessions", "/settings/account").classes("lw-button lw-button--link")
    ui.timer(0, load, once=True)


def _name(page: PageContext, current: str) -> None:
    async def save() -> None:
        chosen = (name.value or "").strip()
        if is_blank(chosen) or len(chosen) > MAX_NAME_CHARACTERS:
            tell_error(f"The name must have 1 to {MAX_NAME_CHARACTERS} characters.")
            return
        await page.act(rename(page.services.database, page.session.identity, chosen), done="Saved.")

    name = ui.input(value=current).props(f'outlined dense maxlength={MAX_NAME_CHARACTERS} aria-label="Display name"')
    name.on("keydown.enter", save)
    ui.button("Save", on_click=save).props("unelevated no-caps").classes("lw-button lw-button--primary")


def _organization(page: PageContext) -> None:
    with setting(visible_name(page.membership.name), f"You are {_ROLES[page.membership.role]} here."):
        ui.link("Members", "/settings/members").classes("lw-button lw-button--link")
    with setting("Status pages", "What everybody with a link sees of chosen jobs, without signing in."):
        ui.link("Status pages and badges", "/settings/status").classes("lw-button lw-button--link")


def _choice(page: PageContext, name: str, label: str, about: str, options: Mapping[str, str]) -> None:
    with setting(label, about):
        # A colour unknown to Quasar leaves the selected button to the app's own styles.
        colours = "toggle-color=ours toggle-text-color=ours"
        control = (
            ui.toggle(dict(options)).props(f'unelevated no-caps {colours} aria-label="{label}"').classes("lw-choice")
        )
        _bind(page, name, control)


def _switch(page: PageContext, name: str, label: str, about: str, *, also: Callable[[], None] = lambda: None) -> None:
    with setting(label, about):
        also()
        control = ui.switch().props(f'dense aria-label="{label}"').classes("lw-switch")
        _bind(page, name, control)


def _try() -> None:
    with Element("button").classes("lw-button").props("type=button") as button:
        text("span", "Try")
    button.on("click", js_handler=PLAY_TONE)


def _bind(page: PageContext, name: str, control: Any) -> None:
    """Bind a control to a preference, in both directions."""

    async def choose(event: Any) -> None:
        await page.act(page.preferences.change(**{name: event.value}))

    def show(preferences: Preferences) -> None:
        control.value = getattr(preferences, name)

    page.preferences.listen(show)
    control.on_value_change(choose)

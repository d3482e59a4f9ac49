"""The user's open sessions, each of which can be ended."""

from uuid import UUID

from nicegui import ui

from components.elements.team.session_list import SessionList
from components.shell.dialogs import confirm
from pages.page.context import PageContext
from pages.settings.setting import setting
from services.auth.client import SignOutScope
from services.auth.sessions import Ending
from services.people.audit import note_account
from services.people.session_uses import OpenSession, end_session, open_sessions

RELOAD_SECONDS = 15.0


def session_settings(page: PageContext) -> None:
    """Build the list of sessions, and the buttons that end several."""
    database, hub = page.services.database, page.services.sessions
    known: list[OpenSession] = []
    rows = SessionList()

    async def load() -> None:
        known[:] = await open_sessions(database, page.session.identity)
        rows.show(known)

    async def reload() -> None:
        # A failure is shown once, by the first read; the list stays as it was.
        if not page.session.has_ended and known:
            await page.get(load())

    async def end_one(id: str) -> None:
        ended = next((each for each in known if str(each.id) == id and not each.is_current), None)
        if ended and await page.act(end_session(database, page.session.identity, ended.id), done="Session ended."):
            hub.end(UUID(id))
            await page.act(load())

    async def end_many(scope: SignOutScope) -> None:
        await page.services.auth.sign_out(page.session.tokens, scope)
        hub.end_others(page.session)
        if scope == "global":
            page.session.end("You have signed out.", ending=Ending.SIGNED_OUT)

    async def end_others() -> None:
        if await page.act(end_many("others"), done="Signed out everywhere else."):
            await note_account(database, page.session.identity, "sessions.ended")
            await page.act(load())

    async def end_all() -> None:
        consequence = "All your windows, on all devices, return to the sign-in page, this one too."
        if await confirm("Sign out everywhere?", consequence, action="Sign out", is_critical=False):
            await note_account(database, page.session.identity, "sessions.ended")
            await page.act(end_many("global"))

    rows.on_end(end_one)
    with setting("Sign out", "Of every session but this one, or of all."):
        ui.button("Everywhere else", on_click=end_others).props("flat no-caps").classes("lw-button")
        ui.button("Everywhere", on_click=end_all).props("flat no-caps").classes("lw-button")
    ui.timer(0, lambda: page.act(load()), once=True)
    ui.timer(RELOAD_SECONDS, reload)

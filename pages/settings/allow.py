"""/connect/allow: an admin lets a terminal report, after `livewatch login` has shown the same code there.

The terminal made the key and shows only a hash of its secret here, so that the key itself never leaves it.
"""

import base64
import re
from dataclasses import dataclass

from nicegui import ui
from nicegui.element import Element

from components.presentation.text import text
from components.shell.feedback import no_permission_panel, not_found_panel
from components.shell.shell import page_head
from pages.page.context import PageContext
from services.ingest import REPORTING, KeyScope
from services.ingest.administration import admit_key
from services.text import visible_name

PUBLIC_ID = re.compile(r"[a-z0-9]{8,32}")
SECRET_HASH = re.compile(r"[0-9a-f]{64}")
MAX_NAME_CHARACTERS = 120
CODE_CHARACTERS = 8
SCOPES = (*REPORTING, KeyScope.READ)
"""A terminal reports, and `livewatch ls` and the like read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """A terminal that asks: the public id and the hash of the secret of its key, and what it calls itself."""

    public_id: str
    secret_hash: bytes
    name: str

    @property
    def code(self) -> str:
        """The code that the terminal shows, too, such as `ABCD-2345`."""
        code = base64.b32encode(self.secret_hash)[:CODE_CHARACTERS].decode()
        return f"{code[:4]}-{code[4:]}"


def parse_login(params: dict[str, str]) -> Login | None:
    """Read the parameters of the address; None if one is missing or malformed."""
    public_id, digest, name = params.get("id", ""), params.get("hash", ""), params.get("name", "").strip()
    if not PUBLIC_ID.fullmatch(public_id) or not SECRET_HASH.fullmatch(digest):
        return None
    return Login(public_id=public_id, secret_hash=bytes.fromhex(digest), name=visible_name(name)[:MAX_NAME_CHARACTERS])


def allow_page(page: PageContext) -> None:
    """Ask whether the terminal may report for the organisation."""
    login = parse_login(page.url.params)
    if login is None:
        not_found_panel(
            "This link is incomplete", "Run livewatch login again, and open the whole address that it shows."
        )
        return
    if not page.membership.is_admin:
        no_permission_panel(
            "Only admins connect terminals", "Send this page's address to an admin of your organisation."
        )
        return
    page_head("Connect a terminal")

    async def allow() -> None:
        database, identity = page.services.database, page.session.identity
        work = admit_key(
            database,
            identity,
            page.membership.org_id,
            name=login.name,
            public_id=login.public_id,
            secret_hash=login.secret_hash,
            scopes=SCOPES,
        )
        if await page.act(work):
            panel.clear()
            with panel:
                text("h2", "Connected")
                text("p", "Return to your terminal. The key is listed under Settings, where you can revoke it.")
                ui.link("Live Monitoring", "/monitoring").classes("lw-button lw-button--link")

    with Element("section").classes("lw-panel lw-stack").props("data-testid=allow") as panel:
        text("h2", login.name).props("dir=auto")
        text(
            "p", f"This terminal asks to report runs, alerts and notifications for {page.membership.name}, and to read."
        )
        text("p", "Allow it only if it shows the same code:")
        text("strong", login.code).classes("lw-code-large")
        with Element("div").classes("lw-row"):
            ui.button("Allow", on_click=allow).props("unelevated no-caps").classes("lw-button lw-button--primary")
            ui.link("Cancel", "/").classes("lw-button lw-button--link")

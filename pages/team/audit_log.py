"""/settings/audit: the audit log of the organisation, for its admins."""

from collections.abc import AsyncIterator
from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.responses import PlainTextResponse, Response, StreamingResponse
from nicegui import ui

from components.elements.team.audit_list import AuditList
from components.presentation.csv_text import CSV_TYPE, csv_text, download_headers
from components.presentation.text import text
from components.shell.feedback import no_permission_panel
from components.shell.shell import page_head
from pages.http.auth_middleware import session_of
from pages.page.context import PageContext
from pages.page.membership import chosen_membership
from pages.page.services import Services
from services.auth.sessions import UserSession
from services.errors import LivewatchError, PermissionDenied
from services.people.audit import PAGE_EVENTS, AuditEvent, audit_events, note_export

EXPORTED_EVENTS = 1000
"""Events of one read of an export."""
COLUMNS = ("id", "at", "actor", "address", "action", "subject", "before", "after")


def audit_page(page: PageContext) -> None:
    """Build the page: a search, the events, older ones on demand, and an export."""
    if not page.membership.is_admin:
        no_permission_panel("Only admins read the audit log", "Ask an admin of your organisation.")
        return
    with page_head("Audit log"):
        ui.link("Export CSV", f"/export/audit.csv?org={page.membership.org_id}").classes("lw-button lw-button--link")
    text("p", "Who changed what here: members, invitations, keys, settings, exports, deletions and sign-ins.").classes(
        "lw-lead"
    )
    with ui.element("div").classes("lw-panel lw-settings"):
        log = AuditList()
    shown: list[AuditEvent] = []
    wanted = ""

    async def read(*, before: int | None = None) -> None:
        asked = wanted
        found = await page.get(
            audit_events(
                page.services.database, page.session.identity, page.membership.org_id, search=asked, before=before
            )
        )
        # A slow answer to an earlier search must not take the place of a later one.
        if found is not None and asked == wanted:
            shown[:] = found if before is None else [*shown, *found]
            log.show(shown, has_more=len(found) == PAGE_EVENTS)

    async def search(words: str) -> None:
        nonlocal wanted
        wanted = words
        await read()

    async def older() -> None:
        if shown:
            await read(before=shown[-1].id)

    log.on_search(search)
    log.on_older(older)
    ui.timer(0, read, once=True)


def audit_routes(services: Services) -> APIRouter:
    """Return the route of the export."""
    router = APIRouter(prefix="/export", include_in_schema=False)

    @router.get("/audit.csv")
    async def export(request: Request) -> Response:
        session = session_of(request)
        if session is None:
            return PlainTextResponse("Sign in first.", status_code=401)
        try:
            membership, _ = await chosen_membership(services.database, session.identity, request)
            if membership is None or not membership.is_admin:
                raise PermissionDenied("Only admins of an organisation export its audit log.")
            await note_export(services.database, session.identity, membership.org_id, list="audit", filter="{}")
        except PermissionDenied as error:
            return PlainTextResponse(str(error), status_code=403)
        except LivewatchError as error:
            return PlainTextResponse(str(error), status_code=503)
        parts = _csv_parts(services, session, membership.org_id)
        return StreamingResponse(parts, media_type=CSV_TYPE, headers=download_headers("audit"))

    return router


async def _csv_parts(services: Services, session: UserSession, org_id: UUID) -> AsyncIterator[str]:
    """Yield the whole log, each read under the claims that the session has by then."""
    yield csv_text([COLUMNS], is_first=True)
    before: int | None = None
    while events := await audit_events(
        services.database, session.identity, org_id, before=before, limit=EXPORTED_EVENTS
    ):
        yield csv_text([getattr(event, name) for name in COLUMNS] for event in events)
        before = events[-1].id

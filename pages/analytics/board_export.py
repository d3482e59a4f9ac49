"""/export/analytics.csv: the values of one chart of a board as a file."""

import json
from collections.abc import Sequence
from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.responses import PlainTextResponse, Response

from components.presentation.csv_text import CSV_TYPE, csv_text, download_headers
from pages.http.auth_middleware import session_of
from pages.page.membership import membership_of
from pages.page.services import Services
from services.analytics.board import BOARDS, CHARTS, Board
from services.analytics.figures import figures_of, table_of
from services.analytics.reading import read_board
from services.auth.identity import Identity
from services.errors import LivewatchError, PermissionDenied
from services.infra.database import Database
from services.people.audit import note_export
from services.presence.online import OnlinePerson, read_online_people
from services.text import visible_name

EXPORT_PATH = "/export/analytics.csv"


def board_export_routes(services: Services) -> APIRouter:
    """Return the route of the download; it accepts the parameters of a board, and `chart`, the name of one."""
    router = APIRouter(include_in_schema=False)

    @router.get(EXPORT_PATH)
    async def export(request: Request) -> Response:
        session, params = session_of(request), request.query_params
        if session is None:
            return PlainTextResponse("Sign in first.", status_code=404)
        if (name := params.get("chart", "")) not in CHARTS:
            return PlainTextResponse(
                f"There is no chart “{name[:40]}”. Its name is one of {', '.join(CHARTS)}.", status_code=400
            )
        board = Board.parse({**params, "charts": name})
        if board.problem:
            return PlainTextResponse(board.problem, status_code=400)
        try:
            membership = await membership_of(services.database, session.identity, request)
            columns, rows = await _table(services.database, session.identity, membership.org_id, board)
            await note_export(
                services.database,
                session.identity,
                membership.org_id,
                list=BOARDS.table,
                filter=json.dumps(dict(params)),
            )
        except PermissionDenied as error:
            return PlainTextResponse(str(error), status_code=403)
        except LivewatchError as error:
            return PlainTextResponse(str(error), status_code=503)
        text = csv_text([columns], is_first=True) + csv_text(rows)
        return Response(text, media_type=CSV_TYPE, headers=download_headers(f"analytics-{name}"))

    return router


async def _table(
    database: Database, identity: Identity, org_id: UUID, board: Board
) -> tuple[Sequence[str], Sequence[Sequence[object]]]:
    """Return the names of the columns and the rows of a board's one chart."""
    if board.shows("people"):
        people = await read_online_people(database, identity, org_id)
        return ("Person", "State", "Looks at"), [_person(each) for each in people]
    (figure,) = figures_of(board, await read_board(database, identity, org_id, board))
    return table_of(figure)


def _person(person: OnlinePerson) -> tuple[str, str, str]:
    places = ", ".join(visible_name(place.title) for place in person.places)
    return visible_name(person.name), "Idle" if person.is_idle else "Active", places

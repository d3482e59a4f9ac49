"""Search in the logs of an organisation, as a key: lines of all runs, the latest first."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from services.errors import DatabaseTimeLimit, DatabaseUnavailable, IngestRefused, NotAccepted, NotFound
from services.history.log_filter import LEVELS, LogFilter
from services.history.log_search import FoundLine, LogScope, Position, search_logs
from services.infra.claims import Claimant
from services.infra.database import Database
from services.ingest import Code
from services.reading.as_key import UNAVAILABLE_RETRY_SECONDS
from services.reading.parameters import Parameters

LOG_PARAMETERS = ("q", "regex", "level", "job", "since", "until", "limit", "cursor")
DEFAULT_LIMIT = 100
MAX_LIMIT = 1_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class LogPage:
    """Lines that were found, where to search on, and whether the time was over before the page was full."""

    items: list[dict[str, Any]]
    next: str | None
    is_cut: bool


async def search_lines(database: Database, key: Claimant, org_id: UUID, pairs: Iterable[tuple[str, str]]) -> LogPage:
    """Find the latest lines that match the parameters of a request.

    Raises:
        IngestRefused: A parameter is invalid, and the message names the valid values; there is no such job; or the
            database did not respond.
    """
    parameters = Parameters(pairs, LOG_PARAMETERS)
    limit = parameters.limit(DEFAULT_LIMIT, MAX_LIMIT)
    level = parameters.choice("level", LEVELS, LEVELS[0])
    cursor = parameters.one("cursor")
    try:
        filter = LogFilter.parse(
            {
                "q": parameters.one("q"),
                "regex": parameters.choice("regex", ("0", "1"), "0"),
                "level": level,
                "from": parameters.one("since"),
                "to": parameters.one("until"),
            }
        )
        scope = LogScope(org_id=org_id)
        if job := parameters.one("job"):
            scope = await LogScope.of_job(database, key, org_id, job)
        before = _position(cursor) if cursor else None
        found = await search_logs(database, key, scope, filter, before=before, limit=limit)
    except NotAccepted as error:
        raise IngestRefused(Code.INVALID, str(error)) from error
    except NotFound as error:
        raise IngestRefused(Code.NOT_FOUND, str(error), field="job") from error
    except DatabaseTimeLimit as error:
        raise IngestRefused(
            Code.INVALID, "This search costs too much. Use a simpler expression, a level, or since.", field="q"
        ) from error
    except DatabaseUnavailable as error:
        raise IngestRefused(
            Code.UNAVAILABLE, f"Nothing was read; try again. {error}", retry_after=UNAVAILABLE_RETRY_SECONDS
        ) from error
    items = [_item(line) for line in found.lines]
    return LogPage(items=items, next=_cursor(found.reached) if found.reached else None, is_cut=found.is_cut)


def _item(line: FoundLine) -> dict[str, Any]:
    return {
        "id": line.id,
        "at": line.at,
        "level": line.level,
        "message": line.message,
        "kind": line.kind,
        "run": line.run_id,
        "name": line.name,
        "url": line.path,
    }


def _cursor(position: Position) -> str:
    return f"{(position.at - _EPOCH) // _MICROSECOND}-{position.id}"


def _position(cursor: str) -> Position:
    at, _, id = cursor.rpartition("-")
    try:
        return Position(at=_EPOCH + int(at) * _MICROSECOND, id=int(id[:18]))
    except (ValueError, OverflowError) as error:
        raise IngestRefused(
            Code.INVALID, f"cursor {cursor[:60]!r} is none of this search. Use `next` of a page.", field="cursor"
        ) from error

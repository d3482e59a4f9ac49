"""One statement under the claims of a key that may read."""

from collections.abc import Mapping
from typing import Any

from services.errors import DatabaseUnavailable, IngestRefused, PermissionDenied
from services.infra.claims import Claimant
from services.infra.database import Database
from services.infra.postgres.permitted import read_permitted
from services.ingest import Code

UNAVAILABLE_RETRY_SECONDS = 2.0


async def read_as_key(database: Database, key: Claimant, query: str, values: Mapping[str, Any]) -> Any:
    """Return the JSON value of a query, under row-level security.

    Args:
        database: Where to read.
        key: Under whose claims.
        query: SQL of one value, with psycopg's named placeholders.
        values: Values of the placeholders.

    Raises:
        IngestRefused: The key was revoked or has expired since it was verified, or the database did not respond.
    """
    condition = "exists (select from private.ingest_orgs('read'))"
    try:
        answer = await read_permitted(database, key, query, values, condition=condition)
    except PermissionDenied:
        answer = None
    except DatabaseUnavailable as error:
        raise IngestRefused(
            Code.UNAVAILABLE, f"Nothing was read; try again. {error}", retry_after=UNAVAILABLE_RETRY_SECONDS
        ) from error
    if answer is None:
        raise IngestRefused(Code.BAD_KEY, "This key was revoked; an admin creates keys under Settings.")
    return answer["found"]

"""One read that row-level security alone would answer falsely: to those who may not, it shows no rows."""

from collections.abc import Mapping
from typing import Any

from services.infra.claims import Claimant
from services.infra.database import Database


async def read_permitted(
    database: Database, claimant: Claimant, query: str, values: Mapping[str, Any], *, condition: str
) -> dict[str, Any] | None:
    """Read under row-level security, in one round trip with the question whether the claimant may.

    Args:
        database: Where to read.
        claimant: Who reads.
        query: SQL of one value, which is returned as JSON, with psycopg's named placeholders.
        values: Values of the placeholders.
        condition: SQL condition of those who may read, with the same placeholders.

    Returns:
        The value as `found`; None if the claimant may not, or no longer.

    Raises:
        PermissionDenied: Row-level security rejected the statement.
        DatabaseUnavailable: PostgreSQL did not answer, or not in time.
    """
    statement = f"select case when {condition} then jsonb_build_object('found', ({query})) end"
    answer: dict[str, Any] | None = await database.call(claimant, statement, values)
    return answer

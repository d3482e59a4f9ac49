"""One statement of a member over the rows of their organisation."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from services.auth.identity import Identity
from services.errors import PermissionDenied
from services.infra.database import Database
from services.infra.postgres.permitted import read_permitted


async def read_as_member(
    database: Database, identity: Identity, org_id: UUID, query: str, values: Mapping[str, Any]
) -> Any:
    """Return the JSON value of a query, under row-level security, in one round trip.

    Args:
        database: Where to read.
        identity: Who reads.
        org_id: The organisation.
        query: SQL of one value, with psycopg's named placeholders.
        values: Values of the placeholders.

    Raises:
        PermissionDenied: The user is no member of the organisation, or no longer: row-level security would show no
            rows, which is a false answer.
        DatabaseUnavailable: PostgreSQL did not answer, or not in time.
    """
    values = {**values, "_topic": f"org:{org_id}"}
    condition = "private.can_subscribe(%(_topic)s)"
    answer = await read_permitted(database, identity, query, values, condition=condition)
    if answer is None:
        raise PermissionDenied(f"{identity.name} has no access to this organisation, or no longer.")
    return answer["found"]

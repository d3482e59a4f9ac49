"""Organisation of a request or window."""

from starlette.requests import HTTPConnection

from services.auth.identity import Identity
from services.errors import PermissionDenied
from services.infra.database import Database
from services.people.organizations import Membership, memberships

ORG_PARAMETER = "org"
ORG_COOKIE = "livewatch_org"


async def chosen_membership(
    database: Database, identity: Identity, connection: HTTPConnection
) -> tuple[Membership | None, list[Membership]]:
    """Choose the organisation in the URL, else the last one chosen in this browser, else the first.

    Returns:
        The chosen membership, None for a user without any; and all memberships of the user.

    Raises:
        PermissionDenied: The user is not a member of the organisation in the URL.
    """
    mine = await memberships(database, identity)
    by_id = {str(each.org_id): each for each in mine}
    wanted = connection.query_params.get(ORG_PARAMETER)
    if wanted is not None and mine:
        if wanted not in by_id:
            raise PermissionDenied(f"You are not a member of the organisation {wanted[:60]}, or it does not exist.")
        return by_id[wanted], mine
    remembered = by_id.get(connection.cookies.get(ORG_COOKIE, ""))
    return remembered or next(iter(mine), None), mine


async def membership_of(database: Database, identity: Identity, connection: HTTPConnection) -> Membership:
    """Choose like `chosen_membership`; raises PermissionDenied also for a user without any."""
    membership, _ = await chosen_membership(database, identity, connection)
    if membership is None:
        raise PermissionDenied("You belong to no organisation yet.")
    return membership

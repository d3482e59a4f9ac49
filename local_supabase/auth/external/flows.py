"""Sign-ins that a browser has begun at an external provider, in GoTrue's tables `flow_state` and `oauth_client_states`.

The id of a flow is the `state` of its authorization request; it is good for one callback within `LIFETIME`.
"""

import secrets
import uuid
from dataclasses import dataclass, field
from datetime import timedelta

from local_supabase.auth.pkce import Challenge
from local_supabase.auth.users import Cursor, Users, parse_uuid
from local_supabase.errors import ApiError

LIFETIME = timedelta(minutes=10)
METHOD = "oauth"


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """A begun sign-in: where it leads, and the PKCE verifier towards the provider.

    `auth_code` is the code for the client of the PKCE flow; None in the implicit flow.
    """

    id: uuid.UUID
    redirect_to: str
    verifier: str = field(repr=False)
    auth_code: str | None = field(repr=False)


async def begin(users: Users, *, provider: str, redirect_to: str, challenge: Challenge | None) -> Flow:
    """Store a new flow, and drop those that nobody can finish any more."""
    flow = Flow(
        id=uuid.uuid4(),
        redirect_to=redirect_to,
        verifier=secrets.token_urlsafe(48),
        auth_code=str(uuid.uuid4()) if challenge else None,
    )
    client_state = uuid.uuid4()
    async with users.transaction() as cursor:
        await cursor.execute(
            "delete from auth.flow_state where authentication_method = %s and created_at < now() - 2 * %s",
            (METHOD, LIFETIME),
        )
        await cursor.execute("delete from auth.oauth_client_states where created_at < now() - 2 * %s", (LIFETIME,))
        await cursor.execute(
            "insert into auth.oauth_client_states (id, provider_type, code_verifier, created_at)"
            " values (%s, %s, %s, now())",
            (client_state, provider, flow.verifier),
        )
        await cursor.execute(
            "insert into auth.flow_state (id, auth_code, code_challenge, code_challenge_method, provider_type,"
            " authentication_method, referrer, oauth_client_state_id, created_at, updated_at)"
            " values (%s, %s, %s, %s, %s, %s, %s, %s, now(), now())",
            (
                flow.id, flow.auth_code, challenge and challenge.text, challenge and challenge.method, provider, METHOD,
                redirect_to, client_state,
            ),
        )  # fmt: skip
    return flow


async def take(users: Users, state: str) -> Flow:
    """Return the flow of a callback, once; raises ApiError (400)."""
    if not state:
        raise ApiError(400, "bad_oauth_callback", "OAuth state parameter missing")
    if (id := parse_uuid(state)) is None:
        raise ApiError(400, "bad_oauth_state", "OAuth state parameter is invalid")
    async with users.transaction() as cursor:
        await cursor.execute(
            "select referrer, auth_code, oauth_client_state_id, created_at < now() - %s as expired"
            " from auth.flow_state where id = %s and authentication_method = %s for update",
            (LIFETIME, id, METHOD),
        )
        found = await cursor.fetchone()
        if found is None:
            raise ApiError(400, "bad_oauth_state", "OAuth state not found or expired")
        if found["expired"]:
            raise ApiError(400, "bad_oauth_state", "OAuth state has expired")
        await cursor.execute(
            "delete from auth.oauth_client_states where id = %s returning code_verifier",
            (found["oauth_client_state_id"],),
        )
        state_row = await cursor.fetchone()
    if state_row is None:
        raise ApiError(400, "flow_state_already_used", "State has already been used")
    return Flow(id=id, redirect_to=found["referrer"], verifier=state_row["code_verifier"], auth_code=found["auth_code"])


async def finish(cursor: Cursor, flow: Flow, user_id: uuid.UUID) -> None:
    """Have the flow's code stand for the user from now on; drop a flow without code."""
    if flow.auth_code is None:
        await cursor.execute("delete from auth.flow_state where id = %s", (flow.id,))
    else:
        await cursor.execute(
            "update auth.flow_state set user_id = %s, auth_code_issued_at = now(), updated_at = now() where id = %s",
            (user_id, flow.id),
        )

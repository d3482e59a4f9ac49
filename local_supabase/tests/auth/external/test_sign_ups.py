"""Who may get an account by an external provider where sign-ups are disabled."""

from collections.abc import AsyncIterator
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from local_supabase.auth.external.endpoints import _may_sign_up
from local_supabase.auth.external.identities import ExternalIdentity, sign_in
from local_supabase.auth.external.provider import ProviderSettings
from local_supabase.auth.users import Cursor
from local_supabase.errors import ApiError
from local_supabase.process import LocalSupabase
from local_supabase.tests.oidc_provider import person
from local_supabase.tests.tools import new_address

pytestmark = pytest.mark.integration


@pytest.fixture
async def cursor(local: LocalSupabase) -> AsyncIterator[Cursor]:
    """A transaction that is rolled back at the end."""
    url = local.status.database_url.get_secret_value()
    async with await psycopg.AsyncConnection.connect(url) as connection:
        yield connection.cursor(row_factory=dict_row)
        await connection.rollback()


def identity(email: str, **claims: Any) -> ExternalIdentity:
    return ExternalIdentity.from_claims("keycloak", {"iss": "https://id.example", **person(email, **claims)})


async def test_a_closed_server_admits_known_people_only(cursor: Cursor) -> None:
    newcomer = identity(new_address())
    with pytest.raises(ApiError) as refusal:
        await sign_in(cursor, newcomer, may_sign_up=False)
    assert (refusal.value.status, refusal.value.code) == (422, "signup_disabled")
    user_id = await sign_in(cursor, newcomer, may_sign_up=True)
    assert await sign_in(cursor, newcomer, may_sign_up=False) == user_id


async def test_an_unconfirmed_account_keeps_nothing_of_who_opened_it(cursor: Cursor) -> None:
    email = new_address()
    await cursor.execute(
        "insert into auth.users (id, email, encrypted_password, raw_user_meta_data, aud, role)"
        " values (gen_random_uuid(), %s, 'hash', %s, 'authenticated', 'authenticated') returning id",
        (email, '{"display_name": "Mallory"}'),
    )
    user_id = await sign_in(cursor, identity(email), may_sign_up=False)
    await cursor.execute("select * from auth.users where id = %s", (user_id,))
    user = await cursor.fetchone()
    assert user
    assert (user["encrypted_password"], user["email_confirmed_at"] is not None) == (None, True)
    assert "display_name" not in user["raw_user_meta_data"]


@pytest.mark.parametrize(
    ("domains", "email", "verified", "may"),
    [
        ((), "ada@example.com", True, False),
        (("example.com",), "ada@example.com", True, True),
        (("Example.COM",), "ADA@example.com", True, True),
        (("example.com",), "ada@example.com", False, False),
        (("example.com",), "ada@sub.example.com", True, False),
        (("example.com",), "ada@evil-example.com", True, False),
        (("*",), "ada@anywhere.org", True, True),
        (("*",), "ada@anywhere.org", False, False),
    ],
)
def test_the_domains_open_sign_ups_for_verified_addresses(
    domains: tuple[str, ...], email: str, verified: bool, may: bool
) -> None:
    settings = ProviderSettings(name="x", issuer="https://x", client_id="x", sign_up_domains=domains)
    assert _may_sign_up(identity(email, email_verified=verified), settings) is may

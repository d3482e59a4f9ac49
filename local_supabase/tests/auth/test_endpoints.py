"""The Auth endpoints, used through the official client and over plain HTTP."""

import httpx
import jwt
import psycopg
import pytest
from supabase_auth.errors import AuthApiError, AuthWeakPasswordError

from local_supabase.process import LocalSupabase
from local_supabase.tests.speed import deadline
from local_supabase.tests.tools import Tokens, new_address
from supabase import AsyncClient

pytestmark = pytest.mark.integration

PASSWORD = "correct horse"


async def test_a_person_signs_up_and_is_signed_in(supabase: AsyncClient, owner: psycopg.AsyncConnection) -> None:
    email = new_address()
    answer = await supabase.auth.sign_up({"email": email, "password": PASSWORD, "options": {"data": {"name": "Ann"}}})
    assert answer.user is not None
    assert answer.session is not None
    assert answer.user.user_metadata["name"] == "Ann"
    current = await supabase.auth.get_user()
    assert current is not None
    assert current.user.email == email
    row = await (
        await owner.execute("select email from public.profiles where user_id = %s", (answer.user.id,))
    ).fetchone()
    assert row == (email,), "a trigger of the product on auth.users has run"


async def test_the_demo_user_signs_in_with_the_password_of_the_status(
    supabase: AsyncClient, local: LocalSupabase
) -> None:
    status = local.status
    assert status.demo_email == "demo@example.com"
    assert status.demo_password is not None
    answer = await supabase.auth.sign_in_with_password(
        {"email": status.demo_email, "password": status.demo_password.get_secret_value()}
    )
    assert answer.session is not None
    assert answer.session.expires_in == 3600


async def test_an_access_token_carries_the_claims_of_a_hosted_one_and_verifies_with_the_published_key(
    supabase: AsyncClient, local: LocalSupabase
) -> None:
    answer = await supabase.auth.sign_up({"email": new_address(), "password": PASSWORD})
    assert answer.session is not None
    token = answer.session.access_token
    async with httpx.AsyncClient(timeout=deadline(10)) as client:
        keys = (await client.get(local.status.jwks_url)).json()["keys"]
    assert jwt.get_unverified_header(token)["kid"] == keys[0]["kid"]
    claims = jwt.decode(token, jwt.PyJWK(keys[0]), algorithms=["ES256"], audience="authenticated")
    assert set(claims) == {
        "iss",
        "sub",
        "aud",
        "exp",
        "iat",
        "email",
        "phone",
        "app_metadata",
        "user_metadata",
        "role",
        "aal",
        "amr",
        "session_id",
        "is_anonymous",
    }
    assert claims["iss"] == f"{local.status.api_url}/auth/v1"
    verified = await supabase.auth.get_claims()
    assert verified is not None
    assert verified["claims"]["sub"] == claims["sub"]


@pytest.mark.parametrize("email", ["demo@example.com", "nobody@example.com"])
async def test_a_wrong_password_and_an_unknown_user_get_the_same_answer(supabase: AsyncClient, email: str) -> None:
    with pytest.raises(AuthApiError, match="Invalid login credentials") as caught:
        await supabase.auth.sign_in_with_password({"email": email, "password": "wrong password"})
    assert caught.value.status == 400
    assert caught.value.code == "invalid_credentials"


async def test_a_weak_password_is_refused_with_its_reasons(supabase: AsyncClient) -> None:
    with pytest.raises(AuthWeakPasswordError) as caught:
        await supabase.auth.sign_up({"email": new_address(), "password": "abc"})
    assert caught.value.reasons == ["length"]


async def test_an_address_is_taken_once_whatever_its_case(supabase: AsyncClient) -> None:
    email = new_address()
    await supabase.auth.sign_up({"email": email, "password": PASSWORD})
    with pytest.raises(AuthApiError, match="User already registered") as caught:
        await supabase.auth.sign_up({"email": email.upper(), "password": PASSWORD})
    assert caught.value.code == "user_already_exists"
    assert caught.value.status == 422


async def test_a_session_is_refreshed_and_its_token_rotates(supabase: AsyncClient) -> None:
    first = await supabase.auth.sign_up({"email": new_address(), "password": PASSWORD})
    assert first.session is not None
    second = await supabase.auth.refresh_session()
    assert second.session is not None
    assert second.session.refresh_token != first.session.refresh_token
    old, new = (
        jwt.decode(s.access_token, options={"verify_signature": False}) for s in (first.session, second.session)
    )
    assert old["session_id"] == new["session_id"]


async def test_an_unknown_refresh_token_is_refused(supabase: AsyncClient) -> None:
    with pytest.raises(AuthApiError, match="Refresh Token Not Found") as caught:
        await supabase.auth.refresh_session("no-such-token")
    assert str(caught.value.code) == "refresh_token_not_found"


async def test_a_refresh_token_used_again_later_ends_the_session(
    supabase: AsyncClient, owner: psycopg.AsyncConnection
) -> None:
    first = await supabase.auth.sign_up({"email": new_address(), "password": PASSWORD})
    assert first.session is not None
    stolen = first.session.refresh_token
    await supabase.auth.refresh_session()
    again = await supabase.auth.refresh_session(stolen)
    assert again.session is not None, "within seconds it is taken for a repeated request"
    await owner.execute(
        "update auth.refresh_tokens set updated_at = now() - interval '1 minute' where user_id = %s",
        (first.session.user.id,),
    )
    with pytest.raises(AuthApiError, match="Already Used") as caught:
        await supabase.auth.refresh_session(stolen)
    assert str(caught.value.code) == "refresh_token_already_used"
    with pytest.raises(AuthApiError, match="Session from session_id claim in JWT does not exist"):
        await supabase.auth.get_user(again.session.access_token)


async def test_a_user_changes_metadata_and_password(supabase: AsyncClient) -> None:
    email = new_address()
    await supabase.auth.sign_up({"email": email, "password": PASSWORD})
    changed = await supabase.auth.update_user({"data": {"theme": "dark"}, "password": "another password"})
    assert changed.user.user_metadata["theme"] == "dark"
    with pytest.raises(AuthApiError, match="should be different") as caught:
        await supabase.auth.update_user({"password": "another password"})
    assert caught.value.code == "same_password"
    await supabase.auth.sign_in_with_password({"email": email, "password": "another password"})


@pytest.mark.parametrize(
    ("scope", "mine", "other"), [("local", False, True), ("others", True, False), ("global", False, False)]
)
async def test_logout_ends_the_sessions_of_its_scope(
    http: httpx.AsyncClient, scope: str, mine: bool, other: bool
) -> None:
    credentials = {"email": new_address(), "password": PASSWORD}
    mine_token = (await http.post("/signup", json=credentials)).json()["access_token"]
    signed_in = await http.post("/token", params={"grant_type": "password"}, json=credentials)
    other_token = signed_in.json()["access_token"]
    answer = await http.post("/logout", params={"scope": scope}, headers={"authorization": f"Bearer {mine_token}"})
    assert answer.status_code == 204
    for token, alive in ((mine_token, mine), (other_token, other)):
        user = await http.get("/user", headers={"authorization": f"Bearer {token}"})
        assert user.status_code == (200 if alive else 403)
        if not alive:
            assert user.json() == {
                "code": 403,
                "error_code": "session_not_found",
                "msg": "Session from session_id claim in JWT does not exist",
            }


async def test_the_service_role_manages_users(admin: AsyncClient, supabase: AsyncClient) -> None:
    email = new_address()
    created = await admin.auth.admin.create_user({"email": email, "password": PASSWORD, "email_confirm": True})
    assert (await admin.auth.admin.get_user_by_id(created.user.id)).user.email == email
    listed = await admin.auth.admin.list_users(per_page=1000)
    assert email in [user.email for user in listed]
    await supabase.auth.sign_in_with_password({"email": email, "password": PASSWORD})
    await admin.auth.admin.delete_user(created.user.id)
    with pytest.raises(AuthApiError, match="User not found"):
        await admin.auth.admin.get_user_by_id(created.user.id)
    with pytest.raises(AuthApiError, match="User from sub claim in JWT does not exist"):
        await supabase.auth.get_user()


async def test_nobody_else_manages_users(supabase: AsyncClient) -> None:
    with pytest.raises(AuthApiError, match="User not allowed") as caught:
        await supabase.auth.admin.list_users()
    assert caught.value.status == 403


async def test_every_endpoint_but_the_public_keys_needs_an_api_key(local: LocalSupabase) -> None:
    async with httpx.AsyncClient(base_url=f"{local.status.api_url}/auth/v1", timeout=deadline(10)) as client:
        missing = await client.get("/health")
        assert missing.status_code == 401
        assert missing.json()["message"] == "No API key found in request"
        wrong = await client.get("/health", headers={"apikey": "wrong"})
        assert wrong.json()["message"] == "Invalid API key"
        assert (await client.get("/.well-known/jwks.json")).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "content", "status"),
    [
        ("POST", "/token?grant_type=password", b"not json", 400),
        ("POST", "/token?grant_type=password", b"[]", 400),
        ("POST", "/token?grant_type=password", b'{"email": 1, "password": "x"}', 400),
        ("POST", "/token?grant_type=magic", b"{}", 400),
        ("POST", "/token?grant_type=refresh_token", b"{}", 400),
        ("POST", "/signup", b'{"email": "not an address", "password": "long enough"}', 400),
        ("POST", "/signup", b'{"email": "a@b.c\\u0000", "password": "long enough"}', 400),
        ("POST", "/signup", b'{"email": "zero@b.c", "password": "long enough", "data": {"a": "\\u0000"}}', 400),
        ("POST", "/signup", b'{"password": "long enough"}', 400),
        ("POST", "/signup", b"{}", 422),
        ("POST", "/signup", b"x" * 2_000_000, 413),
        ("POST", "/logout?scope=moon", b"", 400),
        ("GET", "/user", b"", 401),
        ("GET", "/admin/users", b"", 401),
    ],
)
async def test_bad_requests_get_a_clear_error(
    http: httpx.AsyncClient, method: str, path: str, content: bytes, status: int
) -> None:
    answer = await http.request(method, path, content=content)
    assert answer.status_code == status, answer.text
    assert "Internal Server Error" not in answer.text
    assert {"msg", "error"} & set(answer.json())


async def test_a_forged_or_expired_bearer_token_is_refused(http: httpx.AsyncClient, tokens: Tokens) -> None:
    forged = tokens.of()[:-8] + "AAAAAAAA"
    for token in (forged, tokens.of(lifetime=-60), "garbage"):
        answer = await http.get("/user", headers={"authorization": f"Bearer {token}"})
        assert answer.status_code == 403
        assert answer.json()["error_code"] == "bad_jwt"


async def test_a_password_is_stored_as_an_argon2_hash_and_refresh_tokens_as_digests(
    http: httpx.AsyncClient, owner: psycopg.AsyncConnection
) -> None:
    session = (await http.post("/signup", json={"email": new_address(), "password": PASSWORD})).json()
    row = await (
        await owner.execute("select encrypted_password from auth.users where id = %s", (session["user"]["id"],))
    ).fetchone()
    assert row is not None
    assert row[0].startswith("$argon2id$")
    found = await (
        await owner.execute("select from auth.refresh_tokens where token = %s", (session["refresh_token"],))
    ).fetchone()
    assert found is None

"""The admin API: every option is applied or refused."""

import uuid
from typing import Any

import httpx
import jwt
import psycopg
import pytest
from argon2 import PasswordHasher
from supabase_auth.errors import AuthApiError

from local_supabase.tests.tools import Tokens, new_address
from supabase import AsyncClient

pytestmark = pytest.mark.integration

PASSWORD = "correct horse"
Owner = psycopg.AsyncConnection[Any]


async def create(service: httpx.AsyncClient, **attributes: Any) -> dict[str, Any]:
    answer = await service.post("/admin/users", json={"email": new_address(), **attributes})
    assert answer.status_code == 200, answer.text
    user: dict[str, Any] = answer.json()
    return user


async def update(service: httpx.AsyncClient, user: dict[str, Any], **attributes: Any) -> dict[str, Any]:
    answer = await service.put(f"/admin/users/{user['id']}", json=attributes)
    assert answer.status_code == 200, answer.text
    changed: dict[str, Any] = answer.json()
    assert (await service.get(f"/admin/users/{user['id']}")).json() == changed
    return changed


async def sign_in(http: httpx.AsyncClient, user: dict[str, Any], password: str = PASSWORD) -> httpx.Response:
    credentials = {"email": user["email"], "password": password}
    return await http.post("/token", params={"grant_type": "password"}, json=credentials)


async def test_every_option_of_a_new_user_is_applied(service: httpx.AsyncClient, http: httpx.AsyncClient) -> None:
    id = str(uuid.uuid4())
    user = await create(
        service,
        id=id,
        password=PASSWORD,
        role="editor",
        ban_duration="1h",
        user_metadata={"name": "Ann", "nothing": None},
        app_metadata={"plan": "pro"},
    )
    assert (user["id"], user["role"], user["aud"]) == (id, "editor", "authenticated")
    assert user["user_metadata"] == {"name": "Ann", "nothing": None}, "exactly as given"
    assert user["app_metadata"] == {"provider": "email", "providers": ["email"], "plan": "pro"}
    assert user["identities"][0]["identity_data"] == {
        "sub": id, "email": user["email"], "email_verified": False, "phone_verified": False
    }  # fmt: skip
    assert "banned_until" in user
    assert "email_confirmed_at" not in user
    assert (await sign_in(http, user)).json()["error_code"] == "user_banned"
    again = await service.post("/admin/users", json={"email": new_address(), "id": id})
    assert (again.status_code, again.json()["error_code"]) == (422, "conflict")


async def test_a_user_is_created_without_a_password(service: httpx.AsyncClient, http: httpx.AsyncClient) -> None:
    user = await create(service, email_confirm=True)
    assert user["user_metadata"] == {"email_verified": True}
    assert (await sign_in(http, user, "")).json()["error_code"] == "invalid_credentials"
    await update(service, user, password=PASSWORD)
    assert (await sign_in(http, user)).status_code == 200


async def test_a_password_hash_is_taken_if_it_can_be_verified(
    service: httpx.AsyncClient, http: httpx.AsyncClient
) -> None:
    user = await create(service, email_confirm=True, password_hash=PasswordHasher().hash(PASSWORD))
    assert (await sign_in(http, user)).status_code == 200
    bcrypt = "$2y$10$SXEz2HeT8PUIGQXo9yeUIem8KzNxgG0d7o/.eGj2rj8KbRgAuRVlq"
    for attributes in ({"password_hash": bcrypt}, {"password_hash": "x", "password": PASSWORD}):
        answer = await service.post("/admin/users", json={"email": new_address(), **attributes})
        assert (answer.status_code, answer.json()["error_code"]) == (400, "validation_failed")


async def test_an_update_confirms_an_address(service: httpx.AsyncClient, http: httpx.AsyncClient) -> None:
    user = await create(service, password=PASSWORD)
    assert (await sign_in(http, user)).json()["error_code"] == "email_not_confirmed"
    changed = await update(service, user, email_confirm=True)
    assert changed["email_confirmed_at"]
    assert changed["identities"][0]["identity_data"]["email_verified"] is True
    assert (await sign_in(http, user)).status_code == 200


async def test_a_ban_ends_sign_in_refresh_and_access_and_can_be_lifted(
    service: httpx.AsyncClient, http: httpx.AsyncClient
) -> None:
    user = await create(service, password=PASSWORD, email_confirm=True)
    session = (await sign_in(http, user)).json()
    bearer = {"authorization": f"Bearer {session['access_token']}"}
    refresh = {"refresh_token": session["refresh_token"]}
    assert "banned_until" in await update(service, user, ban_duration="24h")
    refused = [
        await sign_in(http, user),
        await http.post("/token", params={"grant_type": "refresh_token"}, json=refresh),
        await http.get("/user", headers=bearer),
    ]
    assert [answer.json()["error_code"] for answer in refused] == ["user_banned"] * 3
    assert "banned_until" not in await update(service, user, ban_duration="none")
    assert (await sign_in(http, user)).status_code == 200
    assert (await http.get("/user", headers=bearer)).status_code == 200


async def test_an_update_changes_the_role_of_later_tokens(service: httpx.AsyncClient, http: httpx.AsyncClient) -> None:
    user = await create(service, password=PASSWORD, email_confirm=True)
    await update(service, user, role="editor")
    token = (await sign_in(http, user)).json()["access_token"]
    assert jwt.decode(token, options={"verify_signature": False})["role"] == "editor"


async def test_null_removes_a_key_and_other_keys_stay(service: httpx.AsyncClient) -> None:
    user = await create(service, user_metadata={"a": 1, "b": {"c": None}}, app_metadata={"x": 1})
    changed = await update(service, user, user_metadata={"a": None, "d": 2}, app_metadata={"x": None, "y": 1})
    assert changed["user_metadata"] == {"b": {"c": None}, "d": 2}
    assert changed["app_metadata"] == {"provider": "email", "providers": ["email"], "y": 1}


async def test_a_person_removes_a_key_of_the_metadata(supabase: AsyncClient) -> None:
    await supabase.auth.sign_up({"email": new_address(), "password": PASSWORD, "options": {"data": {"a": 1, "b": 2}}})
    changed = await supabase.auth.update_user({"data": {"a": None}})
    assert changed.user.user_metadata == {"b": 2, "email_verified": True}


async def test_a_user_is_deleted_softly(service: httpx.AsyncClient, http: httpx.AsyncClient, owner: Owner) -> None:
    user = await create(service, password=PASSWORD, email_confirm=True, user_metadata={"name": "Ann"})
    session = (await sign_in(http, user)).json()
    for _ in range(2):
        answer = await service.request("DELETE", f"/admin/users/{user['id']}", json={"should_soft_delete": True})
        assert (answer.status_code, answer.json()) == (200, {})
    kept = (await service.get(f"/admin/users/{user['id']}")).json()
    assert kept["deleted_at"]
    assert user["email"] not in str(kept)
    assert (kept["user_metadata"], kept["app_metadata"]) == ({}, {})
    assert (await sign_in(http, user)).json()["error_code"] == "invalid_credentials"
    gone = await http.get("/user", headers={"authorization": f"Bearer {session['access_token']}"})
    assert gone.json()["error_code"] == "session_not_found"
    assert (await create(service, email=user["email"]))["email"] == user["email"], "the address is free again"
    await service.delete(f"/admin/users/{user['id']}")
    assert (await service.get(f"/admin/users/{user['id']}")).status_code == 404


@pytest.mark.parametrize(
    "attributes",
    [
        {"phone": "+49123"}, {"phone_confirm": True}, {"data": {"a": 1}}, {"nonce": "1"}, {"anything": 1},
        {"ban_duration": "forever"}, {"ban_duration": 1}, {"email_confirm": "yes"}, {"role": 1}, {"user_metadata": []},
        {"app_metadata": "x"}, {"email": "a@b."}, {"role": "x" * 300},
    ],
)  # fmt: skip
async def test_an_option_that_cannot_be_applied_is_refused(
    service: httpx.AsyncClient, attributes: dict[str, Any]
) -> None:
    user = await create(service)
    for answer in (
        await service.put(f"/admin/users/{user['id']}", json=attributes),
        await service.post("/admin/users", json={"email": new_address(), **attributes}),
    ):
        assert answer.status_code in (400, 422), answer.text
        assert answer.json()["msg"]
    assert (await service.get(f"/admin/users/{user['id']}")).json() == user


@pytest.mark.parametrize("id", ["x", str(uuid.UUID(int=0)), 1])
async def test_an_id_that_is_no_uuid_is_refused(service: httpx.AsyncClient, id: Any) -> None:
    assert (await service.post("/admin/users", json={"email": new_address(), "id": id})).status_code == 400


async def test_users_are_listed_newest_first_with_links_and_their_number(service: httpx.AsyncClient) -> None:
    mark = uuid.uuid4().hex
    names = [f"Ann {mark} {number}" for number in range(3)]
    users = [await create(service, user_metadata={"full_name": name}) for name in names]
    query: dict[str, str | int] = {"per_page": 2, "filter": f"ann {mark}"}
    answer = await service.get("/admin/users", params=query)
    assert [user["id"] for user in answer.json()["users"]] == [users[2]["id"], users[1]["id"]]
    assert answer.headers["x-total-count"] == "3"
    links = answer.headers["link"].split(", ")
    assert [link.partition("; ")[2] for link in links] == ['rel="next"', 'rel="last"']
    second = await service.get("/admin/users", params={**query, "page": 2})
    assert [user["id"] for user in second.json()["users"]] == [users[0]["id"]]
    assert 'rel="next"' not in second.headers["link"]
    ascending = await service.get("/admin/users", params={**query, "sort": "created_at asc"})
    assert ascending.json()["users"][0]["id"] == users[0]["id"]
    assert (await service.get("/admin/users", params={"sort": "email"})).status_code == 400
    assert (await service.get("/admin/users", params={"page": "x"})).status_code == 400


async def test_the_administrators_role_of_hosted_tokens_is_taken(http: httpx.AsyncClient, tokens: Tokens) -> None:
    bearer = {"authorization": f"Bearer {tokens.of(None, role='supabase_admin')}"}
    assert (await http.get("/admin/users", headers=bearer)).status_code == 200


async def test_the_official_client_sees_why_an_option_was_refused(admin: AsyncClient) -> None:
    with pytest.raises(AuthApiError, match="Phone numbers are not supported") as caught:
        await admin.auth.admin.create_user({"phone": "+49123", "email": new_address()})
    assert caught.value.status == 422


async def test_identities_are_kept_like_those_of_a_hosted_project(supabase: AsyncClient, owner: Owner) -> None:
    email = new_address()
    signed_up = await supabase.auth.sign_up({"email": email, "password": PASSWORD})
    assert signed_up.user
    row = await (
        await owner.execute(
            "select provider, provider_id, email from auth.identities where user_id = %s", (signed_up.user.id,)
        )
    ).fetchone()
    assert row == ("email", signed_up.user.id, email)
    changed = await supabase.auth.update_user({"email": (other := new_address())})
    assert changed.user.identities
    assert changed.user.identities[0].identity_data["email"] == other

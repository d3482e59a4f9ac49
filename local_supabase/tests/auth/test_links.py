"""Links and codes of e-mails: generated for the service role, or found in the outbox."""

import base64
import hashlib
import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import psycopg
import pytest
from supabase_auth.errors import AuthApiError

from local_supabase.tests.tools import new_address
from supabase import AsyncClient

pytestmark = pytest.mark.integration

PASSWORD = "correct horse"
Owner = psycopg.AsyncConnection[Any]


def mails(data: Path, to: str) -> list[dict[str, Any]]:
    path = data / "mail.jsonl"
    lines = path.read_text().splitlines() if path.exists() else []
    return [mail for line in lines if (mail := json.loads(line))["to"] == to]


def fragment(answer: httpx.Response) -> dict[str, str]:
    assert answer.status_code == 303
    parts = parse_qs(urlsplit(answer.headers["location"]).fragment, keep_blank_values=True)
    return {name: values[0] for name, values in parts.items()}


async def sign_up(http: httpx.AsyncClient) -> dict[str, Any]:
    answer = await http.post("/signup", json={"email": new_address(), "password": PASSWORD})
    user: dict[str, Any] = answer.json()["user"]
    return user


async def generate(service: httpx.AsyncClient, **body: Any) -> dict[str, Any]:
    answer = await service.post("/admin/generate_link", json=body)
    assert answer.status_code == 200, answer.text
    link: dict[str, Any] = answer.json()
    return link


async def verify(http: httpx.AsyncClient, **body: Any) -> httpx.Response:
    return await http.post("/verify", json=body)


@pytest.mark.parametrize("kind", ["magiclink", "recovery"])
async def test_a_generated_link_opens_a_session_once(
    http: httpx.AsyncClient, service: httpx.AsyncClient, kind: str
) -> None:
    user = await sign_up(http)
    target = "http://localhost:8080/welcome"
    link = await generate(service, type=kind, email=user["email"], redirect_to=target)
    assert (link["id"], link["verification_type"], link["redirect_to"]) == (user["id"], kind, target)
    assert len(link["email_otp"]) == 6
    async with httpx.AsyncClient() as browser:
        first = await browser.get(link["action_link"])
        assert first.headers["location"].startswith(f"{target}#")
        session = fragment(first)
        assert session["type"] == kind
        second = fragment(await browser.get(link["action_link"]))
    assert second["error_code"] == "otp_expired"
    mine = await http.get("/user", headers={"authorization": f"Bearer {session['access_token']}"})
    assert mine.json()["id"] == user["id"]


async def test_a_recovery_is_verified_by_its_code_and_the_password_changed(
    supabase: AsyncClient, http: httpx.AsyncClient, data: Path
) -> None:
    user = await sign_up(http)
    await supabase.auth.reset_password_for_email(user["email"])
    mail = mails(data, user["email"])[0]
    assert mail["type"] == "recovery"
    answer = await supabase.auth.verify_otp({"email": user["email"], "token": mail["email_otp"], "type": "recovery"})
    assert answer.session
    await supabase.auth.update_user({"password": "another password"})
    await supabase.auth.sign_in_with_password({"email": user["email"], "password": "another password"})
    assert (await http.post("/recover", json={"email": new_address()})).json() == {}, "it does not tell who exists"


async def test_a_magic_link_creates_the_user_unless_it_must_not(supabase: AsyncClient, data: Path) -> None:
    email = new_address()
    with pytest.raises(AuthApiError, match="Signups not allowed for otp"):
        await supabase.auth.sign_in_with_otp({"email": email, "options": {"should_create_user": False}})
    await supabase.auth.sign_in_with_otp({"email": email, "options": {"data": {"name": "Ann"}}})
    mail = mails(data, email)[0]
    answer = await supabase.auth.verify_otp({"email": email, "token": mail["email_otp"], "type": "email"})
    assert answer.user
    assert answer.user.user_metadata["name"] == "Ann"


async def test_a_generated_sign_up_is_confirmed_by_its_hash(
    http: httpx.AsyncClient, service: httpx.AsyncClient
) -> None:
    email = new_address()
    link = await generate(service, type="signup", email=email, password=PASSWORD, data={"name": "Ann"})
    assert "email_confirmed_at" not in link
    answer = await verify(http, type="signup", token_hash=link["hashed_token"])
    assert answer.json()["user"]["email_confirmed_at"]
    assert answer.json()["user"]["user_metadata"] == {"name": "Ann", "email_verified": True}
    credentials = {"email": email, "password": PASSWORD}
    assert (await http.post("/token", params={"grant_type": "password"}, json=credentials)).status_code == 200
    again = await service.post("/admin/generate_link", json={"type": "signup", "email": email, "password": PASSWORD})
    assert again.json()["error_code"] == "email_exists"


async def test_an_invitation_is_accepted(admin: AsyncClient, http: httpx.AsyncClient, data: Path) -> None:
    email = new_address()
    invited = await admin.auth.admin.invite_user_by_email(email, {"data": {"team": "a"}})
    assert invited.user.invited_at
    mail = mails(data, email)[0]
    accepted = (await verify(http, type="invite", token_hash=mail["hashed_token"])).json()
    assert accepted["user"]["user_metadata"] == {"team": "a", "email_verified": True}


@pytest.mark.parametrize("kind", ["email_change_new", "email_change_current"])
async def test_a_change_of_address_is_verified(http: httpx.AsyncClient, service: httpx.AsyncClient, kind: str) -> None:
    user, other = await sign_up(http), new_address()
    link = await generate(service, type=kind, email=user["email"], new_email=other)
    assert link["new_email"] == other
    changed = (await verify(http, type="email_change", token_hash=link["hashed_token"])).json()["user"]
    assert changed["email"] == other
    assert "new_email" not in changed
    assert changed["identities"][0]["identity_data"]["email"] == other


async def test_an_address_that_was_taken_meanwhile_is_refused(
    http: httpx.AsyncClient, service: httpx.AsyncClient
) -> None:
    user, other = await sign_up(http), new_address()
    link = await generate(service, type="email_change_new", email=user["email"], new_email=other)
    await http.post("/signup", json={"email": other, "password": PASSWORD})
    answer = await verify(http, type="email_change", token_hash=link["hashed_token"])
    assert (answer.status_code, answer.json()["error_code"]) == (422, "email_exists")


async def test_the_pkce_flow_leads_to_a_code_for_the_client_that_asked(http: httpx.AsyncClient, data: Path) -> None:
    user, verifier = await sign_up(http), "v" * 50
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
    body = {"email": user["email"], "code_challenge": challenge, "code_challenge_method": "s256"}
    assert (await http.post("/recover", json=body)).status_code == 200
    async with httpx.AsyncClient() as browser:
        answer = await browser.get(mails(data, user["email"])[0]["action_link"])
    code = parse_qs(urlsplit(answer.headers["location"]).query)["code"][0]

    async def exchange(verifier: str) -> httpx.Response:
        return await http.post(
            "/token", params={"grant_type": "pkce"}, json={"auth_code": code, "code_verifier": verifier}
        )

    assert (await exchange("w" * 50)).json()["error_code"] == "bad_code_verifier"
    assert (await exchange(verifier)).json()["user"]["id"] == user["id"]
    assert (await exchange(verifier)).json()["error_code"] == "flow_state_not_found"


async def test_a_nonce_is_checked_where_one_is_given(supabase: AsyncClient, data: Path) -> None:
    email = new_address()
    await supabase.auth.sign_up({"email": email, "password": PASSWORD})
    await supabase.auth.reauthenticate()
    mail = mails(data, email)[0]
    assert mail["type"] == "reauthentication"
    with pytest.raises(AuthApiError, match="Nonce has expired or is invalid"):
        await supabase.auth.update_user({"password": "another password", "nonce": "x"})
    await supabase.auth.update_user({"password": "another password", "nonce": mail["email_otp"]})


async def test_codes_cannot_be_guessed_and_expire(
    http: httpx.AsyncClient, service: httpx.AsyncClient, owner: Owner
) -> None:
    user = await sign_up(http)
    link = await generate(service, type="magiclink", email=user["email"])
    await owner.execute(
        "update auth.users set recovery_sent_at = now() - interval '61 minutes' where id = %s", (user["id"],)
    )
    expired = await verify(http, type="magiclink", token_hash=link["hashed_token"])
    assert (expired.status_code, expired.json()["error_code"]) == (403, "otp_expired")
    await generate(service, type="magiclink", email=user["email"])
    codes = [(await verify(http, type="email", email=user["email"], token="abcdef")).status_code for _ in range(11)]
    assert codes == [403] * 10 + [429]


@pytest.mark.parametrize(
    ("wanted", "leads_to"),
    [
        ("http://127.0.0.1:5/x?a=b", "http://127.0.0.1:5/x?a=b"),
        ("http://localhost:3000/in", "http://localhost:3000/in"),
        ("https://evil.example", "http://localhost:3000"),
        ("http://localhost.evil.example", "http://localhost:3000"),
        ("http://localhost@evil.example", "http://localhost:3000"),
        ("javascript://localhost/%0aalert(1)", "http://localhost:3000"),
        ("//evil.example", "http://localhost:3000"),
        ("http://[::1", "http://localhost:3000"),
    ],
)
async def test_tokens_are_sent_to_the_site_or_this_machine_only(
    http: httpx.AsyncClient, service: httpx.AsyncClient, wanted: str, leads_to: str
) -> None:
    user = await sign_up(http)
    link = await generate(service, type="magiclink", email=user["email"], redirect_to=wanted)
    assert link["redirect_to"] == leads_to
    query = {"type": "magiclink", "token": link["hashed_token"], "redirect_to": wanted}
    answer = await http.get("/verify", params=query)
    assert answer.headers["location"].startswith(f"{leads_to}#access_token=")


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/recover", {}, 400),
        ("/recover", {"email": "a@b."}, 400),
        ("/recover", {"email": "a@b.c", "code_challenge": "x"}, 400),
        ("/recover", {"email": "a@b.c", "code_challenge": "x", "code_challenge_method": "s256"}, 400),
        ("/otp", {"phone": "+49123"}, 422),
        ("/resend", {"type": "sms", "phone": "+49123"}, 422),
        ("/resend", {"type": "recovery", "email": "a@b.c"}, 400),
        ("/verify", {"type": "magiclink"}, 400),
        ("/verify", {"type": "nonsense", "token_hash": "x"}, 400),
        ("/verify", {"type": "magiclink", "token_hash": "x", "email": "a@b.c"}, 400),
        ("/verify", {"type": "magiclink", "token": "123456"}, 400),
        ("/verify", {"type": "sms", "token": "123456", "phone": "+49123"}, 422),
        ("/verify", {"type": "magiclink", "token_hash": "x"}, 403),
        ("/verify", {"type": "magiclink", "token_hash": ""}, 400),
        ("/token?grant_type=pkce", {"auth_code": "x"}, 400),
        ("/token?grant_type=id_token", {"provider": "google", "token": "x"}, 400),
        ("/admin/generate_link", {"type": "magiclink", "email": "a@b.c"}, 401),
        ("/invite", {"email": "a@b.c"}, 401),
    ],
)
async def test_a_bad_request_gets_a_clear_error(
    http: httpx.AsyncClient, path: str, body: dict[str, Any], status: int
) -> None:
    answer = await http.post(path, json=body)
    assert (answer.status_code, answer.json()["code"]) == (status, status)
    assert answer.json()["msg"]


async def test_the_outbox_is_private_and_stays_small(data: Path, http: httpx.AsyncClient) -> None:
    user = await sign_up(http)
    path = data / "mail.jsonl"
    path.write_text(("x" * 99 + "\n") * 20_000)
    await http.post("/recover", json={"email": user["email"]})
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.stat().st_size < 600_000
    assert json.loads(path.read_text().splitlines()[-1])["to"] == user["email"]
    path.write_text("")

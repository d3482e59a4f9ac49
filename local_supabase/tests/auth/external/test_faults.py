"""Faults between browser, Auth and provider: each is refused, told, and leads back to the application."""

import asyncio
import base64
import hashlib
import secrets
import socket
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
import psycopg
import pytest
from supabase_auth.errors import AuthApiError

from local_supabase.child import OidcOptions
from local_supabase.process import LocalSupabase
from local_supabase.tests.auth.external.conftest import TARGET, Browser, fragment_of, query_of
from local_supabase.tests.oidc_provider import Fault, OidcProvider
from local_supabase.tests.speed import deadline

pytestmark = pytest.mark.integration
Owner = psycopg.AsyncConnection[Any]
REASONS = {
    Fault.NONCE: "another nonce",
    Fault.EXPIRED: "has expired: compare the clocks",
    Fault.FUTURE: "not valid yet: compare the clocks",
    Fault.AUDIENCE: "for another client",
    Fault.PARTY: "issued to another client",
    Fault.ISSUER: "another issuer",
    Fault.NONE: "not signed with RS256, ES256, EdDSA",
    Fault.HS256: "not signed with RS256, ES256, EdDSA",
    Fault.SIGNATURE: "signature is wrong",
    Fault.UNKNOWN_KEY: "a key that the provider does not publish",
    Fault.NO_TOKEN: "no ID token",
    Fault.NO_SUBJECT: "lacks a required claim",
    Fault.USERINFO: "about another user",
    Fault.GARBAGE: "without JSON",
    Fault.TOKEN_ERROR: "answered 400: invalid_grant",
}


@pytest.mark.parametrize("fault", list(Fault))
async def test_no_invalid_answer_of_a_provider_signs_anybody_in(
    browser: Browser, provider: OidcProvider, fault: Fault
) -> None:
    provider.fault = fault
    answer = await browser.sign_in()
    assert (answer["error"], answer["error_code"]) == ("server_error", "unexpected_failure")
    assert REASONS[fault] in answer["error_description"]
    provider.fault = None
    assert (await browser.sign_in())["user"]["email"] == provider.person["email"]


@pytest.mark.parametrize("error", ["access_denied", "<script>", "temporarily_unavailable"])
async def test_a_refusal_of_the_provider_reaches_the_application(
    browser: Browser, provider: OidcProvider, error: str
) -> None:
    provider.error = error
    url = await browser.follow(await browser.start())
    known = "server_error" if "<" in error else error
    assert query_of(url) == {"here": "1", "error": known, "error_description": "The person <b>said</b> no"}
    assert fragment_of(url) == {"error": known, "error_description": "The person <b>said</b> no", "sb": ""}


async def test_a_provider_that_is_down_is_told_and_recovers(browser: Browser, provider: OidcProvider) -> None:
    url = await browser.start()
    back = await _until_callback(browser, url)
    await provider.stop()
    try:
        answer = query_of(await browser.follow(back))
        assert answer["error"] == "server_error"
        assert "127.0.0.1 does not respond (ConnectError)" in answer["error_description"]
    finally:
        await provider.start()
    assert "user" in await browser.sign_in()


async def test_a_provider_that_never_answered_leads_back_with_an_error() -> None:
    """A browser is there, which would show JSON to a person."""
    with socket.socket() as closed, TemporaryDirectory(prefix="local-supabase-", ignore_cleanup_errors=True) as folder:
        closed.bind(("127.0.0.1", 0))
        issuer = f"http://127.0.0.1:{closed.getsockname()[1]}"
        oidc = OidcOptions(name="keycloak", issuer=issuer, client_id="x")
        async with (
            LocalSupabase.start(data=Path(folder) / "data", oidc=oidc) as local,
            httpx.AsyncClient(timeout=deadline(20)) as http,
        ):
            query = f"provider=keycloak&redirect_to={TARGET}"
            answer = await http.get(f"{local.status.api_url}/auth/v1/authorize?{query}")
    error = query_of(answer.headers["location"])
    assert (answer.status_code, error["error"], error["here"]) == (302, "temporarily_unavailable", "1")
    assert "127.0.0.1 does not respond" in error["error_description"]


async def test_a_new_key_of_the_provider_is_accepted_at_once(browser: Browser, provider: OidcProvider) -> None:
    await browser.sign_in()
    provider.rotate_keys()
    provider.counts.clear()
    assert "user" in await browser.sign_in()
    assert provider.counts["keys"] <= 1


async def test_a_state_is_good_once(browser: Browser, provider: OidcProvider) -> None:
    url = await browser.start()
    back = await _until_callback(browser, url)
    first, second = await browser.follow(back), await browser.follow(back)
    assert "code" in query_of(first)
    assert second.startswith("http://localhost:3000")
    assert query_of(second)["error_code"] == "flow_state_already_used"
    twice = await _until_callback(browser, await browser.start())
    answers = await asyncio.gather(*(browser.follow(each) for each in (twice, twice)))
    assert sorted("code" in query_of(each) for each in answers) == [False, True]


@pytest.mark.parametrize("state", ["", "not-a-uuid", "11111111-2222-4333-8444-555555555555", "\x00", "' or 1=1"])
async def test_a_foreign_state_leads_to_the_site_with_an_error(browser: Browser, state: str) -> None:
    answer = await browser.http.get(
        f"{browser.api_url}/auth/v1/callback", params={"code": "x", **({"state": state} if state else {})}
    )
    assert answer.status_code == 303
    error = query_of(answer.headers["location"])
    assert error["error"] == "invalid_request"
    assert error["error_code"] in ("bad_oauth_state", "bad_oauth_callback")


async def test_a_state_and_a_code_expire(browser: Browser, provider: OidcProvider, owner: Owner) -> None:
    back = await _until_callback(browser, await browser.start())
    state = query_of(back)["state"]
    await owner.execute("update auth.flow_state set created_at = now() - interval '11 min' where id = %s", (state,))
    assert query_of(await browser.follow(back))["error_description"] == "OAuth state has expired"
    code = query_of(await browser.follow(await browser.start()))["code"]
    await owner.execute(
        "update auth.flow_state set auth_code_issued_at = now() - interval '6 min' where auth_code = %s", (code,)
    )
    with pytest.raises(AuthApiError, match="flow state has expired"):
        await browser.client.exchange_code_for_session({"auth_code": code})


async def test_only_the_client_that_began_exchanges_the_code_and_once(browser: Browser, provider: OidcProvider) -> None:
    code = query_of(await browser.follow(await browser.start()))["code"]
    with pytest.raises(AuthApiError, match="code verifier"):
        await browser.client.exchange_code_for_session({"auth_code": code, "code_verifier": "x" * 43})
    exchanges = [browser.client._storage.get_item(f"{browser.client._storage_key}-code-verifier")]
    (verifier,) = await asyncio.gather(*exchanges)
    assert verifier
    await browser.client.exchange_code_for_session({"auth_code": code, "code_verifier": verifier})
    with pytest.raises(AuthApiError, match="no valid flow state found"):
        await browser.client.exchange_code_for_session({"auth_code": code, "code_verifier": verifier})


async def test_flows_that_nobody_finished_are_dropped(browser: Browser, provider: OidcProvider, owner: Owner) -> None:
    await browser.http.get(await browser.start())
    for table in ("flow_state", "oauth_client_states"):
        await owner.execute(f"update auth.{table} set created_at = now() - interval '1 h'".encode())
    await browser.http.get(await browser.start())
    rows = await (
        await owner.execute("select count(*) from auth.flow_state where created_at < now() - interval '30 min'")
    ).fetchone()
    assert rows == (0,)


async def test_an_answer_of_another_issuer_is_refused(browser: Browser, provider: OidcProvider) -> None:
    """Mix-up (RFC 9207): the code is not sent to the token endpoint."""
    back = await _until_callback(browser, await browser.start())
    assert query_of(await browser.follow(f"{back}&iss=https://evil.example"))["error_code"] == "bad_oauth_callback"
    assert provider.counts["token"] == 0


async def _until_callback(browser: Browser, url: str) -> str:
    """Sign in at the provider; returns where it leads the browser back to."""
    to_provider = (await browser.http.get(url)).headers["location"]
    back: str = (await browser.http.get(to_provider)).headers["location"]
    return back


def test_the_nonce_cannot_be_derived_from_what_the_browser_sees() -> None:
    from local_supabase.auth.external.provider import nonce_of  # noqa: PLC0415

    verifier = secrets.token_urlsafe(48)
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
    assert nonce_of(verifier) != challenge
    assert nonce_of(verifier) == nonce_of(verifier)

"""Sign-in by an external provider with the official client: both flows, identities, and what a client may choose."""

import asyncio
import json
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import jwt
import psycopg
import pytest
from supabase_auth.errors import AuthApiError

from local_supabase.process import LocalSupabase
from local_supabase.tests.auth.external.conftest import TARGET, Browser, fragment_of, query_of
from local_supabase.tests.oidc_provider import CLIENT_SECRET, OidcProvider, person
from local_supabase.tests.tools import new_address

pytestmark = pytest.mark.integration
Owner = psycopg.AsyncConnection[Any]


async def fetch(owner: Owner, statement: str, *values: Any) -> list[Any]:
    return await (await owner.execute(statement.encode(), values)).fetchall()


async def test_a_person_signs_in_and_comes_back_to_the_application(browser: Browser, provider: OidcProvider) -> None:
    provider.person |= {"name": "علي الأحمد", "groups": ["/ops", "/admins"], "given_name": "علي"}
    url = await browser.follow(await browser.start())
    assert url.startswith("http://localhost:8080/welcome?here=1&code=")
    session = (await browser.client.exchange_code_for_session({"auth_code": query_of(url)["code"]})).session
    assert session
    user = session.user
    assert (user.email, user.app_metadata) == (
        provider.person["email"],
        {"provider": "keycloak", "providers": ["keycloak"]},
    )
    assert user.user_metadata["full_name"] == "علي الأحمد"
    (identity,) = user.identities or []
    assert (identity.provider, identity.id) == ("keycloak", provider.person["sub"])
    assert identity.identity_data["custom_claims"] == {"groups": ["/ops", "/admins"]}
    assert identity.identity_data["email_verified"] is True
    claims = jwt.decode(session.access_token, options={"verify_signature": False})
    assert [each["method"] for each in claims["amr"]] == ["oauth"]
    again = await browser.sign_in()
    assert again["user"]["id"] == user.id


async def test_the_implicit_flow_returns_the_session_in_the_fragment(browser: Browser, provider: OidcProvider) -> None:
    url = await browser.follow(f"{browser.api_url}/auth/v1/authorize?provider=keycloak&redirect_to={TARGET}")
    session = fragment_of(url)
    assert {"access_token", "refresh_token", "expires_in", "token_type", "sb"} <= session.keys()
    user = (await browser.client.get_user(session["access_token"])).user  # type: ignore[union-attr]
    assert user.email == provider.person["email"]


async def test_the_provider_sees_a_request_that_is_bound_to_this_browser(
    browser: Browser, provider: OidcProvider
) -> None:
    chosen = {"prompt": "login", "login_hint": "ada", "state": "mine", "Redirect_URI": "https://evil.example"}
    await browser.sign_in(scopes="groups offline_access", query_params=chosen)
    (request,) = provider.requests
    assert request["scope"] == "openid email profile groups offline_access"
    assert (request["prompt"], request["login_hint"]) == ("login", "ada")
    assert request["redirect_uri"] == f"{browser.api_url}/auth/v1/callback"
    assert request["state"] != "mine"
    assert request["code_challenge_method"] == "S256"
    assert {"nonce", "code_challenge"} <= request.keys()
    assert not {"redirect_to", "provider", "scopes", "Redirect_URI"} & request.keys()


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA"])
async def test_tokens_of_each_accepted_algorithm(browser: Browser, provider: OidcProvider, algorithm: str) -> None:
    provider.algorithm = algorithm
    assert (await browser.sign_in())["user"]["email"] == provider.person["email"]


async def test_what_the_token_lacks_comes_from_userinfo(browser: Browser, provider: OidcProvider) -> None:
    provider.person["groups"] = ["a"]
    provider.only_at_userinfo = ("email", "email_verified", "groups")
    session = await browser.sign_in()
    assert session["user"]["email"] == provider.person["email"]
    assert session["user"]["user_metadata"]["custom_claims"] == {"groups": ["a"]}


async def test_a_verified_address_of_entra_id_counts(browser: Browser, provider: OidcProvider) -> None:
    """Its tokens have no `email_verified`."""
    del provider.person["email_verified"]
    assert (await browser.sign_in())["error_code"] == "provider_email_needs_verification"
    provider.person["xms_edov"] = "1"
    assert (await browser.sign_in())["user"]["email"] == provider.person["email"]


async def test_an_existing_user_is_linked_by_a_verified_address_only(
    browser: Browser, provider: OidcProvider, owner: Owner
) -> None:
    email = provider.person["email"]
    signed_up = await browser.client.sign_up({"email": email, "password": "correct horse"})
    assert signed_up.user
    provider.person["email_verified"] = False
    refused = await browser.sign_in()
    assert (refused["error"], refused["error_code"]) == ("access_denied", "provider_email_needs_verification")
    assert "Verify the email with keycloak" in refused["error_description"]
    assert not await fetch(owner, "select from auth.identities where provider = 'keycloak' and email = %s", email)
    provider.person["email_verified"] = True
    session = await browser.sign_in()
    assert session["user"]["id"] == signed_up.user.id
    assert session["user"]["app_metadata"] == {"provider": "email", "providers": ["email", "keycloak"]}


async def test_who_opened_an_account_with_a_foreign_address_loses_it(browser: Browser, provider: OidcProvider) -> None:
    """Sign-ups need no proof of the address; the provider proves it, and neither password nor session lives on."""
    email, password = provider.person["email"], "the attacker's"
    attacker = await browser.client.sign_up({"email": email, "password": password})
    assert attacker.session
    await browser.sign_in()
    with pytest.raises(AuthApiError, match="Invalid login credentials"):
        await browser.client.sign_in_with_password({"email": email, "password": password})
    with pytest.raises(AuthApiError):
        await browser.client.refresh_session(attacker.session.refresh_token)


async def test_the_subject_counts_and_not_the_address(browser: Browser, provider: OidcProvider) -> None:
    """A person who marries keeps the account; who gets the old address gets none of it."""
    first = await browser.sign_in()
    old = provider.person["email"]
    provider.person |= {"email": new_address()}
    assert (await browser.sign_in())["user"]["id"] == first["user"]["id"]
    provider.person = person(old, sub="a newcomer", email_verified=False)
    assert (await browser.sign_in())["error_code"] == "provider_email_needs_verification"


async def test_a_person_without_an_address_or_with_a_ban_is_refused(
    browser: Browser, provider: OidcProvider, owner: Owner
) -> None:
    session = await browser.sign_in()
    await owner.execute(
        "update auth.users set banned_until = now() + interval '1 h' where id = %s", (session["user"]["id"],)
    )
    refused = await browser.sign_in()
    assert (refused["error"], refused["error_code"]) == ("access_denied", "user_banned")
    provider.person = {"sub": "nameless"}
    refused = await browser.sign_in()
    assert refused["error_description"] == "Error getting user email from external provider"
    assert refused["here"] == "1"


async def test_two_first_sign_ins_at_once_make_one_user(browser: Browser, provider: OidcProvider) -> None:
    addresses = [await browser.start() for _ in range(6)]
    answers = await asyncio.gather(*(browser.follow(url) for url in addresses))
    assert all("code" in query_of(url) for url in answers), answers
    page = await browser.http.get(f"{browser.api_url}/auth/v1/settings", headers=browser.client._headers)
    assert page.json()["external"]["keycloak"] is True


async def test_odd_claims_are_stored_or_refused_but_never_break(browser: Browser, provider: OidcProvider) -> None:
    provider.person |= {
        "name": "a\0b\ud800c \\u0000",
        "groups": ["x\0", {"deep": ["y"]}],
        "picture": None,
        "locale": 7,
        "email": f"  {provider.person['email'].upper()} ",
    }
    session = await browser.sign_in()
    assert session["user"]["user_metadata"]["full_name"] == "ab?c \\u0000"
    provider.person = person("no address at all")
    assert (await browser.sign_in())["error_code"] == "validation_failed"


async def test_the_provider_is_told_in_the_settings_and_its_secret_nowhere(
    external: LocalSupabase, browser: Browser, provider: OidcProvider
) -> None:
    assert CLIENT_SECRET not in repr(external._options)
    assert CLIENT_SECRET not in " ".join(external._options.command())
    assert CLIENT_SECRET not in (external._options.data / "status.json").read_text()
    assert CLIENT_SECRET not in _command_line(external)
    await browser.sign_in()
    assert provider.counts["token"] == 1


def _command_line(local: LocalSupabase) -> str:
    path = Path(f"/proc/{local.pid}/cmdline")
    return path.read_text() if path.exists() else ""


@pytest.mark.parametrize("target", ["https://evil.example", "http://localhost.evil.example/", "javascript:alert(1)"])
async def test_no_foreign_address_receives_a_code(browser: Browser, provider: OidcProvider, target: str) -> None:
    url = await browser.follow(await browser.start(redirect_to=target))
    assert urlsplit(url).netloc == "localhost:3000"


async def test_what_is_not_configured_is_refused_as_by_gotrue(
    browser: Browser, http: httpx.AsyncClient, provider: OidcProvider
) -> None:
    unknown = await browser.http.get(f"{browser.api_url}/auth/v1/authorize?provider=github")
    assert (unknown.status_code, unknown.json()["error_code"]) == (400, "validation_failed")
    assert unknown.json()["msg"] == "Unsupported provider: Provider github could not be found"
    none = await http.get("/authorize?provider=keycloak")
    assert (none.status_code, none.json()["msg"]) == (400, "Unsupported provider: provider is not enabled")
    half = await browser.http.get(f"{browser.api_url}/auth/v1/authorize?provider=keycloak&code_challenge={'x' * 43}")
    assert (half.status_code, half.json()["error_code"]) == (400, "validation_failed")
    assert not provider.requests
    assert json.dumps(unknown.json())

"""Auth with a mail server: confirmed addresses, links that lead to the application, and closed sign-up."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import psutil
import pytest
from supabase_auth.errors import AuthApiError, AuthWeakPasswordError

from local_supabase.process import LocalSupabase
from local_supabase.tests.mail_server import MailServer, link_in, mail_server, text_of
from local_supabase.tests.speed import deadline
from local_supabase.tests.tools import new_address
from supabase import AsyncClient, AsyncClientOptions, acreate_client

pytestmark = pytest.mark.integration
PASSWORD = "correct horse"
SITE = "https://watch.example.org"
MAIL_LINK = "{{ .SiteURL }}/confirm?token_hash={{ .TokenHash }}&type={{ .Type }}&next={{ .RedirectTo }}"


@dataclass(frozen=True)
class Mailing:
    """A local Supabase that sends mails, and what it sends."""

    local: LocalSupabase
    server: MailServer
    data: Path

    @asynccontextmanager
    async def client(self, *, is_admin: bool = False) -> AsyncIterator[AsyncClient]:
        """Yield an official client."""
        status = self.local.status
        key = (status.service_role_key if is_admin else status.anon_key).get_secret_value()
        async with httpx.AsyncClient(timeout=deadline(10)) as http:
            options = AsyncClientOptions(httpx_client=http, auto_refresh_token=False)
            yield await acreate_client(status.api_url, key, options)

    async def link(self, address: str, *, number: int = 1) -> dict[str, str]:
        """Wait for mail `number` to an address; return the query of its link, without `next`."""
        url = urlsplit(link_in(await self.server.mail_to(address, number=number)))
        assert f"{url.scheme}://{url.netloc}{url.path}" == f"{SITE}/confirm"
        return {name: values[0] for name, values in parse_qs(url.query).items() if name != "next"}


@asynccontextmanager
async def started(**options: Any) -> AsyncIterator[Mailing]:
    with TemporaryDirectory(prefix="local-supabase-", ignore_cleanup_errors=True) as folder:
        data = Path(folder) / "data"
        async with (
            mail_server() as server,
            LocalSupabase.start(data=data, smtp_url=server.url, site_url=SITE, mail_link=MAIL_LINK, **options) as local,
        ):
            yield Mailing(local, server, data)


@pytest.fixture(scope="module")
async def mailing() -> AsyncIterator[Mailing]:
    async with started() as running:
        yield running


@pytest.fixture(scope="module")
async def closed() -> AsyncIterator[Mailing]:
    async with started(disable_signup=True) as running:
        yield running


async def test_a_sign_up_is_confirmed_by_the_link_of_its_mail(mailing: Mailing) -> None:
    email = new_address()
    async with mailing.client() as client:
        answer = await client.auth.sign_up({"email": email, "password": PASSWORD, "options": {"data": {"name": "Ann"}}})
        assert answer.session is None
        assert answer.user
        assert answer.user.email_confirmed_at is None
        with pytest.raises(AuthApiError) as refusal:
            await client.auth.sign_in_with_password({"email": email, "password": PASSWORD})
        assert (refusal.value.status, refusal.value.code) == (400, "email_not_confirmed")
        link = await mailing.link(email)
        assert link["type"] == "signup"
        confirmed = await client.auth.verify_otp({"type": "signup", "token_hash": link["token_hash"]})
        assert confirmed.session
        assert confirmed.user
        assert confirmed.user.email_confirmed_at
        assert confirmed.user.user_metadata == {"name": "Ann", "email_verified": True}
        await client.auth.sign_in_with_password({"email": email, "password": PASSWORD})
    assert not (mailing.data / "mail.jsonl").exists(), "tokens are in the mail alone"


async def test_a_sign_up_does_not_tell_who_has_an_account(mailing: Mailing) -> None:
    email = new_address()
    async with mailing.client() as client:
        first = await client.auth.sign_up({"email": email, "password": PASSWORD})
        link = await mailing.link(email)
        await client.auth.verify_otp({"type": "signup", "token_hash": link["token_hash"]})
        again = await client.auth.sign_up({"email": email, "password": "another password"})
        other = await client.auth.sign_up({"email": new_address(), "password": "another password"})
        assert first.user
        assert again.user
        assert other.user
        assert again.session is None
        assert again.user.id != first.user.id
        assert again.user.identities == [], "as a hosted project marks it for the server that asked"
        assert set(again.user.model_dump(exclude_none=True)) == set(other.user.model_dump(exclude_none=True))
        with pytest.raises(AuthApiError, match="Invalid login credentials"):
            await client.auth.sign_in_with_password({"email": email, "password": "another password"})
        with pytest.raises(AuthWeakPasswordError, match="at least 6 characters"):
            await client.auth.sign_up({"email": email, "password": "short"})
    assert len(mailing.server.to(email)) == 1


async def test_an_unconfirmed_sign_up_is_sent_again_and_keeps_its_password(mailing: Mailing) -> None:
    email = new_address()
    async with mailing.client() as client:
        await client.auth.sign_up({"email": email, "password": PASSWORD})
        first = await mailing.link(email)
        await client.auth.sign_up({"email": email, "password": "of somebody else"})
        second = await mailing.link(email, number=2)
        await client.auth.resend({"type": "signup", "email": email})
        third = await mailing.link(email, number=3)
        for old in (first, second):
            with pytest.raises(AuthApiError, match="invalid or has expired"):
                await client.auth.verify_otp({"type": "signup", "token_hash": old["token_hash"]})
        await client.auth.verify_otp({"type": "signup", "token_hash": third["token_hash"]})
        await client.auth.sign_in_with_password({"email": email, "password": PASSWORD})


async def test_a_change_of_address_is_confirmed_at_both(mailing: Mailing) -> None:
    async with mailing.client(is_admin=True) as admin, mailing.client() as client:
        email, new = new_address(), new_address()
        await admin.auth.admin.create_user({"email": email, "password": PASSWORD, "email_confirm": True})
        await client.auth.sign_in_with_password({"email": email, "password": PASSWORD})
        changed = (await client.auth.update_user({"email": new})).user
        assert (changed.email, changed.new_email) == (email, new)
        taken = new_address()
        await admin.auth.admin.create_user({"email": taken, "email_confirm": True})
        with pytest.raises(AuthApiError, match="already been registered"):
            await client.auth.update_user({"email": taken})
        at_new, at_old = await mailing.link(new), await mailing.link(email)
        assert new in text_of(mailing.server.to(email)[0])
        half = await client.auth.verify_otp({"type": "email_change", "token_hash": at_new["token_hash"]})
        assert half.session is None
        with pytest.raises(AuthApiError, match="invalid or has expired"):
            await client.auth.verify_otp({"type": "email_change", "token_hash": at_new["token_hash"]})
        assert (await client.auth.sign_in_with_password({"email": email, "password": PASSWORD})).user
        whole = await client.auth.verify_otp({"type": "email_change", "token_hash": at_old["token_hash"]})
        assert whole.user
        assert (whole.user.email, whole.user.new_email) == (new, None)
        await client.auth.sign_in_with_password({"email": new, "password": PASSWORD})


async def test_another_change_of_address_begins_anew(mailing: Mailing) -> None:
    """A confirmation of one address counts for no other."""
    async with mailing.client(is_admin=True) as admin, mailing.client() as client:
        email, first, second = new_address(), new_address(), new_address()
        await admin.auth.admin.create_user({"email": email, "password": PASSWORD, "email_confirm": True})
        await client.auth.sign_in_with_password({"email": email, "password": PASSWORD})
        await client.auth.update_user({"email": first})
        link = await mailing.link(email)
        await client.auth.verify_otp({"type": "email_change", "token_hash": link["token_hash"]})
        await client.auth.update_user({"email": second})
        link = await mailing.link(second)
        half = await client.auth.verify_otp({"type": "email_change", "token_hash": link["token_hash"]})
        assert half.session is None


async def test_recovery_and_magic_link_are_mailed(mailing: Mailing) -> None:
    async with mailing.client(is_admin=True) as admin, mailing.client() as client:
        email = new_address()
        await admin.auth.admin.create_user({"email": email, "email_confirm": True})
        await client.auth.reset_password_for_email(email)
        link = await mailing.link(email)
        assert link["type"] == "recovery"
        assert (await client.auth.verify_otp({"type": "recovery", "token_hash": link["token_hash"]})).session
        await client.auth.sign_in_with_otp({"email": email, "options": {"should_create_user": False}})
        link = await mailing.link(email, number=2)
        assert link["type"] == "magiclink"
        assert (await client.auth.verify_otp({"type": "magiclink", "token_hash": link["token_hash"]})).session
        nobody = new_address()
        await client.auth.reset_password_for_email(nobody)
        assert mailing.server.to(nobody) == []


async def test_closed_sign_up_is_refused_in_every_way_and_the_service_role_makes_accounts(closed: Mailing) -> None:
    email = new_address()
    async with closed.client() as client, closed.client(is_admin=True) as admin:
        with pytest.raises(AuthApiError) as refusal:
            await client.auth.sign_up({"email": email, "password": PASSWORD})
        assert (refusal.value.status, refusal.value.code) == (422, "signup_disabled")
        with pytest.raises(AuthApiError) as refusal:
            await client.auth.sign_in_with_otp({"email": email})
        assert (refusal.value.status, refusal.value.code) == (422, "signup_disabled")
        with pytest.raises(AuthApiError) as refusal:
            await client.auth.sign_in_with_otp({"email": email, "options": {"should_create_user": False}})
        assert refusal.value.code == "otp_disabled"
        await admin.auth.admin.create_user({"email": email, "password": PASSWORD, "email_confirm": True})
        assert (await client.auth.sign_in_with_password({"email": email, "password": PASSWORD})).session
        await admin.auth.admin.invite_user_by_email(invited := new_address())
        assert (await closed.link(invited))["type"] == "invite"


@pytest.mark.parametrize("name", ["mailing", "closed"])
async def test_the_settings_tell(name: str, request: pytest.FixtureRequest) -> None:
    status = request.getfixturevalue(name).local.status
    async with httpx.AsyncClient(headers={"apikey": status.anon_key.get_secret_value()}) as http:
        said = (await http.get(f"{status.api_url}/auth/v1/settings")).json()
    assert (said["disable_signup"], said["mailer_autoconfirm"]) == (name == "closed", False)


async def test_the_mail_server_is_on_no_command_line(mailing: Mailing) -> None:
    assert mailing.local.pid
    assert str(mailing.server.port) not in " ".join(psutil.Process(mailing.local.pid).cmdline())

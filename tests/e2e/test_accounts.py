"""Accounts by e-mail: a new password, a link to sign in, and sign-up; against an app with a real mail server."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import parse_qsl, urlencode, urlsplit
from uuid import uuid4

import httpx
import pytest
from playwright.async_api import Browser, expect
from pydantic import SecretStr

from local_supabase.status import LocalSupabaseStatus
from local_supabase.tests.mail_server import MailServer, link_in, mail_server
from services.auth.client import Auth
from services.infra.database import Database
from services.people.invitations import invite
from services.people.models import Role
from services.people.organizations import create_organization, memberships
from tests.app_process import AppProcess, running
from tests.browser import new_context
from tests.e2e.conftest import VIEWPORT
from tests.speed import deadline

pytestmark = pytest.mark.e2e
PASSWORD = "correct horse battery"


@dataclass(frozen=True, kw_only=True)
class Mailing:
    """An app with a local Supabase, both of which send mails."""

    app: AppProcess
    mails: MailServer
    auth: Auth
    status: LocalSupabaseStatus

    async def account(self) -> str:
        """Open an account; return its address."""
        email = f"{uuid4().hex[:12]}@example.org"
        await self.auth.open_account(email, SecretStr(PASSWORD), name="Ada")
        return email

    @asynccontextmanager
    async def visitor(self) -> AsyncIterator[httpx.AsyncClient]:
        async with httpx.AsyncClient(base_url=self.app.url, timeout=deadline(20)) as http:
            yield http


@asynccontextmanager
async def started(**settings: str) -> AsyncIterator[Mailing]:
    with TemporaryDirectory(prefix="livewatch-", ignore_cleanup_errors=True) as folder:
        data = Path(folder) / "data"
        async with mail_server() as mails:
            environment = {"LIVEWATCH_DATA": str(data), "LIVEWATCH_SMTP_URL": mails.url, **settings}
            async with running(environment) as app:
                status = LocalSupabaseStatus.read(data)
                async with Auth(url=status.api_url, key=status.anon_key, service_key=status.service_role_key) as auth:
                    yield Mailing(app=app, mails=mails, auth=auth, status=status)


@pytest.fixture(scope="module")
async def mailing() -> AsyncIterator[Mailing]:
    async with started(LIVEWATCH_SIGN_UP="open") as running_app:
        yield running_app


def form_of(link: str) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(link).query))


async def test_a_forgotten_password_is_set_by_mail(mailing: Mailing, browser: Browser) -> None:
    email = await mailing.account()
    other = await mailing.auth.sign_in(email, SecretStr(PASSWORD))
    context = await new_context(browser, base_url=mailing.app.url, viewport=VIEWPORT)
    page = await context.new_page()
    await page.goto("/sign-in")
    await page.get_by_role("link", name="Forgot password?").click()
    await page.get_by_label("E-mail").fill(email.upper())
    await page.get_by_role("button", name="Send link").click()
    await expect(page.get_by_role("heading", name="Check your mail")).to_be_visible()
    link = link_in(await mailing.mails.mail_to(email))
    assert link.startswith(f"{mailing.app.url}/session/confirm?token_hash=")
    async with mailing.visitor() as scanner:
        for _ in range(3):
            assert (await scanner.get(link)).status_code == 200
    await page.goto(link)
    await page.get_by_role("button", name="Continue").click()
    await expect(page.get_by_role("heading", name="Set a new password")).to_be_visible()
    await page.get_by_label("New password").fill("short")
    await page.get_by_role("button", name="Save password").click()
    await expect(page.get_by_role("alert")).to_have_text("Password should be at least 6 characters.")
    await page.get_by_label("New password").fill("a new password")
    await page.get_by_role("button", name="Show password").click()
    await expect(page.get_by_label("New password")).to_have_attribute("type", "text")
    await page.get_by_role("button", name="Save password").click()
    await expect(page.get_by_role("heading", name="Welcome")).to_be_visible()
    with pytest.raises(Exception, match="session has ended"):
        await mailing.auth.verify(other)
    assert await mailing.auth.sign_in(email, SecretStr("a new password"))
    await page.goto(link)
    await page.get_by_role("button", name="Continue").click()
    await expect(page.get_by_role("heading", name="This link no longer works")).to_be_visible()
    assert form_of(link)["token_hash"] not in "".join(mailing.app.lines)
    await context.close()


async def test_somebody_signs_up_confirms_and_creates_an_organisation(mailing: Mailing, browser: Browser) -> None:
    email = f"{uuid4().hex[:12]}@example.org"
    context = await new_context(browser, base_url=mailing.app.url, viewport={"width": 390, "height": 844})
    page = await context.new_page()
    await page.goto("/sign-in")
    await page.get_by_role("link", name="Create an account").click()
    await page.get_by_label("Your name").fill("Grace Hopper")
    await page.get_by_label("E-mail").fill(email)
    await page.get_by_role("button", name="Continue").click()
    await expect(page.get_by_role("heading", name="Check your mail")).to_be_visible()
    await page.goto(link_in(await mailing.mails.mail_to(email)))
    await page.get_by_role("button", name="Confirm").click()
    await page.get_by_label("New password").fill(PASSWORD)
    await page.get_by_role("button", name="Save password").click()
    await expect(page.get_by_role("heading", name="Welcome, Grace Hopper")).to_be_visible()
    await page.get_by_label("Name of the organisation").fill("Nanoseconds")
    await page.get_by_role("button", name="Create organisation").click()
    await page.wait_for_selector('body[data-live="connected"]')
    await context.close()


@pytest.mark.parametrize(
    ("path", "page"), [("/session/forgot", "/forgot"), ("/session/link", "/sign-in"), ("/session/sign-up", "/sign-up")]
)
async def test_no_answer_tells_who_has_an_account(mailing: Mailing, path: str, page: str) -> None:
    known, unknown = await mailing.account(), f"{uuid4().hex[:12]}@example.org"
    answers = []
    async with mailing.visitor() as http:
        for email in (known, unknown):
            answer = await http.post(path, data={"email": email, "name": "Ada"})
            shown = await http.get(answer.headers["location"])
            names = {cookie.partition("=")[0] for cookie in answer.headers.get_list("set-cookie")}
            answers.append((answer.status_code, answer.headers["location"], names, "way" in shown.text))
    assert answers[0] == answers[1]
    assert answers[0][1].startswith(f"{page}?reason=sent")
    mail = await mailing.mails.mail_to(known)
    if path == "/session/sign-up":
        assert mail["Subject"] == "You already have a Livewatch account"


async def test_mails_to_one_address_are_limited(mailing: Mailing) -> None:
    email = await mailing.account()
    async with mailing.visitor() as http:
        reasons = [(await http.post("/session/forgot", data={"email": email})).headers["location"] for _ in range(4)]
    assert [each.rpartition("=")[2] for each in reasons] == ["sent", "sent", "sent", "slow"]


async def test_a_link_signs_in_and_never_in_silence_in_place_of_another(mailing: Mailing) -> None:
    ada, bob = await mailing.account(), await mailing.account()
    async with mailing.visitor() as http:
        await http.post("/session/link", data={"email": ada, "next": "https://evil.example/"})
        form = form_of(link_in(await mailing.mails.mail_to(ada)))
        await http.post("/session", data={"email": bob, "password": PASSWORD})
        shown = await http.get(f"/session/confirm?{urlencode(form)}")
        assert f"You are signed in here as {bob}" in shown.text
        refused = await http.post("/session/confirm", data=form)
        assert refused.headers["location"].endswith("reason=changed")
        bobs = (await mailing.auth.sign_in(bob, SecretStr(PASSWORD))).identity.user_id
        foreign = await http.post(
            "/session/confirm", data=form | {"replaces": str(bobs)}, headers={"origin": "https://evil.example"}
        )
        assert foreign.status_code == 403
        entered = await http.post("/session/confirm", data=form | {"replaces": str(bobs)})
        assert entered.headers["location"] == "/"
        again = await http.post("/session/confirm", data=form | {"replaces": str(bobs)})
        assert again.headers["location"].endswith("reason=changed")
        assert "Open a link first" in (await http.get("/new-password")).text
        stolen = await http.post("/session/password", data={"password": "stolen password"})
        assert stolen.headers["location"].startswith("/new-password")
        assert await mailing.auth.sign_in(ada, SecretStr(PASSWORD))


@pytest.mark.parametrize(
    ("form", "reason"),
    [
        ({}, "incomplete"),
        ({"token_hash": "forged", "type": "recovery"}, "over"),
        ({"token_hash": "forged", "type": "reauthentication"}, "incomplete"),
        ({"code": "forged", "type": "recovery"}, "browser"),
        ({"token_hash": "x" * 290, "type": "email_change"}, "over"),
    ],
)
async def test_what_is_no_link_of_a_mail_opens_nothing(mailing: Mailing, form: dict[str, str], reason: str) -> None:
    async with mailing.visitor() as http:
        answer = await http.post("/session/confirm", data=form)
        assert answer.headers["location"].endswith(f"reason={reason}")
        assert "livewatch_session" not in answer.headers.get("set-cookie", "")
        assert (await http.get(answer.headers["location"])).status_code == 200


@pytest.mark.parametrize("host", ["203.0.113.9", "evil.example"])
async def test_a_request_does_not_choose_where_a_mail_leads(mailing: Mailing, host: str) -> None:
    """An address as a host name is served, so that whoever asks could have the link lead to another server."""
    email = await mailing.account()
    async with mailing.visitor() as http:
        await http.post("/session/forgot", data={"email": email}, headers={"host": host})
        await http.post("/session/forgot", data={"email": email})
    for mail in mailing.mails.to(email) or [await mailing.mails.mail_to(email)]:
        assert urlsplit(link_in(mail)).hostname == "localhost"


@pytest.mark.parametrize(("mode", "said"), [("invited", "begins with an invitation"), ("off", "switched off")])
async def test_sign_up_is_closed_by_default(mode: str, said: str) -> None:
    async with started(LIVEWATCH_SIGN_UP=mode) as mailing, mailing.visitor() as http:
        assert said in (await http.get("/sign-up")).text
        assert "Create an account" not in (await http.get("/sign-in")).text
        email = f"{uuid4().hex[:12]}@example.org"
        answer = await http.post("/session/sign-up", data={"email": email, "name": "Eve", "password": PASSWORD})
        assert answer.headers["location"] == "/sign-up?"
        assert (await mailing.auth.server()).is_closed
        assert mailing.mails.mails == []


async def test_an_admin_invites_by_mail_and_makes_a_reset_link(mailing: Mailing, browser: Browser) -> None:
    ada, bob = await mailing.account(), await mailing.account()
    context = await new_context(browser, base_url=mailing.app.url, viewport=VIEWPORT)
    page = await context.new_page()
    await context.request.post("/session", form={"email": ada, "password": PASSWORD})
    await page.goto("/")
    await page.get_by_label("Name of the organisation").fill("شركة\u202e Ours")
    await page.get_by_role("button", name="Create organisation").click()
    await page.wait_for_selector('body[data-live="connected"]')
    await page.goto("/settings/members")
    await page.get_by_role("button", name="Invite").click()
    dialog = page.get_by_role("dialog", name="Invite")
    await dialog.get_by_label("E-mail addresses").fill(bob)
    mailing.mails.refusals = ["550 No such user"]
    await dialog.get_by_role("button", name="Invite").click()
    links = page.get_by_role("dialog", name="Links")
    await expect(links.get_by_role("alert")).to_contain_text("refused the recipient: 550 No such user")
    await links.get_by_role("button", name="Done").click()
    await expect(links).to_have_count(0)
    await page.get_by_role("button", name="New link").click()
    await page.get_by_test_id("confirm").get_by_role("button", name="New link").click()
    await expect(page.get_by_role("dialog", name="Links")).to_contain_text(f"Sent to {bob}")
    await page.get_by_role("button", name="Done").click()
    mail = await mailing.mails.mail_to(bob)
    assert "شركة" in mail["Subject"]
    async with mailing.visitor() as http:
        await http.post("/session", data={"email": bob, "password": PASSWORD})
        await http.get(link_in(mail))
    await page.get_by_role("button", name="Create reset link for").click()
    await page.get_by_test_id("confirm").get_by_role("button", name="Create link").click()
    link = (await page.get_by_role("dialog", name="Reset link").locator("pre").inner_text()).strip()
    await context.close()
    async with mailing.visitor() as http:
        entered = await http.post("/session/confirm", data=form_of(link))
        assert entered.headers["location"] == "/new-password"
        await http.post("/session/password", data={"password": "reset by an admin"})
    assert await mailing.auth.sign_in(bob, SecretStr("reset by an admin"))
    assert form_of(link)["token_hash"] not in "".join(mailing.app.lines)


async def test_a_stranger_with_anybodys_invitation_confirms_the_address_first(mailing: Mailing) -> None:
    ada, email = await mailing.account(), f"{uuid4().hex[:12]}@example.org"
    token = await open_invitation(mailing, ada)
    async with mailing.visitor() as http:
        shown = (await http.get(f"/invitation/{token}")).text
        assert "You get a link to confirm your address" in shown
        for who in (ada, email):
            answer = await http.post("/session/join", data={"token": token, "name": "Eve", "email": who})
            assert answer.headers["location"] == f"/invitation/{token}?reason=mailed"
        assert (await mailing.mails.mail_to(ada))["Subject"] == "You already have a Livewatch account"
        form = form_of(link_in(await mailing.mails.mail_to(email)))
        assert (await http.post("/session/confirm", data=form)).headers["location"] == "/new-password"
        answer = await http.post("/session/password", data={"password": PASSWORD})
        assert answer.headers["location"] == f"/invitation/{token}"
        assert (await http.get(answer.headers["location"])).headers["location"].startswith("/?org=")
    assert await mailing.auth.sign_in(email, SecretStr(PASSWORD))


async def open_invitation(mailing: Mailing, email: str) -> str:
    """Return the token of an invitation for anybody, to a new organisation of an account."""
    identity = (await mailing.auth.sign_in(email, SecretStr(PASSWORD))).identity
    assert mailing.status.app_database_url
    async with Database(mailing.status.app_database_url, pool_size=1) as database:
        await create_organization(database, identity, "Theirs")
        (mine,) = await memberships(database, identity)
        (invited,) = await invite(database, identity, mine.org_id, role=Role.VIEWER)
    return invited.token.get_secret_value()

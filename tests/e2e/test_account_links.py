"""Links of a project's own mail templates, changes of address, and accounts where no mail is sent."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlencode
from uuid import uuid4

import httpx
import pytest
from playwright.async_api import Browser, Page, expect
from pydantic import SecretStr

from local_supabase.tests.mail_server import link_in
from services.people.invitations import invite
from services.people.models import Role
from tests.app_process import AppProcess, project_settings, running
from tests.browser import new_context
from tests.e2e.test_accounts import PASSWORD, Mailing, form_of, open_invitation, started
from tests.e2e.test_accounts import mailing as mailing  # noqa: PLC0414  # a fixture
from tests.e2e.test_look import serious
from tests.speed import deadline
from tests.world import World, until

pytestmark = pytest.mark.e2e


@asynccontextmanager
async def visitor(app: AppProcess) -> AsyncIterator[httpx.AsyncClient]:
    # The links lead to this address, and so do cookies.
    url = app.url
    async with httpx.AsyncClient(base_url=url, timeout=deadline(20)) as http:
        yield http


def links(world: World, to: str) -> list[str]:
    """Return the links of mails to an address, which the world's Auth keeps in a file."""
    path = world.data / "mail.jsonl"
    mails = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    return [mail["action_link"] for mail in mails if mail["to"] == to]


async def followed(http: httpx.AsyncClient, world: World, to: str) -> str:
    """Open the link of the mail to an address; return where the project's Auth leads."""
    await until(lambda: links(world, to), what="a mail")
    return (await http.get(links(world, to)[-1])).headers["location"]


async def test_a_projects_own_link_works_once_in_the_browser_that_asked(world: World, app: AppProcess) -> None:
    ada = await world.person()
    async with visitor(app) as http, visitor(app) as other:
        sent = await http.post("/session/forgot", data={"email": ada.email})
        assert "httponly" in sent.headers["set-cookie"].lower()
        location = await followed(http, world, ada.email)
        assert location.startswith(f"{http.base_url}".rstrip("/") + "/session/confirm?type=recovery&code=")
        form = form_of(location)
        assert "belongs to another browser" in (await other.get(location)).text
        refused = await other.post("/session/confirm", data=form)
        assert refused.headers["location"].endswith("reason=browser")
        assert "Set a new password" in (await http.get(location)).text
        assert (await http.post("/session/confirm", data=form)).headers["location"] == "/new-password"
        await http.post("/session/password", data={"password": "a new password"})
        again = await http.post("/session/confirm", data=form | {"replaces": str(ada.id)})
        assert again.headers["location"].endswith("reason=browser")
        late = await http.get(f"/session/confirm?type=recovery&error_code=otp_expired&code={form['code']}")
        assert "This link no longer works" in late.text
    assert await world.auth.sign_in(ada.email, SecretStr("a new password"))


async def test_a_projects_magic_link_leads_where_the_person_wanted(world: World, app: AppProcess) -> None:
    ada = await world.person(await world.organization())
    async with visitor(app) as http:
        await http.post("/session/link", data={"email": ada.email, "next": "/monitoring?tab=streams"})
        form = form_of(await followed(http, world, ada.email))
        entered = await http.post("/session/confirm", data=form)
        assert entered.headers["location"] == "/monitoring?tab=streams"
        assert (await http.get("/monitoring")).status_code == 200


async def test_a_code_of_somebody_else_opens_nothing(world: World, app: AppProcess) -> None:
    """An attacker's code in a victim's browser, which has asked for a link itself."""
    eve, ada = await world.person(), await world.person()
    async with visitor(app) as attacker, visitor(app) as victim:
        await attacker.post("/session/link", data={"email": eve.email})
        form = form_of(await followed(attacker, world, eve.email))
        await victim.post("/session/link", data={"email": ada.email})
        answer = await victim.post("/session/confirm", data=form)
        assert answer.headers["location"].endswith("reason=over")
        assert "livewatch_session" not in victim.cookies


async def test_a_change_of_address_is_confirmed_at_both(mailing: Mailing) -> None:
    old, new = await mailing.account(), f"{uuid4().hex[:12]}@example.org"
    tokens = await mailing.auth.sign_in(old, SecretStr(PASSWORD))
    assert not await mailing.auth.change_email(tokens, new)
    async with mailing.visitor() as http:
        first = await http.post("/session/confirm", data=form_of(link_in(await mailing.mails.mail_to(new))))
        assert first.headers["location"].endswith("type=email_change&reason=half")
        assert "mail to your other address" in (await http.get(first.headers["location"])).text
        assert "livewatch_session" not in http.cookies
        second = await http.post("/session/confirm", data=form_of(link_in(await mailing.mails.mail_to(old))))
        assert second.headers["location"] == "/"
    assert (await mailing.auth.sign_in(new, SecretStr(PASSWORD))).identity.email == new


async def test_a_projects_own_link_for_another_address_says_what_to_look_at(app: AppProcess) -> None:
    """A project's Auth confirms the address and tells so in a fragment, which no server sees."""
    async with visitor(app) as http:
        page = (await http.get("/session/confirm?type=email_change")).text
        assert "The link has been opened" in page
        assert "incomplete" not in page
        late = (await http.get("/session/confirm?type=email_change&error_code=otp_expired")).text
        assert "This link no longer works" in late


async def test_without_mail_an_open_server_makes_accounts_at_once_and_says_that_it_sends_none() -> None:
    with TemporaryDirectory(prefix="livewatch-", ignore_cleanup_errors=True) as folder:
        async with running({"LIVEWATCH_DATA": f"{folder}/data", "LIVEWATCH_SIGN_UP": "open"}) as app:
            async with visitor(app) as http:
                assert "python main.py user reset EMAIL" in (await http.get("/forgot")).text
                assert "E-mail me a link" not in (await http.get("/sign-in")).text
                form = {"name": "Ada", "email": "ada@example.org"}
                short = await http.post("/session/sign-up", data=form | {"password": "short"})
                assert "Password should be at least 6 characters." in (await http.get(short.headers["location"])).text
                made = await http.post("/session/sign-up", data=form | {"password": PASSWORD})
                assert "livewatch_session" in http.cookies
                assert "Welcome, Ada" in (await http.get(made.headers["location"])).text
            async with visitor(app) as http:
                taken = await http.post("/session/sign-up", data=form | {"password": PASSWORD})
                assert taken.headers["location"] == "/sign-up?reason=refused"
                spoofed = (await http.get("/sign-up?said=Call+this+number")).text
                assert "Call this number" not in spoofed


async def test_where_accounts_are_off_an_invitation_joins_existing_ones_only(world: World, tmp_path: Path) -> None:
    settings = project_settings(world.status, tmp_path) | {
        "LIVEWATCH_SIGN_UP": "off",
        "SUPABASE_SECRET_KEY": world.status.service_role_key.get_secret_value(),
    }
    org = await world.organization("Ours")
    ada, bob = await world.person(org, role=Role.ADMIN), await world.person()
    (invited,) = await invite(world.database, ada.identity, org, role=Role.VIEWER)
    token, email = invited.token.get_secret_value(), f"{uuid4().hex[:12]}@example.org"
    async with running(settings) as app, visitor(app) as http:
        assert "New accounts are switched off" in (await http.get(f"/invitation/{token}")).text
        form = {"token": token, "name": "Eve", "email": email, "password": PASSWORD}
        assert (await http.post("/session/join", data=form)).headers["location"].endswith("reason=off")
        assert await world.sql("select 1 from auth.users where email = %s", email) == []
        await http.post("/session", data={"email": bob.email, "password": bob.password})
        assert (await http.get(f"/invitation/{token}")).headers["location"].startswith("/?org=")


async def test_a_dead_mail_server_changes_no_answer() -> None:
    async with started() as mailing, mailing.visitor() as http:
        email = await mailing.account()
        mailing.mails.refusals = ["451 busy"] * 100
        answers = [await http.post("/session/forgot", data={"email": each}) for each in (email, f"x{email}")]
        assert {each.headers["location"] for each in answers} == {"/forgot?reason=sent"}
        lines = mailing.app.lines
        await until(lambda: any("mail not sent" in line for line in lines), within=20, what="a line of the log")
        assert "token_hash" not in "".join(lines)


@pytest.mark.parametrize("theme", ["light", "dark"])
async def test_pages_of_accounts_are_accessible_and_fit_every_width(
    mailing: Mailing, browser: Browser, theme: str
) -> None:
    token = await open_invitation(mailing, await mailing.account())
    email = await mailing.account()
    async with mailing.visitor() as http:
        await http.post("/session/forgot", data={"email": email})
    link = f"/session/confirm?{urlencode(form_of(link_in(await mailing.mails.mail_to(email))))}"
    asking = ["/sign-in?reason=email", "/forgot", "/forgot?reason=sent", "/sign-up?reason=name", f"/invitation/{token}"]
    context = await new_context(browser, base_url=mailing.app.url, color_scheme=theme, reduced_motion="reduce")
    page = await context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    for path in [*asking, "/session/confirm?reason=browser&type=recovery", link]:
        await page.goto(path)
        await expect(page.locator("h1")).to_be_visible()
        await fits(page, path)
    await page.get_by_role("button", name="Continue").press("Enter")
    await expect(page.get_by_role("heading", name="Set a new password")).to_be_visible()
    await fits(page, "/new-password")
    await expect(page.get_by_label("New password")).to_be_visible()
    await context.close()
    assert errors == []


async def fits(page: Page, path: str) -> None:
    assert await serious(page) == [], path
    for width in (360, 390, 1440):
        await page.set_viewport_size({"width": width, "height": 800})
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{path} at {width}"


@pytest.mark.parametrize(
    "next",
    ["https://evil.example/", "//evil.example", "/\\evil.example", "{app}.evil.example/", "{app}//evil.example", ""],
)
async def test_a_link_leads_nowhere_else(mailing: Mailing, next: str) -> None:
    email, address = await mailing.account(), mailing.app.url
    async with mailing.visitor() as http:
        await http.post("/session/link", data={"email": email})
        form = form_of(link_in(await mailing.mails.mail_to(email)))
        assert form["next"].startswith(f"{address}/session/confirm?")
        entered = await http.post("/session/confirm", data=form | {"next": next.format(app=address)})
    assert entered.headers["location"] == "/"


async def test_only_the_session_that_a_link_opened_sets_a_password(mailing: Mailing) -> None:
    """Somebody else signs in, in the same browser, before the password is set."""
    ada, bob = await mailing.account(), await mailing.account()
    async with mailing.visitor() as http:
        await http.post("/session/forgot", data={"email": ada})
        form = form_of(link_in(await mailing.mails.mail_to(ada)))
        assert (await http.post("/session/confirm", data=form)).headers["location"] == "/new-password"
        await http.post("/session", data={"email": bob, "password": PASSWORD})
        assert "Open a link first" in (await http.get("/new-password")).text
        await http.post("/session/password", data={"password": "of another account"})
    assert await mailing.auth.sign_in(bob, SecretStr(PASSWORD))
    assert await mailing.auth.sign_in(ada, SecretStr(PASSWORD))

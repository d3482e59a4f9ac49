"""Single sign-on by HTTP: the way in, every way that it fails, and the roles of groups."""

import asyncio
from tempfile import TemporaryDirectory
from urllib.parse import parse_qs, urlencode, urljoin, urlsplit

import httpx
import pytest

from local_supabase.tests.oidc_provider import CLIENT_ID, CLIENT_SECRET, Fault
from services.people.audit import ACTIONS
from tests.app_process import running
from tests.sign_on.conftest import ORGANIZATION, Site, reason_of
from tests.speed import deadline
from tests.world import until

pytestmark = pytest.mark.e2e


async def test_a_person_signs_in_by_the_provider_and_stays(site: Site) -> None:
    async with site.browser() as browser:
        assert await browser.sign_in("/settings") == "/settings"
        assert await browser.is_in()
        assert not [name for name in browser.http.cookies if name.startswith("livewatch_sso")]

    async def is_noted() -> bool:
        person = f"%{site.provider.person['email']}%"
        return bool(
            await site.sql(
                "select 1 from audit_events where action = 'session.opened' and actor like %s and address is not null",
                person,
            )
        )

    await until(is_noted, within=10, what="the sign-in is in the audit log")
    assert "session.opened" in ACTIONS


async def test_groups_give_change_and_take_a_role(site: Site) -> None:
    async with site.browser() as browser:
        for groups, role in (
            (["/engineers", "unknown"], "operator"),
            (["/engineers", "/watchers"], "operator"),
            (["/watchers"], "viewer"),
            (["/nobody"], None),
            ("/engineers", "operator"),
        ):
            site.provider.person["groups"] = groups
            browser.http.cookies.clear()
            await browser.sign_in()
            assert await site.role() == role, groups
    told = await site.sql(
        "select action, actor from audit_events where subject like %s and action like 'member%%' order by id",
        f"%{site.provider.person['email']}%",
    )
    assert told == [
        (action, "single sign-on")
        for action in ("member.added", "member.role_changed", "member.removed", "member.added")
    ]


async def test_what_people_gave_is_not_taken_by_groups(site: Site) -> None:
    site.provider.person["groups"] = []
    async with site.browser() as browser:
        await browser.sign_in()
        await site.sql(
            "insert into org_members (org_id, user_id, role)"
            " select o.id, u.id, 'viewer' from organizations o, auth.users u where o.name = %s and u.email = %s",
            ORGANIZATION,
            site.provider.person["email"],
        )
        for groups in (["/admins"], []):
            site.provider.person["groups"] = groups
            browser.http.cookies.clear()
            await browser.sign_in()
            assert await site.role() == "viewer"


async def test_the_last_admin_stays_and_still_signs_in(own: Site) -> None:
    own.provider.person["groups"] = ["/admins"]
    async with own.browser() as browser:
        await browser.sign_in()
        for groups in (["/watchers"], []):
            own.provider.person["groups"] = groups
            browser.http.cookies.clear()
            assert await browser.sign_in() == "/monitoring"
            assert await own.role() == "admin"
    await own.sql("delete from organizations where name = %s", ORGANIZATION)


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"email_verified": False}, "sso-unverified"),
        ({"email": "ada@elsewhere.example"}, "sso-domain"),
        ({"email": "ada@works.example.evil"}, "sso-domain"),
    ],
)
async def test_who_may_not_sign_in_is_told_why(site: Site, claims: dict[str, object], reason: str) -> None:
    site.provider.person |= claims
    async with site.browser() as browser:
        is_closed = reason == "sso-domain" and "sso-closed"
        assert reason_of(await browser.sign_in()) in (reason, is_closed)
        assert not await browser.is_in()
    assert await site.role() is None


@pytest.mark.parametrize("fault", [Fault.NONCE, Fault.EXPIRED, Fault.HS256, Fault.TOKEN_ERROR])
async def test_a_wrong_answer_of_the_provider_is_told(site: Site, fault: Fault) -> None:
    site.provider.fault = fault
    async with site.browser() as browser:
        path = await browser.sign_in()
        assert reason_of(path) == ("sso-clock" if fault is Fault.EXPIRED else "sso-provider")
        page = (await browser.http.get(path)).text
        assert "Details: Error getting user profile" in page


async def test_a_refusal_is_told_in_the_words_of_the_provider_and_as_text(site: Site) -> None:
    site.provider.error = "access_denied"
    async with site.browser() as browser:
        path = await browser.sign_in()
        assert reason_of(path) == "sso-denied"
        page = (await browser.http.get(path)).text
        assert "The person \\u003Cb>said" in page or "The person &lt;b&gt;said" in page
        assert "<b>said" not in page


async def test_a_provider_that_is_down_is_told_and_recovers(site: Site) -> None:
    async with site.browser() as browser:
        url = await browser.follow("/session/sso/start", until=site.provider.url)
        back = str((await browser.http.get(url)).headers["location"])
        await site.provider.stop()
        try:
            assert reason_of((await browser.follow(back)).removeprefix(site.app.url)) == "sso-provider"
        finally:
            await site.provider.start()
        assert await browser.sign_in() == "/monitoring"


async def test_a_code_of_somebody_else_signs_nobody_in(site: Site) -> None:
    """Login CSRF: an attacker leads a browser to the end of the attacker's own sign-in."""
    async with site.browser() as attacker, site.browser() as victim:
        link = await attacker.come_back()
        assert reason_of((await victim.follow(link)).removeprefix(site.app.url)) == "sso-foreign"
        assert not await victim.is_in()
        state = parse_qs(urlsplit(await victim.come_back()).query)["state"][0]
        code = parse_qs(urlsplit(link).query)["code"][0]
        mixed = f"/session/sso?{urlencode({'code': code, 'state': state})}"
        assert reason_of((await victim.follow(mixed)).removeprefix(site.app.url)) == "sso-over"
        assert not await victim.is_in()


async def test_a_code_is_good_once_and_the_back_button_leads_into_the_app(site: Site) -> None:
    async with site.browser() as browser:
        link = await browser.come_back()
        jar = dict(browser.http.cookies)
        assert (await browser.follow(link)).endswith("/monitoring")
        assert urlsplit(await browser.follow(link)).path in ("/", "/monitoring")
        assert await browser.is_in()
    async with site.browser() as copy:
        for name, value in jar.items():
            copy.http.cookies.set(name, value)
        assert reason_of((await copy.follow(link)).removeprefix(site.app.url)) == "sso-over"


async def test_two_tabs_sign_in_at_once_in_any_order(site: Site) -> None:
    async with site.browser() as browser:
        first, second = await browser.come_back(), await browser.come_back()
        assert (await browser.follow(second)).endswith("/monitoring")
        assert (await browser.follow(first)).endswith("/monitoring")
        assert await browser.is_in()


async def test_many_begun_sign_ins_fill_no_cookie_jar(own: Site) -> None:
    async with own.browser() as browser:
        for _ in range(9):
            await browser.http.get("/session/sso/start")
        assert len([name for name in browser.http.cookies if name.startswith("livewatch_sso")]) == 5
        assert await browser.sign_in() == "/monitoring"


async def test_a_session_before_the_sign_in_is_replaced(site: Site) -> None:
    """Session fixation: what an attacker planted before is worth nothing after."""
    async with site.browser() as browser:
        link = await browser.come_back()
        for name, value in (("livewatch_session", "planted"), ("livewatch_session.0", "aaaa.2.planted")):
            browser.http.cookies.set(name, value, domain="localhost.local")
        await browser.follow(link)
        assert await browser.is_in()


@pytest.mark.parametrize("target", ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)"])
async def test_no_sign_in_leads_to_another_site(own: Site, target: str) -> None:
    async with own.browser() as browser:
        url = await browser.follow(f"/session/sso/start?{urlencode({'next': target})}")
        assert url.startswith(own.app.url)
        foreign = await browser.http.get(f"/auth/v1/authorize?provider=oidc&redirect_to={target}")
        assert "evil" not in (await browser.follow(foreign.headers["location"], until=":3000"))


async def test_the_app_forwards_two_addresses_of_auth_and_no_other(own: Site, project: Site) -> None:
    async with httpx.AsyncClient(base_url=own.app.url) as http:
        for path in ("/auth/v1/settings", "/auth/v1/token", "/auth/v1/admin/users", "/auth/v1/authorize/x", "/auth"):
            answer = await http.get(path)
            assert answer.headers.get("location", "").startswith("/sign-in") or answer.status_code == 404, path
        assert (await http.post("/auth/v1/authorize")).status_code == 405
        lost = await http.get("/auth/v1/callback?state=x&code=y")
        assert lost.status_code == 303
        bad = await http.get("/auth/v1/authorize?provider=unknown")
        assert reason_of(bad.headers["location"].removesuffix("#")) == "sso-failed"
    async with httpx.AsyncClient(base_url=project.app.url) as http:
        assert (await http.get("/auth/v1/authorize?provider=keycloak")).status_code == 404


async def test_an_error_without_a_flow_is_told_on_the_sign_in_page(own: Site) -> None:
    """Auth leads there a browser whose state it does not know."""
    async with own.browser() as browser:
        url = await browser.follow("/?error=invalid_request&error_code=bad_oauth_state&error_description=%3Cb%3E")
        page = (await browser.http.get(url)).text
    assert "The sign-in took too long, or was used before." in page
    assert "<b>" not in page.partition("<body")[2][:200]


async def test_the_provider_s_words_cannot_be_made_up(own: Site) -> None:
    async with own.browser() as browser:
        page = (await browser.http.get("/sign-in?reason=sso-denied&detail=Call+555-1234")).text
        assert "555-1234" not in page
        path = f"/session/sso?error=access_denied&error_description=Call+555&state={'x' * 22}"
        assert reason_of((await browser.follow(path)).removeprefix(own.app.url)) == "sso-foreign"


async def test_the_start_says_what_to_register_and_no_secret_is_printed(own: Site, project: Site) -> None:
    assert any(f"{own.app.url}/auth/v1/callback" in line for line in own.app.lines)
    assert any(f"{project.app.url}/session/sso**" in line for line in project.app.lines)
    async with own.browser() as browser:
        await browser.sign_in()
    await asyncio.sleep(0)
    assert CLIENT_SECRET not in "\n".join(own.app.lines)


async def test_below_a_path_of_another_site_everything_stays_there(own: Site) -> None:
    with TemporaryDirectory(prefix="livewatch-", ignore_cleanup_errors=True) as folder:
        environment = {
            "LIVEWATCH_DATA": f"{folder}/data",
            "LIVEWATCH_DEMO_SCAN": "0",
            "LIVEWATCH_ROOT_PATH": "/watch",
            "LIVEWATCH_OIDC_ISSUER": own.provider.url,
            "LIVEWATCH_OIDC_CLIENT_ID": CLIENT_ID,
            "LIVEWATCH_OIDC_CLIENT_SECRET": CLIENT_SECRET,
            "LIVEWATCH_OIDC_DOMAINS": "*",
        }
        async with running(environment) as app, httpx.AsyncClient(timeout=deadline(20)) as http:
            base = app.url if app.url.endswith("/watch") else f"{app.url}/watch"
            assert f"{base}/auth/v1/callback" in "\n".join(app.lines)
            url = f"{base}/session/sso/start?next=/settings"
            for _ in range(8):
                answer = await http.get(url)
                if not answer.is_redirect:
                    break
                cookies = answer.headers.get_list("set-cookie")
                flows = [each for each in cookies if each.startswith("livewatch_sso")]
                assert all("Path=/watch/session/sso" in each for each in flows)
                url = urljoin(url, answer.headers["location"])
            assert (url, answer.status_code) == (f"{base}/settings", 200)

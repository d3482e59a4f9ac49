"""Attacks on the running app: injected scripts, cross-site sockets, foreign ids, large bodies, guessing."""

import json
from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import httpx
import pytest
import websockets
from playwright.async_api import expect
from websockets.exceptions import InvalidStatus

from services.entities import Stream
from services.people.models import Role
from tests.app_process import AppProcess
from tests.e2e.conftest import SignedIn, live
from tests.speed import deadline
from tests.world import Person, World

pytestmark = pytest.mark.e2e
ATTACK = "<img src=x onerror=\"window.owned='img'\"><script>window.owned='script'</script>{{ window.owned = 'vue' }}"


async def hostile_rows(world: World, org: UUID, person: Person) -> tuple[UUID, UUID, UUID]:
    """Insert a row into each table with the attack in every text; returns the ids of a stream, a scan and a run."""
    stream, scan, run = uuid4(), uuid4(), uuid4()
    metadata = json.dumps({ATTACK: ATTACK, "quality_target": ATTACK})
    await world.sql(
        "insert into streams (id, org_id, name, description, stream_type, goal_status, total, target_metrics, "
        "metadata, error) values (%s, %s, %s, %s, %s, 'blocked', 9, %s, %s, %s)",
        *(stream, org, ATTACK, ATTACK, ATTACK[:37], metadata, metadata, ATTACK),
    )
    await world.sql(
        "insert into acquisition_scans (id, org_id, stream_id, name, status, current_step, steps, error, started_at, "
        "completed_at) values (%s, %s, %s, %s, 'failed', %s, %s, %s, now(), now())",
        *(scan, org, stream, ATTACK, ATTACK, json.dumps([ATTACK]), ATTACK),
    )
    await world.sql(
        "insert into agent_executions (id, org_id, stream_id, agent_id, agent_name, status, started_at, completed_at, "
        "input_summary, output_summary, error) values (%s, %s, %s, %s, %s, 'failed', now(), now(), %s, %s, %s)",
        *(run, org, stream, ATTACK, ATTACK, ATTACK, ATTACK, ATTACK),
    )
    await world.sql(
        "insert into log_lines (org_id, run_id, message) values (%s, %s, %s), (%s, %s, %s)",
        *(org, stream, ATTACK, org, run, ATTACK),
    )
    await world.sql(
        "insert into signal_alerts (org_id, user_id, stream_id, company_name, target_name, signal_type, "
        "signal_strength, metadata) values (%s, %s, %s, %s, %s, %s, 95, %s)",
        *(org, person.id, stream, ATTACK, ATTACK, ATTACK[:37], metadata),
    )
    await world.sql(
        "insert into notifications (org_id, user_id, type, title, message) values (%s, %s, 'error', %s, %s)",
        *(org, person.id, ATTACK, ATTACK),
    )
    return stream, scan, run


async def test_a_script_in_any_text_is_shown_and_never_run_on_any_page(world: World, window: SignedIn) -> None:
    org = await world.organization(ATTACK[:120])
    eve = await world.person(org, role=Role.ADMIN)
    await world.sql("update profiles set display_name = %s where user_id = %s", ATTACK[:120], eve.id)
    stream, scan, run = await hostile_rows(world, org, eve)
    page = await window(eve)
    await expect(live(page, "streams", stream, "name")).to_have_text(ATTACK)
    for path in (
        "/",
        f"/monitoring?selected={stream}",
        f"/monitoring/scans?selected={scan}",
        f"/monitoring/agents?selected={run}",
        "/monitoring/alerts",
        "/monitoring/system",
        f"/streams/{stream}",
        "/alerts",
        "/notifications",
        "/settings",
    ):
        await page.goto(path)
        await page.wait_for_selector('body[data-live="connected"]')
        await expect(page.get_by_text("<img src=x", exact=False).first).to_be_visible()
        found = await page.evaluate(
            "[window.owned, document.querySelectorAll('img[src=x]').length, "
            "[...document.links].filter((link) => link.protocol === 'javascript:').length]"
        )
        assert found == [None, 0, 0], path


async def test_even_a_script_that_got_into_a_page_does_not_run(world: World, window: SignedIn) -> None:
    page = await window(await world.person(await world.organization()))
    ran = await page.evaluate(
        """async () => {
            const refused = [];
            document.addEventListener("securitypolicyviolation", (event) => refused.push(event.effectiveDirective));
            const script = document.createElement("script");
            script.textContent = "window.owned = 'inline'";
            document.body.append(script);
            const away = document.createElement("script");
            away.src = "https://evil.test/x.js";
            document.body.append(away);
            const span = document.createElement("span");
            document.body.append(span);
            span.innerHTML = '<b onclick="window.owned = 1">x</b>';
            span.firstChild.click();
            for (let n = 0; n < 200 && refused.length < 3; n++) await new Promise((done) => setTimeout(done, 50));
            return [window.owned ?? null, refused.sort()];
        }"""
    )
    assert ran == [None, ["script-src-attr", "script-src-elem", "script-src-elem"]]


async def test_another_site_opens_no_socket(app: AppProcess) -> None:
    url = f"{app.url}/_nicegui_ws/socket.io/?EIO=4&transport="
    evil = "https://evil.test"
    with pytest.raises(InvalidStatus) as refusal:
        await websockets.connect(url.replace("http", "ws", 1) + "websocket", origin=evil)  # type: ignore[arg-type]
    assert refusal.value.response.status_code == 403
    async with httpx.AsyncClient(timeout=deadline(10)) as http:
        assert (await http.get(url + "polling", headers={"Origin": evil})).status_code == 403
        assert (await http.get(url + "polling", headers={"Origin": app.url})).status_code == 200
    async with websockets.connect(url.replace("http", "ws", 1) + "websocket", origin=app.url):  # type: ignore[arg-type]
        pass


async def test_a_large_body_is_refused_before_it_is_read(app: AppProcess) -> None:
    async with httpx.AsyncClient(base_url=app.url, timeout=deadline(10)) as http:

        async def endless() -> AsyncIterator[bytes]:
            for _ in range(100):
                yield b"email=" + b"x" * 10_000

        form = {"Content-Type": "application/x-www-form-urlencoded"}
        for body in (b"email=" + b"x" * 100_000, endless()):
            answer = await http.post("/session", content=body, headers=form)
            assert answer.status_code == 413
            assert "65536 bytes" in answer.text


async def test_guessing_passwords_is_slowed_down_for_the_guesser_and_for_nobody_else(
    world: World, app: AppProcess
) -> None:
    ada, bob = await world.person(), await world.person()
    reasons = []
    async with httpx.AsyncClient(base_url=app.url, timeout=deadline(10)) as http:
        for number in range(12):
            answer = await http.post("/session", data={"email": ada.email.upper(), "password": f"guess {number}"})
            reasons.append(answer.headers["location"].split("reason=")[1].split("&")[0])
        assert "slow" in reasons
        assert reasons[:5] == ["wrong"] * 5
        right = await http.post("/session", data={"email": bob.email, "password": bob.password})
        assert (right.status_code, right.headers["location"]) == (303, "/")


async def test_nobody_but_a_trusted_proxy_says_who_calls_and_how(world: World, app: AppProcess) -> None:
    ada = await world.person()
    said = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "192.0.2.7"}
    async with httpx.AsyncClient(base_url=app.url, headers=said, timeout=deadline(10)) as http:
        answer = await http.post("/session", data={"email": ada.email, "password": ada.password})
        assert answer.headers["location"] == "/"
        assert "Secure" not in answer.headers["set-cookie"]
        assert "strict-transport-security" not in answer.headers


async def test_ids_of_another_organisation_lead_nowhere(world: World, window: SignedIn) -> None:
    theirs = await world.organization("Secret works")
    bob = await world.person(theirs)
    stream = Stream(org_id=theirs, name="Secret stream", total=3)
    await world.insert(stream, by=bob)
    eve = await world.person(await world.organization(), role=Role.ADMIN)
    page = await window(eve)
    live_page = page.locator('body[data-live="connected"]')
    refusal = page.get_by_role("heading", name="You have no access to this organisation")
    for path, shown in (
        (f"/streams/{stream.id}", live_page),
        (f"/monitoring?selected={stream.id}", live_page),
        (f"/monitoring?org={theirs}", refusal),
        (f"/?org={theirs}", refusal),
        (f"/settings?org={theirs}", refusal),
    ):
        await page.goto(path)
        await expect(shown).to_be_visible()
        content = await page.content()
        assert "Secret stream" not in content, path
        assert "Secret works" not in content, path
    for path in (f"/export/streams.csv?org={theirs}", "/export/org_members.csv", "/export/ingest_keys.csv"):
        answer = await page.request.get(path)
        assert answer.status in (403, 404), path
        assert "Secret" not in await answer.text()
    mine = await page.request.get("/export/streams.csv")
    assert "Secret" not in await mine.text()


async def test_what_the_app_printed_holds_no_secret(world: World, app: AppProcess, window: SignedIn) -> None:
    ada = await world.person(await world.organization())
    page = await window(ada)
    await page.request.get("/no/such/page?token=hush-in-a-query")
    console = "\n".join(app.lines)
    assert "Ready: open" in console
    assert world.status.app_database_url
    for secret in (
        ada.password,
        ada.tokens.access_token.get_secret_value(),
        world.status.anon_key.get_secret_value(),
        world.status.service_role_key.get_secret_value(),
        world.status.app_database_url.get_secret_value(),
        "hush-in-a-query",
    ):
        assert secret not in console

"""Every page, and the responses to bad input."""

import re
from collections.abc import Callable
from uuid import uuid4

import httpx
import pytest
from playwright.async_api import Browser, WebSocketRoute, expect

from pages.settings.retention import KINDS
from services.entities import AgentExecution, AgentStatus, Notification, SignalAlert, Stream
from services.people.models import Role
from tests.app_process import AppProcess
from tests.browser import new_context
from tests.e2e.conftest import VIEWPORT, SignedIn, enter, live
from tests.speed import deadline
from tests.world import World

pytestmark = pytest.mark.e2e


async def test_a_wrong_password_is_said_and_nothing_else_is_told(
    app: AppProcess, browser: Browser, world: World
) -> None:
    person = await world.person()
    context = await new_context(browser, base_url=app.url)
    page = await context.new_page()
    await page.goto("/monitoring")
    await expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    await page.get_by_label("E-mail").fill(person.email)
    await page.get_by_label("Password").fill("wrong")
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_role("alert")).to_have_text("E-mail and password do not match.")
    assert await page.get_by_test_id("enter-demo").count() == 0, "there is no demo on somebody's project"
    await context.close()


async def test_the_sidebar_has_live_monitoring_right_after_the_dashboard_with_a_premium_badge(
    world: World, window: SignedIn
) -> None:
    page = await window(await world.person(await world.organization("Acme")), "/")
    places = page.get_by_role("navigation", name="Main").get_by_role("link")
    await expect(places.nth(0)).to_contain_text("Dashboard")
    await expect(places.nth(1)).to_contain_text("Live Monitoring")
    await expect(places.nth(1)).to_contain_text("Premium")
    await places.nth(1).click()
    await expect(page.get_by_role("heading", name="Live Monitoring")).to_be_visible()
    await expect(places.nth(1)).to_have_attribute("aria-current", "page")
    await page.wait_for_url("**/monitoring")
    await expect(page.locator(".lw-crumbs")).to_contain_text("Acme")


@pytest.mark.parametrize("tab", ["Scans", "Agents", "Alerts", "System", "Streams"])
async def test_every_tab_has_an_address_that_brings_it_back(world: World, window: SignedIn, tab: str) -> None:
    page = await window(await world.person(await world.organization()))
    tabs = page.get_by_role("navigation", name="Live Monitoring")
    await tabs.get_by_role("link", name=tab).click()
    await expect(tabs.get_by_role("link", name=tab)).to_have_attribute("aria-current", "page")
    await page.wait_for_url("**/monitoring" if tab == "Streams" else f"**/monitoring/{tab.lower()}")
    await page.reload()
    await expect(tabs.get_by_role("link", name=tab)).to_have_attribute("aria-current", "page")


async def test_an_unknown_address_gets_a_page_that_says_so(world: World, window: SignedIn, app: AppProcess) -> None:
    page = await window(await world.person(await world.organization()), "/no/such/page")
    await expect(page.get_by_role("heading", name="Page not found")).to_be_visible()
    await page.get_by_role("link", name="To the dashboard").click()
    await expect(page.get_by_role("heading", name="Dashboard")).to_be_visible()


@pytest.mark.parametrize("id", ["not-a-uuid", "00000000-0000-4000-8000-000000000000", "<script>alert(1)"])
async def test_a_stream_that_does_not_exist_gets_a_page_that_says_so(world: World, window: SignedIn, id: str) -> None:
    page = await window(await world.person(await world.organization()), f"/streams/{id}")
    await expect(page.get_by_role("heading", name="There is no such stream")).to_be_visible()


async def test_a_stream_of_another_organisation_does_not_exist(world: World, window: SignedIn) -> None:
    ours, theirs = await world.organization(), await world.organization()
    eve, ada = await world.person(theirs), await world.person(ours)
    stream = Stream(org_id=ours, name="Secret plan")
    await world.insert(stream, by=ada)
    page = await window(eve, f"/streams/{stream.id}")
    await expect(page.get_by_role("heading", name="There is no such stream")).to_be_visible()
    assert "Secret plan" not in await page.content()


async def test_a_streams_page_shows_its_own_agents_and_turns_to_not_found_when_it_is_deleted(
    world: World, window: SignedIn
) -> None:
    org = await world.organization()
    ada = await world.person(org)
    stream, other = Stream(org_id=org, name="One"), Stream(org_id=org, name="Other")
    await world.insert(stream, by=ada)
    await world.insert(other, by=ada)
    page = await window(ada, f"/streams/{stream.id}")
    runs = [
        AgentExecution(
            org_id=org, stream_id=each.id, agent_id="a", agent_name=f"of {each.name}", status=AgentStatus.RUNNING
        )
        for each in (stream, other)
    ]
    for run in runs:
        await world.insert(run, by=ada)
    await expect(live(page, "agent_executions", runs[0].id, "agent_name")).to_have_text("of One")
    await expect(live(page, "agent_executions", runs[1].id, "agent_name")).to_have_count(0)
    await world.sql("delete from streams where id = %s", stream.id)
    await expect(page.get_by_role("heading", name="There is no such stream")).to_be_visible()


async def test_an_alert_read_in_one_window_is_read_in_the_other_and_the_counters_agree(
    world: World, window: SignedIn
) -> None:
    org = await world.organization()
    ada = await world.person(org)
    first, second = await window(ada, "/alerts"), await window(ada, "/monitoring/alerts")
    alerts = [
        SignalAlert(org_id=org, user_id=ada.id, target_name=f"Target {n}", signal_type="late", signal_strength=95)
        for n in range(2)
    ]
    for alert in alerts:
        await world.insert(alert, by=ada)
    for page in (first, second):
        await expect(live(page, "inbox", "alerts", "unread")).to_have_text("2")
    await expect(live(second, "stats", "unread_alerts", "value")).to_have_text("2")
    row = first.locator(".lw-line", has_text="Target 0")
    await row.get_by_role("button").click()
    for page in (first, second):
        await expect(live(page, "inbox", "alerts", "unread")).to_have_text("1")
    await first.get_by_role("button", name="Mark all as read").click()
    for page in (first, second):
        await expect(live(page, "inbox", "alerts", "unread")).to_have_attribute("data-value", "0")
    assert await world.sql("select count(*) from signal_alerts where user_id = %s and read_at is null", ada.id) == [
        (0,)
    ]


async def test_a_notification_reaches_the_bell(world: World, window: SignedIn) -> None:
    org = await world.organization()
    ada, bob = await world.person(org), await world.person(org)
    page, others = await window(ada, "/notifications"), await window(bob, "/notifications")
    note = Notification(org_id=org, user_id=ada.id, title="Import finished", message="All good.")
    await world.insert(note, by=bob)
    await expect(live(page, "notifications", note.id, "title")).to_have_text("Import finished")
    await expect(live(page, "inbox", "notifications", "unread").first).to_have_text("1")
    assert "Import finished" not in await others.content()


async def test_a_row_that_fails_validation_is_named_in_the_system_tab_and_the_rest_goes_on(
    world: World, window: SignedIn
) -> None:
    org = await world.organization()
    ada = await world.person(org)
    page = await window(ada, "/monitoring/system")
    bad = uuid4()
    insert = "insert into streams (id, org_id, name, goal_status) values (%s, %s, 'x', 'odd')"
    async with world.odd_row("streams", "streams_goal_status_check", insert, bad, org):
        await expect(live(page, "quarantine", bad, "table")).to_have_text("streams")
        await expect(live(page, "quarantine", bad, "reason")).to_contain_text("goal_status")
        await expect(live(page, "stats", "quarantined", "value")).to_have_text("1")
    await page.goto("/monitoring")
    good = Stream(org_id=org, name="Fine")
    await world.insert(good, by=ada)
    await expect(live(page, "streams", good.id, "name")).to_have_text("Fine")


async def test_text_from_a_producer_is_shown_and_never_run(world: World, window: SignedIn) -> None:
    org = await world.organization()
    ada = await world.person(org)
    page = await window(ada)
    attack = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"
    stream = Stream(org_id=org, name=attack, description=attack, target_metrics={"quality": attack})
    await world.insert(stream, by=ada)
    await expect(live(page, "streams", stream.id, "name")).to_have_text(attack)
    assert await page.title() != "owned"


async def test_a_person_without_an_organisation_can_make_one(world: World, app: AppProcess, browser: Browser) -> None:
    person = await world.person()
    context = await new_context(browser, base_url=app.url)
    page = await context.new_page()
    await page.goto("/")
    await page.get_by_label("E-mail").fill(person.email)
    await page.get_by_label("Password").fill(person.password)
    await page.get_by_role("button", name="Sign in").click()
    await page.get_by_label("Name of the organisation").fill("\u2800\u200b")
    await page.get_by_role("button", name="Create organisation").click()
    await expect(page.get_by_text("Enter a name.")).to_be_visible()
    await page.get_by_label("Name of the organisation").fill("Fresh")
    await page.get_by_role("button", name="Create organisation").click()
    await expect(page.get_by_role("heading", name="Dashboard")).to_be_visible()
    await expect(page.locator(".lw-crumbs")).to_contain_text("Fresh")
    await context.close()


async def test_a_viewer_is_told_when_the_database_refuses(world: World, window: SignedIn) -> None:
    """All members may rename themselves; a refusal takes the same message path."""
    page = await window(await world.person(await world.organization(), role=Role.VIEWER), "/settings")
    await page.get_by_label("Display name").fill("\u2800\u200b")
    await page.get_by_role("button", name="Save", exact=True).click()
    await expect(page.get_by_text("The name must have 1 to 120 characters.")).to_be_visible()
    await page.get_by_label("Display name").fill("Ada")
    await page.get_by_role("button", name="Save", exact=True).click()
    await expect(page.get_by_text("Saved.")).to_be_visible()


async def test_a_setting_cannot_be_changed_before_the_present_one_is_known(world: World, window: SignedIn) -> None:
    page = await window(await world.person(await world.organization(), role=Role.ADMIN))
    await page.route_web_socket("**/_nicegui_ws/**", lambda socket: None)
    await page.goto("/settings")
    await expect(page.get_by_role("heading", name="Display name")).to_be_visible()
    await expect(page.get_by_label("Display name")).to_have_count(0)
    for label, _ in KINDS.values():
        await expect(page.get_by_role("heading", name=label, exact=True)).to_be_visible()
        await expect(page.get_by_label(label, exact=True)).to_have_count(0)
    await page.close()
    page = await page.context.new_page()
    await page.goto("/settings")
    await expect(page.get_by_label("Display name")).to_be_editable()
    for label, _ in KINDS.values():
        await expect(page.get_by_role("combobox", name=label, exact=True)).to_be_enabled()
    await expect(page.locator("#content .q-field--disabled")).to_have_count(0)


async def test_signing_out_in_one_window_sends_the_other_to_sign_in(world: World, window: SignedIn) -> None:
    ada = await world.person(await world.organization())
    first, second = await window(ada), await window(ada)
    await first.get_by_role("button", name="Account").click()
    await first.get_by_role("button", name="Sign out").click()
    for page in (first, second):
        await expect(page.get_by_text("You have signed out.")).to_be_visible()


async def test_health_is_open_and_tells_nothing(app: AppProcess) -> None:
    async with httpx.AsyncClient(base_url=app.url, timeout=deadline(10)) as http:
        answer = await http.get("/healthz")
        assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
        assert (await http.get("/monitoring")).status_code == 303
        assert (await http.get("/_nicegui_ws/../monitoring")).status_code in (303, 404)


async def test_what_is_typed_before_the_window_is_connected_arrives_before_the_click(
    app: AppProcess, browser: Browser, world: World
) -> None:
    person = await world.person()
    context = await new_context(browser, base_url=app.url, viewport=VIEWPORT)
    held: list[Callable[[], None]] = []
    is_open = False

    def hold(page_side: WebSocketRoute) -> None:
        server = page_side.connect_to_server()

        def send(message: str | bytes) -> None:
            if is_open:
                server.send(message)
            else:
                held.append(lambda: server.send(message))

        page_side.on_message(send)

    await context.route_web_socket(re.compile("/_nicegui_ws/"), hold)
    await enter(context, person)
    page = await context.new_page()
    await page.goto("/")
    await page.get_by_label("Name of the organisation").press_sequentially("Fresh and new")
    await page.get_by_role("button", name="Create organisation").click()
    is_open = True
    for each in held:
        each()
    await expect(page.locator(".lw-crumbs")).to_contain_text("Fresh and new")
    await context.close()

"""Every page in both themes and at every width: no serious axe finding, no overflow, no error."""

from datetime import UTC, datetime, timedelta

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page, expect

from services.entities import AcquisitionScan, AgentExecution, AgentStatus, GoalStatus, ScanStatus, Stream
from services.ingest.administration import create_key
from services.people.models import Role
from tests.app_process import AppProcess
from tests.browser import new_context
from tests.e2e.conftest import sign_in
from tests.world import Person, World

pytestmark = pytest.mark.e2e
LONG = "AVeryLongNameWithoutAnySpaceThatHasToBeCutSomewhere" * 3
PATHS = (
    "/",
    "/monitoring",
    "/monitoring/scans?selected={scan}",
    "/monitoring/agents?selected={run}",
    "/monitoring/alerts",
    "/monitoring/system",
    "/streams/{stream}",
    "/logs?q=line",
    "/analytics",
    "/alerts",
    "/notifications",
    "/connect",
    "/settings",
    "/no/such/page",
)
WIDTHS = (360, 390, 1024, 1440)


async def an_organisation_at_work(world: World) -> tuple[Person, dict[str, str]]:
    org = await world.organization("An organisation with a name of some length")
    ada = await world.person(org, role=Role.ADMIN)
    streams = [
        Stream(
            org_id=org,
            name=f"Stream {n}" if n else LONG,
            goal_status=status,
            completed=n * 10,
            total=100,
            stream_type="import",
        )
        for n, status in enumerate(GoalStatus)
    ]
    scans = [
        AcquisitionScan(
            org_id=org,
            stream_id=streams[n % 2].id,
            name=f"Scan {n}" if n else LONG,
            status=status,
            steps=["find", "read", "rank"],
            current_step="read",
            progress_percentage=n * 12,
        )
        for n, status in enumerate(ScanStatus)
    ]
    runs = [
        AgentExecution(
            org_id=org,
            stream_id=streams[0].id,
            agent_id="reader",
            agent_name=f"Reader {n}" if n else LONG,
            status=status,
            started_at=datetime.now(UTC) - timedelta(minutes=3),
            output_summary="read " * 60,
        )
        for n, status in enumerate(AgentStatus)
    ]
    for row in [*streams, *scans, *runs]:
        await world.insert(row, by=ada)
    for strength in (95, 80, 60, 10):
        await world.sql(
            "insert into signal_alerts (org_id, user_id, stream_id, target_name, signal_type, signal_strength) "
            "values (%s, %s, %s, %s, 'unusually_large', %s)",
            org, ada.id, streams[0].id, f"Target {strength}" if strength > 10 else LONG, strength,
        )  # fmt: skip
    for level in ("debug", "info", "warning", "error", "critical"):
        await world.sql(
            "insert into log_lines (org_id, run_id, level, message) values (%s, %s, %s, %s)",
            org, streams[0].id, level, f"A line \x1b[33mwith \x1b[1;44mcolours\x1b[0m, {LONG}",
        )  # fmt: skip
    for kind in ("info", "success", "warning", "error"):
        await world.sql(
            "insert into notifications (org_id, user_id, type, title, message) values (%s, %s, %s, %s, %s)",
            org, ada.id, kind, f"Title {kind}", LONG,
        )  # fmt: skip
    for name in ("Nightly jobs", LONG[:100]):
        await create_key(world.database, ada.identity, org, name=name)
    return ada, {"stream": str(streams[0].id), "scan": str(scans[0].id), "run": str(runs[0].id)}


async def quiet(page: Page) -> None:
    """Wait until the page has loaded and nothing moves."""
    await expect(page.locator(".lw-ghost:visible")).to_have_count(0)
    await page.wait_for_function(
        "document.getAnimations().every((each) => each.playState !== 'running'"
        " || each.effect.getTiming().iterations === Infinity)"
    )


async def serious(page: Page) -> list[str]:
    """Return the serious findings of axe."""
    found = await Axe().run(page)
    return [
        f"{violation['id']}: {node['html'][:200]} {[check['message'] for check in node['any'][:1]]}"
        for violation in found.response["violations"]
        if violation["impact"] in ("serious", "critical")
        for node in violation["nodes"]
    ]


@pytest.mark.parametrize("theme", ["light", "dark"])
async def test_every_page_is_accessible_fits_every_width_and_logs_no_error(
    world: World, app: AppProcess, browser: Browser, theme: str
) -> None:
    ada, ids = await an_organisation_at_work(world)
    context = await new_context(
        browser, base_url=app.url, color_scheme="dark" if theme == "dark" else "light", reduced_motion="reduce"
    )
    page = await context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    # A page that says that there is none comes with the status 404, which the browser calls an error.
    page.on(
        "console", lambda each: errors.append(each.text) if each.type == "error" and "404" not in each.text else None
    )
    await page.goto("/sign-in")
    await expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    await quiet(page)
    assert await serious(page) == []
    await sign_in(page, ada)
    wrong: list[str] = []
    for path in PATHS:
        await page.set_viewport_size({"width": 1440, "height": 900})
        await page.goto(path.format_map(ids))
        await page.wait_for_selector('body[data-live="connected"]')
        await quiet(page)
        assert await page.evaluate("document.body.classList.contains('body--dark')") == (theme == "dark")
        wrong += [f"{path}: {each}" for each in await serious(page)]
        for width in WIDTHS if theme == "light" else ():
            await page.set_viewport_size({"width": width, "height": 844})
            wide = await page.evaluate("document.documentElement.scrollWidth")
            if wide > width:
                wrong.append(f"{path} is {wide} px wide at {width} px")
    assert wrong == []
    assert errors == []
    await context.close()

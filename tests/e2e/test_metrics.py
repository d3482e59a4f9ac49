"""Metrics of runs on the page: live charts, gaps, zoom, comparison and download."""

import math
import re
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from playwright.async_api import Locator, Page, expect

from services.entities import GoalStatus, Stream
from tests.e2e.conftest import SignedIn
from tests.speed import deadline
from tests.world import Person, World

pytestmark = pytest.mark.e2e


async def a_stream(world: World, ada: Person, org: UUID, name: str = "Training") -> Stream:
    stream = Stream(org_id=org, name=name, goal_status=GoalStatus.ON_TRACK)
    await world.insert(stream, by=ada)
    return stream


async def log(world: World, stream: Stream, name: str, points: dict[int, Any]) -> None:
    """Store points as a report does, with the heartbeat that tells pages of it."""
    finite = [value for value in points.values() if math.isfinite(value)]
    await world.sql(
        "insert into run_metrics as m (run_id, name, org_id, kind, points, first_step, last_step, last_value, minimum, "
        "maximum) values (%s, %s, %s, 'streams', %s, %s, %s, %s, %s, %s) on conflict (run_id, name) do update set "
        "points = m.points + excluded.points, last_step = greatest(m.last_step, excluded.last_step), "
        "last_value = excluded.last_value",
        stream.id, name, stream.org_id, len(points), min(points), max(points), points[max(points)],
        min(finite, default=None), max(finite, default=None),
    )  # fmt: skip
    await world.sql(
        "insert into metric_points (run_id, name, step, org_id, at, value) "
        "select %s, %s, step, %s, now(), value from unnest(%s::bigint[], %s::float8[]) as each (step, value)",
        stream.id, name, stream.org_id, list(points), list(points.values()),
    )  # fmt: skip
    await world.sql("update streams set heartbeat_at = clock_timestamp() where id = %s", stream.id)


def chart(page: Page, name: str) -> Locator:
    return page.locator(f'[data-metric="{name}"]')


def cells(page: Page, name: str) -> Locator:
    return chart(page, name).locator("tbody tr")


@pytest.mark.lasting
async def test_a_chart_of_a_metric_follows_its_run_and_marks_what_is_not_finite(world: World, window: SignedIn) -> None:
    org = await world.organization()
    ada = await world.person(org)
    stream = await a_stream(world, ada, org)
    page = await window(ada, f"/streams/{stream.id}")
    await expect(page.get_by_role("region", name="Metrics", exact=True)).to_be_hidden()
    await log(world, stream, "loss", {1: 0.5, 2: math.nan, 3: 0.25})
    await chart(page, "loss").scroll_into_view_if_needed()
    await expect(cells(page, "loss")).to_have_count(3)
    await expect(cells(page, "loss").first).to_contain_text("0.25")
    await expect(cells(page, "loss").nth(1)).to_contain_text("not a number")
    await expect(chart(page, "loss").get_by_test_id("note")).to_contain_text("1 value is not finite")
    await expect(chart(page, "loss").locator("canvas")).to_be_visible()
    began = await page.evaluate("performance.now()")
    await log(world, stream, "loss", {4: 0.125})
    await expect(cells(page, "loss").first).to_contain_text("0.125")
    took = timedelta(milliseconds=await page.evaluate("performance.now()") - began)
    assert took.total_seconds() < deadline(1)
    # A point at an earlier step than the last one has its place, too.
    await log(world, stream, "loss", {0: 7})
    await expect(cells(page, "loss").last).to_contain_text("7")
    await expect(cells(page, "loss")).to_have_count(5)


@pytest.mark.lasting
async def test_another_organisation_sees_no_metrics_and_gets_no_file(world: World, window: SignedIn) -> None:
    ours, theirs = await world.organization(), await world.organization()
    ada, eve = await world.person(ours), await world.person(theirs)
    stream = await a_stream(world, ada, ours)
    await log(world, stream, "=cmd|' /C calc'!A0", {1: 0.5, 2: math.inf})
    page = await window(ada, f"/streams/{stream.id}")
    link = page.get_by_role("link", name="Download CSV")
    address = await link.get_attribute("href")
    assert address
    answer = await page.request.get(address)
    lines = (await answer.text()).removeprefix("\ufeff").splitlines()
    assert lines[0] == "metric,step,at,value"
    assert lines[2].startswith("'=cmd|' /C calc'!A0,2,")
    assert lines[2].endswith(",Infinity")
    other = await window(eve, "/monitoring")
    run = f"/export/metrics.csv?run={stream.id}"
    assert (await other.request.get(run)).status == 404
    assert "not the id" in await (await other.request.get("/export/metrics.csv?run=x")).text()


@pytest.mark.lasting
async def test_a_hundred_thousand_points_are_drawn_and_exact_on_zoom(world: World, window: SignedIn) -> None:
    org = await world.organization()
    ada = await world.person(org)
    stream = await a_stream(world, ada, org)
    await log(world, stream, "signal", {n: (99.0 if n == 40_000 else math.sin(n / 3000)) for n in range(100_000)})
    page = await window(ada, f"/streams/{stream.id}")
    signal = chart(page, "signal")
    await signal.scroll_into_view_if_needed()
    await expect(signal.locator('[data-field="points"]')).to_have_text("100,000")
    await expect(signal).to_have_attribute("data-exact", "false")
    first = signal.get_by_label("First step of signal")
    await first.fill("39000")
    await log(world, stream, "signal", {100_000: 0.5})
    await expect(signal.locator('[data-field="points"]')).to_have_text("100,001")
    await expect(first, "what is typed stays as points arrive").to_have_value("39000")
    await first.press("Tab")
    await signal.get_by_label("Last step of signal").fill("40500")
    await signal.get_by_label("Last step of signal").press("Tab")
    await expect(signal).to_have_attribute("data-exact", "true")
    await expect(signal).to_have_attribute("data-draw-ms", re.compile(r"\d+"))
    assert int(await signal.get_attribute("data-draw-ms") or "9999") < deadline(0.5) * 1000
    await signal.get_by_role("button", name="All steps").click()
    await expect(signal).to_have_attribute("data-exact", "false")


@pytest.mark.lasting
async def test_runs_are_drawn_over_each_other_where_they_are_compared(world: World, window: SignedIn) -> None:
    org = await world.organization()
    ada = await world.person(org)
    first, second = await a_stream(world, ada, org, "First"), await a_stream(world, ada, org, "Second")
    await log(world, first, "loss", {1: 0.5, 2: 0.4})
    await log(world, second, "loss", {2: 0.3})
    await log(world, second, "دقة", {1: 1})
    page = await window(ada, f"/compare?runs={first.id},{second.id}")
    await chart(page, "loss").scroll_into_view_if_needed()
    await expect(chart(page, "loss").locator("dt")).to_have_text(["First", "Second"])
    await expect(cells(page, "loss").first.locator("td")).to_have_text(["0.4", "0.3"])
    await expect(cells(page, "loss").nth(1).locator("td")).to_have_text(["0.5", "\N{EN DASH}"])
    await expect(chart(page, "دقة")).to_be_visible()
    await log(world, first, "loss", {3: 0.2})
    await expect(cells(page, "loss").first.locator("td")).to_have_text(["0.2", "\N{EN DASH}"])

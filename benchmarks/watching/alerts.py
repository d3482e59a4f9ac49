"""Measures a storm of alerts: `python -m benchmarks.watching.alerts [--alerts 3000] [--seconds 60]`.

Alerts come evenly, first to a window that is hidden, then to two devices of their recipient, by the push service of the
tests. A window's latency is the time from the return of a commit to the first title whose number counts it in.
"""

import argparse
import asyncio
import platform
import re
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

import psutil
from cryptography.hazmat.primitives.asymmetric import ec
from playwright.async_api import Browser, Page, async_playwright

from benchmarks.__main__ import commit
from benchmarks.stage import own_world
from services.push.application_key import ApplicationKey
from services.push.courier import REST_SECONDS, PushCourier
from services.push.devices import read_badge
from services.push.sender import PushSender
from tests.app_process import project_settings, running
from tests.browser import ADVICE, FLAGS, find
from tests.push_service import Phone, PushService, subscribe
from tests.world import Person, World

INSERT = """
    insert into signal_alerts (org_id, user_id, target_name, signal_type, signal_strength)
    values (%s, %s, 'Target ' || %s, 'storm', 60)
"""
WATCH = """() => {
    Object.defineProperty(document, "hidden", { get: () => true, configurable: true });
    document.dispatchEvent(new Event("visibilitychange"));
    window.seen = { titles: [], toasts: 0, elements: 0 };
    const look = () => {
        window.seen.titles.push([document.title, performance.timeOrigin + performance.now()]);
        window.seen.toasts = Math.max(window.seen.toasts, document.querySelectorAll(".lw-toast").length);
        window.seen.elements = Math.max(window.seen.elements, document.querySelectorAll("*").length);
    };
    const all = { childList: true, characterData: true, subtree: true };
    new MutationObserver(look).observe(document.querySelector("title"), all);
    new MutationObserver(look).observe(document.querySelector(".lw-toasts"), all);
    return document.querySelectorAll("*").length;
}"""
SETTLE_SECONDS = 5.0


async def main() -> None:
    """Measure, and print figures for docs/BENCHMARKS.md."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--alerts", type=int, default=3000)
    parser.add_argument("--seconds", type=float, default=60.0)
    given = parser.parse_args()
    print(
        f"Commit {commit()}, Python {platform.python_version()}, {psutil.cpu_count()} cores, load average "
        f"{psutil.getloadavg()[0]:.1f} before the start; {given.alerts} alerts in {given.seconds:.0f} s"
    )
    with tempfile.TemporaryDirectory(prefix="livewatch-alerts-", ignore_cleanup_errors=True) as name:
        async with own_world(Path(name)) as world:
            async with async_playwright() as playwright:
                browser = await playwright.chromium.launch(executable_path=find() or sys.exit(ADVICE), args=FLAGS)
                await to_a_window(world, browser, Path(name) / "app", given.alerts, given.seconds)
                await browser.close()
            await to_devices(world, given.alerts, given.seconds)


async def to_a_window(world: World, browser: Browser, data: Path, count: int, seconds: float) -> None:
    """Send a storm to one hidden window, and print what it did."""
    org = await world.organization()
    ada = await world.person(org)
    async with running(project_settings(world.status, data)) as app:
        context = await browser.new_context(base_url=app.url)
        form: dict[str, str | float | bool] = {"email": ada.email, "password": ada.password}
        await context.request.post("/session", form=form, max_redirects=0)
        page: Page = await context.new_page()
        await page.goto("/")
        await page.wait_for_selector('body[data-live="connected"]')
        await asyncio.sleep(SETTLE_SECONDS)
        elements, cpu = await page.evaluate(WATCH), _cpu(app.pid)
        heap = await _heap(page)
        committed = await storm(world, org, ada, count, seconds)
        await asyncio.sleep(SETTLE_SECONDS)
        seen: dict[str, Any] = await page.evaluate("window.seen")
        toast = await page.get_by_test_id("toast").get_attribute("data-count")
        used = (_cpu(app.pid) - cpu) / seconds
        print(f"window: commit to title, ms: {_summary(_latencies(committed, seen['titles']))}")
        print(
            f"  title {await page.title()!r}, changed {len(seen['titles'])} times at most; toasts at most "
            f"{seen['toasts']}, of {toast} alerts; elements {elements} before, {seen['elements']} at most; heap "
            f"{heap:.1f} MiB before, {await _heap(page):.1f} after; app {100 * used:.0f} % of a core"
        )
        await context.close()


async def to_devices(world: World, count: int, seconds: float) -> None:
    """Send a storm to the recipient of two devices, and print what they were told."""
    org, service = await world.organization(), PushService()
    ada = await world.person(org)
    phones = [service.phone(), service.phone()]
    for phone in phones:
        await subscribe(world, ada, phone)
    key = ApplicationKey(ec.generate_private_key(ec.SECP256R1()))
    async with PushSender(key, transport=service) as sender, PushCourier(world.database, sender):
        await storm(world, org, ada, count, seconds)
        during = [_pushes(phone) for phone in phones]
        last = time.perf_counter()
        while any(not phone.shown or phone.shown[-1]["badge"] != count for phone in phones):
            if time.perf_counter() - last > 2 * REST_SECONDS:
                break
            await asyncio.sleep(0.1)
        late = time.perf_counter() - last
        unread = await read_badge(world.database, ada.identity)
        badges = [phone.shown[-1]["badge"] for phone in phones]
        print(
            f"devices: pushes of a group while alerts came {during}, with those after it {[*map(_pushes, phones)]}; "
            f"the last badges {badges} of {unread} unread, {late:.1f} s after the last alert"
        )


async def storm(world: World, org: UUID, to: Person, count: int, seconds: float) -> list[float]:
    """Commit alerts evenly; returns when each was committed, in milliseconds since 1970."""
    committed, begin = [], time.perf_counter()
    for number in range(count):
        await asyncio.sleep(max(0.0, begin + number * seconds / count - time.perf_counter()))
        await world.sql(INSERT, org, to.id, str(number))
        committed.append(time.time() * 1000)
    return committed


def _latencies(committed: Sequence[float], titles: Sequence[tuple[str, float]]) -> list[float]:
    found, place = [], 0
    for number, at in enumerate(committed, start=1):
        while place < len(titles) and _number(titles[place][0]) < number:
            place += 1
        if place == len(titles):
            break
        found.append(max(0.0, titles[place][1] - at))
    return found


def _number(title: str) -> int:
    shown = re.match(r"\(([\d,]+)\)", title)
    return int(shown[1].replace(",", "")) if shown else 0


def _pushes(phone: Phone) -> dict[str, int]:
    return dict(Counter(each["tag"] for each in phone.shown))


async def _heap(page: Page) -> float:
    session = await page.context.new_cdp_session(page)
    await session.send("HeapProfiler.collectGarbage")
    used: float = (await session.send("Runtime.getHeapUsage"))["usedSize"] / 2**20
    await session.detach()
    return used


def _summary(values: Sequence[float]) -> str:
    cuts = statistics.quantiles(values, n=100, method="inclusive")
    return f"n = {len(values)}, p50 {cuts[49]:.1f}, p99 {cuts[98]:.1f}, maximum {max(values):.1f}"


def _cpu(pid: int) -> float:
    times = psutil.Process(pid).cpu_times()
    return times.user + times.system


if __name__ == "__main__":
    asyncio.run(main())

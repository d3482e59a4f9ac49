"""Fifty people who chat: `python -m benchmarks.chat` prints latency to the DOM, messages of Realtime and CPU.

Each person has a window, simulated but for two in Chromium, in whose DOM the latency is taken: from before the message
is written until it stands in the page, on one clock. `--processes 2` spreads the people over two apps.
"""

import argparse
import asyncio
import statistics
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import UUID, uuid4

import httpx
from playwright.async_api import Page, async_playwright

from benchmarks.cpu import cpu_seconds
from benchmarks.simulated_window import SimulatedWindow
from local_supabase.process import LocalSupabase
from services.auth.client import Auth
from services.chat.messages import NewMessage, Subject, post
from services.entities import Topical
from services.infra.backend import APP_ROLE, DEMO_EMAIL, MIGRATIONS
from services.infra.database import Database
from tests.app_process import AppProcess, project_settings, running
from tests.browser import FLAGS, find, new_context
from tests.world import Person, World

PEOPLE = 50
RATE = 20.0
"""Messages a second of all people together."""
OBSERVE = """() => {
  window.seen = [];
  const note = () => {
    for (const each of document.querySelectorAll('.lw-chat__message:not([data-seen])')) {
      if (each.dataset.testid === 'pending') continue;
      each.dataset.seen = '1';
      window.seen.push([each.querySelector('.lw-chat__body').textContent, performance.timeOrigin + performance.now()]);
    }
  };
  note();
  new MutationObserver(note).observe(document.querySelector('.lw-chat__messages'), { childList: true, subtree: true });
}"""


async def chat(seconds: float, processes: int) -> None:
    """Measure and print."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True)))
        data = folder / "data"
        local = await stack.enter_async_context(
            LocalSupabase.start(data=data, migrations=MIGRATIONS, user=DEMO_EMAIL, app_role=APP_ROLE)
        )
        auth = await stack.enter_async_context(Auth(url=local.status.api_url, key=local.status.anon_key))
        assert local.status.app_database_url
        database = await stack.enter_async_context(Database(local.status.app_database_url))
        world = await stack.enter_async_context(World(data, local, auth, database))
        apps = [
            await stack.enter_async_context(running(project_settings(world.status, folder / f"app{number}")))
            for number in range(processes)
        ]
        org = await world.organization("Bench")
        people = [await world.person(org) for _ in range(PEOPLE)]
        pages = await _windows(stack, apps, people)
        sent: dict[str, float] = {}
        before, deliveries = [cpu_seconds(app.pid) for app in apps], await _deliveries(world)
        began = time.monotonic()
        await _talk(world, org, people, seconds, sent)
        lasted = time.monotonic() - began
        await asyncio.sleep(2)
        after = [cpu_seconds(app.pid) for app in apps]
        written = await _deliveries(world) - deliveries
        shown = [each for page in pages for each in await page.evaluate("window.seen")]
        latencies = sorted(at - sent[body] for body, at in shown if body in sent)
        _report(sent, latencies, lasted, pages=len(pages), written=written, processes=processes)
        shares = [(b["server"] - a["server"]) / lasted for a, b in zip(before, after, strict=True)]
        print(f"CPU, share of a core: apps {', '.join(f'{share:.0%}' for share in shares)}", end="")
        for part in ("local Supabase", "PostgreSQL"):
            print(f", {part} {(after[0][part] - before[0][part]) / lasted:.0%}", end="")
        print()


async def _windows(stack: AsyncExitStack, apps: Sequence[AppProcess], people: Sequence[Person]) -> list[Page]:
    """Open a window for each person; returns those in a browser, one of each app or two of one."""
    playwright = await stack.enter_async_context(async_playwright())
    browser = await playwright.chromium.launch(executable_path=find(), args=FLAGS)
    stack.push_async_callback(browser.close)
    pages = []
    for number, person in enumerate(people):
        app = apps[number % len(apps)]
        form: dict[str, str | float | bool] = {"email": person.email, "password": person.password}
        if number < 2:
            context = await new_context(browser, base_url=app.url)
            await context.request.post("/session", form=form, max_redirects=0)
            page = await context.new_page()
            await page.goto("/chat")
            await page.wait_for_selector('body[data-live="connected"]')
            await page.get_by_text("No messages yet.").wait_for()
            await page.evaluate(OBSERVE)
            pages.append(page)
            continue
        http = await stack.enter_async_context(httpx.AsyncClient(base_url=app.url, timeout=60))
        await http.post("/session", data=form)
        window = SimulatedWindow(http, "/chat")
        await window.open()
        stack.push_async_callback(window.close)
        await window.until_live()
    return pages


async def _talk(world: World, org: UUID, people: Sequence[Person], seconds: float, sent: dict[str, float]) -> None:
    """Write at a steady rate, one person after the other, whether or not earlier messages have arrived."""
    everybody = Subject(table=Topical.ORGANIZATION, id=org)
    clock = asyncio.get_running_loop().time
    began = clock()
    async with asyncio.TaskGroup() as group:
        for number in range(round(seconds * RATE)):
            await asyncio.sleep(max(0.0, began + number / RATE - clock()))
            body = f"message {number}"
            sent[body] = time.time() * 1000
            person = people[number % len(people)]
            draft = NewMessage(id=uuid4(), body=body)
            group.create_task(post(world.database, person.identity, org, everybody, draft))


async def _deliveries(world: World) -> int:
    """Return how many broadcasts the database has sent on topics of organisations."""
    rows = await world.sql("select count(*) from realtime.messages where topic like 'org:%%' and event <> 'probe'")
    return int(rows[0][0])


def _report(
    sent: dict[str, float], latencies: Sequence[float], lasted: float, *, pages: int, written: int, processes: int
) -> None:
    def at(share: float) -> float:
        return latencies[min(len(latencies) - 1, int(share * len(latencies)))]

    print(f"{PEOPLE} people, {processes} processes, {len(sent)} messages in {lasted:.1f} s")
    print(f"shown: {len(latencies)} of {len(sent) * pages} in {pages} windows")
    print(
        f"written → DOM, ms: p50 {statistics.median(latencies):.0f}, p95 {at(0.95):.0f}, p99 {at(0.99):.0f}, "
        f"maximum {latencies[-1]:.0f}"
    )
    rate = written / lasted
    print(f"broadcasts on the organisation's topic: {rate:.0f}/s, {rate * processes:.0f} deliveries/s to the apps")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--processes", type=int, default=1)
    arguments = parser.parse_args()
    asyncio.run(chat(arguments.seconds, arguments.processes))

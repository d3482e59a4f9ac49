"""People who type into the same notes: `python -m benchmarks.notes` prints key press → other window, CPU and bytes.

Up to three people type in Chromium, in windows of one app, and the rest by the services of another process. Each
presses ten keys a second. Each key of the first typist is a character of its own, which is looked for in the windows
of the others; one who only reads is among them. All is taken on one clock.
"""

import argparse
import asyncio
import os
import statistics
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import UUID, uuid4

from playwright.async_api import Browser, Page, async_playwright

from benchmarks.cpu import cpu_seconds
from benchmarks.stage import own_world
from services.notes.changes import parse_changes
from services.notes.hub import NotesHub
from tests.app_process import AppProcess, project_settings, running
from tests.browser import FLAGS, find, new_context
from tests.world import Person, World

RATE = 10.0
"""Keys a second of each person."""
BROWSERS = 3
SETTLE_SECONDS = 15.0
FIRST = 0x4E00
LINE = 40
OBSERVE = """() => {
  window.pressed = {};
  window.seen = {};
  const now = () => performance.timeOrigin + performance.now();
  const content = document.querySelector('.cm-content');
  content.addEventListener('beforeinput', (event) => { if (event.data) window.pressed[event.data] = now(); }, true);
  new MutationObserver((mutations) => {
    const at = now();
    const lines = new Set(mutations.map(({ target }) => target.nodeType === 3 ? target.parentElement : target));
    for (const line of lines)
      for (const each of line?.textContent ?? '') if (each >= '\\u4e00' && each < '\\u9fff') window.seen[each] ??= at;
  }).observe(content, { childList: true, characterData: true, subtree: true });
}"""


async def notes(typists: int, seconds: float) -> None:
    """Measure and print."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True)))
        world = await stack.enter_async_context(own_world(folder))
        app = await stack.enter_async_context(running(project_settings(world.status, folder / "app")))
        playwright = await stack.enter_async_context(async_playwright())
        browser = await playwright.chromium.launch(executable_path=find(), args=FLAGS)
        stack.push_async_callback(browser.close)
        org, stream = await world.organization("Bench"), uuid4()
        await world.sql("insert into streams (id, org_id, name) values (%s, %s, 'Notes')", stream, org)
        people = [await world.person(org) for _ in range(typists + 1)]
        shown = min(typists, BROWSERS)
        pages = [await _window(browser, app, person, stream) for person in people[: shown + 1]]
        hub = await stack.enter_async_context(NotesHub(world.database))
        keys = round(seconds * RATE)
        # The app compresses the files of the pages once more when nobody asks for any.
        await asyncio.sleep(SETTLE_SECONDS)
        before, load = cpu_seconds(app.pid), os.getloadavg()[0]
        async with asyncio.TaskGroup() as group:
            for number, page in enumerate(pages[:shown]):
                group.create_task(_press(page, keys, is_measured=number == 0))
            for person in people[shown + 1 :]:
                group.create_task(_push(hub, person, stream, keys))
        after = cpu_seconds(app.pid)
        await asyncio.sleep(2)
        pressed = await pages[0].evaluate("window.pressed")
        seen = [await page.evaluate("window.seen") for page in pages[1:]]
        latencies = sorted(each[key] - at for each in seen for key, at in pressed.items() if key in each)
        print(f"{typists} typists, {len(pages)} windows, {keys * typists} keys in {seconds:.0f} s, load {load:.1f}")
        _report(latencies, len(pressed) * len(seen))
        used = {part: (after[part] - before[part]) * 1000 / (keys * typists) for part in after}
        print("CPU a key press, ms: " + ", ".join(f"{part} {ms:.2f}" for part, ms in sorted(used.items())))
        await _report_bytes(world, stream, keys * typists)


async def _window(browser: Browser, app: AppProcess, person: Person, stream: UUID) -> Page:
    context = await new_context(browser, base_url=app.url)
    form: dict[str, str | float | bool] = {"email": person.email, "password": person.password}
    await context.request.post("/session", form=form, max_redirects=0)
    page = await context.new_page()
    await page.goto(f"/streams/{stream}")
    await page.wait_for_selector('body[data-live="connected"]')
    await page.locator(".cm-content").click()
    await page.evaluate(OBSERVE)
    return page


async def _press(page: Page, keys: int, *, is_measured: bool) -> None:
    """Press keys at a steady rate."""
    clock = asyncio.get_running_loop().time
    began = clock()
    for number in range(keys):
        await asyncio.sleep(max(0.0, began + number / RATE - clock()))
        if number % LINE == LINE - 1:
            await page.keyboard.press("Enter")
        else:
            await page.keyboard.insert_text(chr(FIRST + number) if is_measured else "x")


async def _push(hub: NotesHub, person: Person, stream: UUID, keys: int) -> None:
    """Append characters in another process at a steady rate, as a window does: one update on its way at a time."""
    watch = hub.open(stream, person, on_change=lambda: None)
    await watch.authorize()
    client, clock = uuid4(), asyncio.get_running_loop().time
    began = clock()
    for number in range(keys):
        await asyncio.sleep(max(0.0, began + number / RATE - clock()))
        document = watch.document
        length = len(document.text)
        changes = parse_changes([*([length] if length else []), [0, "y"]])
        await watch.push(client, number + 1, document.version, changes)
    watch.close()


def _report(latencies: Sequence[float], expected: int) -> None:
    def at(share: float) -> float:
        return latencies[min(len(latencies) - 1, int(share * len(latencies)))]

    print(f"shown: {len(latencies)} of {expected}")
    print(
        f"key press → other window, ms: p50 {statistics.median(latencies):.0f}, p95 {at(0.95):.0f}, "
        f"p99 {at(0.99):.0f}, maximum {latencies[-1]:.0f}"
    )


async def _report_bytes(world: World, stream: UUID, keys: int) -> None:
    ((updates, size),) = await world.sql(
        "select count(*), coalesce(sum(pg_column_size(each.*)), 0) from document_updates as each"
        " where document_id = %s",
        stream,
    )
    ((messages, sent),) = await world.sql(
        "select count(*), coalesce(sum(pg_column_size(each.*)), 0) from realtime.messages as each"
        " where event in ('notes', 'caret')"
    )
    print(
        f"{updates} updates of {size / max(updates, 1):.0f} bytes and {messages} broadcasts of "
        f"{sent / max(messages, 1):.0f} bytes: {(size + sent) / keys:.0f} bytes a key press"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--typists", type=int, nargs="+", default=[1, 3, 10])
    parser.add_argument("--seconds", type=float, default=20.0)
    arguments = parser.parse_args()
    for count in arguments.typists:
        asyncio.run(notes(count, arguments.seconds))

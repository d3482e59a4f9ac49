"""Growth of the server cost with windows, rows and rate, as figures and plots."""

from contextlib import AsyncExitStack
from pathlib import Path

import httpx

from benchmarks.fan_out import HEAD, Crowd, FanOut
from benchmarks.loads import resize_streams
from benchmarks.plots import Line, plot
from benchmarks.stage import enter
from local_supabase.status import LocalSupabaseStatus
from tests.app_process import project_settings, running

WINDOWS = (1, 2, 5, 10, 20, 50, 100, 200)
ROWS = (10, 30, 100, 300, 1000, 5000)
RATES = (1, 3, 10, 30, 100, 300, 1000)
FEW, MANY = 10, 50
RATE = 100


async def growth(status: LocalSupabaseStatus, seconds: float, folder: Path, images: Path | None) -> None:
    """Measure and print the growth; with `images` also write the plots to that folder."""
    by_windows, by_rate, by_rows = [], [], []
    url = status.database_url.get_secret_value()
    async with running(project_settings(status, folder / "growth")) as app, AsyncExitStack() as stack:
        http = await stack.enter_async_context(httpx.AsyncClient(base_url=app.url, timeout=60))
        await enter(http, status)
        crowd = Crowd(http, "/monitoring", app.pid)
        stack.push_async_callback(crowd.close)
        streams = await resize_streams(status, 100)
        print(f"Windows at {RATE} changes/s, and rates at {MANY} windows\n{HEAD}")
        for size in WINDOWS:
            await crowd.grow(size)
            by_windows.append(printed(await crowd.measure(url, streams, rate=RATE, seconds=seconds)))
            if size == MANY:
                for rate in RATES:
                    by_rate.append(printed(await crowd.measure(url, streams, rate=rate, seconds=seconds)))
        print()
    async with running(project_settings(status, folder / "rows")) as app, AsyncExitStack() as stack:
        http = await stack.enter_async_context(httpx.AsyncClient(base_url=app.url, timeout=60))
        await enter(http, status)
        crowd = Crowd(http, "/monitoring", app.pid)
        stack.push_async_callback(crowd.close)
        await crowd.grow(FEW)
        print(f"Rows at {RATE} changes/s and {FEW} windows\n{HEAD}")
        for rows in ROWS:
            streams = await resize_streams(status, rows)
            print(f"{rows:,} rows")
            by_rows.append((rows, printed(await crowd.measure(url, streams, rate=RATE, seconds=seconds))))
        print()
    if images:
        draw(images, by_windows, by_rate, by_rows)


def printed(result: FanOut) -> FanOut:
    """Print a result and return it."""
    print(result.row(), flush=True)
    return result


def draw(images: Path, by_windows: list[FanOut], by_rate: list[FanOut], by_rows: list[tuple[int, FanOut]]) -> None:
    """Write the plots of the server's CPU use in percent of a core."""
    plots = {
        "windows": (
            f"More windows at {RATE} changes/s",
            "windows",
            [(each.windows, each.share) for each in by_windows],
        ),
        "rate": (f"More changes with {MANY} windows", "changes/s", [(each.rate, each.share) for each in by_rate]),
        "rows": (f"More rows at {RATE} changes/s", "rows", [(rows, each.share) for rows, each in by_rows]),
    }
    for name, (title, x, points) in plots.items():
        line = Line(name="Livewatch", points=[(a, max(0.1, share * 100)) for a, share in points])
        plot(images / f"growth-{name}.svg", title=title, x=x, y="% of a core", lines=[line])

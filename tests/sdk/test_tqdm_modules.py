"""The modules of tqdm that have a drop-in, and the bars of libraries, by `patch()`."""

import asyncio
import io
from collections.abc import AsyncIterator
from typing import Any

import livewatch
import pytest
from livewatch.tqdm import auto, contrib
from livewatch.tqdm import tqdm as reported_tqdm
from livewatch.tqdm.asyncio import tqdm as async_tqdm
from livewatch.tqdm.contrib.concurrent import process_map, thread_map
from livewatch.tqdm.contrib.logging import tqdm_logging_redirect

from tests.sdk.api_server import ApiServer
from tests.sdk.conftest import Start
from tests.speed import deadline


def told(server: ApiServer) -> list[tuple[str, float, float, str]]:
    """Return name, units done, total and end of each run."""
    livewatch.flush()
    paths = dict.fromkeys(each.path for each in server.writes if each.method == "PUT")
    states = [server.state(path) for path in paths]
    return [(each["name"], each["completed"], each["total"], each["end"]["status"]) for each in states]


def quiet(**options: Any) -> dict[str, Any]:
    return {"file": io.StringIO(), **options}


async def numbers(count: int) -> AsyncIterator[int]:
    for n in range(count):
        await asyncio.sleep(0)
        yield n


async def double(n: int) -> int:
    await asyncio.sleep(0)
    return 2 * n


async def test_asynchronous_loops_are_reported(reporting: ApiServer) -> None:
    assert [n async for n in async_tqdm(numbers(4), total=4, **quiet(desc="for"))] == [0, 1, 2, 3]
    assert await async_tqdm.gather(*map(double, range(5)), **quiet(desc="gather")) == [0, 2, 4, 6, 8]
    done = [await each for each in async_tqdm.as_completed([double(n) for n in range(3)], **quiet(desc="completed"))]
    assert sorted(done) == [0, 2, 4]
    assert await asyncio.to_thread(told, reporting) == [
        ("for", 4, 4, "completed"),
        ("gather", 5, 5, "completed"),
        ("completed", 3, 3, "completed"),
    ]


def test_the_automatic_bar_and_those_of_contrib_are_reported(reporting: ApiServer) -> None:
    assert list(auto.trange(3, **quiet(desc="auto"))) == [0, 1, 2]
    assert list(contrib.tenumerate("ab", **quiet(desc="tenumerate"))) == [(0, "a"), (1, "b")]
    assert list(contrib.tmap(str, range(2), **quiet(desc="tmap", total=2))) == ["0", "1"]
    assert list(contrib.tzip([1, 2], [3, 4], **quiet(desc="tzip"))) == [(1, 3), (2, 4)]
    assert thread_map(str, range(6), **quiet(desc="threads")) == [f"{n}" for n in range(6)]
    with tqdm_logging_redirect(total=1, **quiet(desc="logging")) as bar:
        bar.update()
    assert told(reporting) == [
        ("auto", 3, 3, "completed"),
        ("tenumerate", 2, 2, "completed"),
        ("tmap", 2, 2, "completed"),
        ("tzip", 2, 2, "completed"),
        ("threads", 6, 6, "completed"),
        ("logging", 1, 1, "completed"),
    ]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_map_over_processes_is_reported(reporting: ApiServer) -> None:
    assert process_map(str, range(4), max_workers=2, **quiet(desc="processes")) == ["0", "1", "2", "3"]
    assert told(reporting) == [("processes", 4, 4, "completed")]


def test_pandas_draws_reported_bars(reporting: ApiServer) -> None:
    pandas = pytest.importorskip("pandas")
    reported_tqdm.pandas(**quiet(desc="rows"))
    pandas.Series(range(5)).progress_apply(str)
    ((name, _, total, status),) = told(reporting)
    assert (name, total, status) == ("rows", 5, "completed")


def test_patched_bars_of_libraries_are_reported_once_each(server: ApiServer, start: Start) -> None:
    process = start("""
import io
from tqdm import tqdm, trange
from tqdm.auto import tqdm as auto
import livewatch.tqdm
livewatch.tqdm.patch()
livewatch.tqdm.patch()
quiet = {"file": io.StringIO()}
for _ in tqdm(range(3), "plain", **quiet): pass
for _ in trange(4, desc="range", **quiet): pass
for _ in auto(range(5), "auto", **quiet): pass
for _ in livewatch.tqdm.tqdm(range(6), "ours", **quiet): pass
for _ in tqdm(range(7), "headless", disable=None, **quiet): pass
for _ in tqdm(range(8), "disabled", disable=True, **quiet): pass
for n in tqdm(range(9), "left", **quiet):
    if n == 2: break
""")
    assert process.communicate(timeout=deadline(20))[1] == ""
    assert told(server) == [
        ("plain", 3, 3, "completed"),
        ("range", 4, 4, "completed"),
        ("auto", 5, 5, "completed"),
        ("ours", 6, 6, "completed"),
        ("headless", 7, 7, "completed"),
        ("left", 2, 9, "stopped"),
    ]


def test_a_patched_bar_costs_no_more_per_step(start: Start) -> None:
    """The reporter asks the bar; no step runs code of ours."""
    code = """
import io, time
from tqdm import tqdm
def seconds():
    began = time.perf_counter()
    for _ in tqdm(range(1_000_000), file=io.StringIO()): pass
    return time.perf_counter() - began
plain = min(seconds() for _ in range(3))
import livewatch.tqdm
livewatch.tqdm.patch()
print(min(seconds() for _ in range(3)) / plain)
"""
    output, _ = start(code).communicate(timeout=deadline(60))
    assert float(output) < 2


def test_a_notebook_bar_is_a_reported_one() -> None:
    pytest.importorskip("ipywidgets")
    from livewatch.tqdm.bars import ReportedBar  # noqa: PLC0415
    from livewatch.tqdm.notebook import tqdm_notebook  # noqa: PLC0415

    assert issubclass(tqdm_notebook, ReportedBar)

"""A short soak: windows tell a few faults, equal the database afterwards, and leave nothing behind in the app."""

from pathlib import Path

import pytest
from playwright.async_api import Browser

from benchmarks.soak.faults import FAULTS
from benchmarks.soak.soak import soaking
from tests.speed import deadline
from tests.world import World

pytestmark = pytest.mark.e2e
PACE = 0.5
WARM_UP = ("reset: browser", "reset: Realtime", "database sessions terminated")
MUST_TELL = ("half-open 15 s, then reset: Realtime", "app stopped 20 s", "refused 5 s: browser")
NEED_NOT_TELL = ("ADD COLUMN, DROP COLUMN",)
MAX_LIE_SECONDS = 10.0


@pytest.mark.lasting
async def test_windows_tell_faults_and_are_equal_to_the_database_after_them(
    world: World, browser: Browser, tmp_path: Path
) -> None:
    async with soaking(world, browser, tmp_path, pace=PACE) as soak:
        for name in WARM_UP:
            await soak.suffer(name, FAULTS[name])
        await soak.start()
        for name in (*MUST_TELL, *NEED_NOT_TELL):
            measured = await soak.suffer(name, FAULTS[name])
            assert measured.lie < deadline(MAX_LIE_SECONDS), measured
            assert measured.told is not None or name in NEED_NOT_TELL, measured
        changes = soak.writer.changes
        await soak.finish()
    assert changes > 0
    assert soak.problems == []

"""Reads follow changes while a window is seen: a hidden one reads nothing until it is back."""

import asyncio
from typing import Any, cast

from components.views.visible_reloads import VisibleReloads
from components.window.window import Window
from services.errors import LivewatchError
from tests.world import until


class FakeWindow:
    """Collects from its parts as a window does: in frames, while it is visible."""

    def __init__(self) -> None:
        self.parts: list[Any] = []
        self.is_visible = True
        self.frames = 0

    def add(self, part: Any) -> None:
        self.parts.append(part)

    def discard(self, part: Any) -> None:
        self.parts.remove(part)

    def mark_dirty(self) -> None:
        if self.is_visible:
            self.frame()

    def frame(self) -> None:
        self.frames += 1
        for part in self.parts:
            assert part.collect() is None

    def show(self) -> None:
        self.is_visible = True
        for part in self.parts:
            part.refresh()
        self.frame()


async def test_a_hidden_window_reads_once_it_is_seen_again() -> None:
    window, reads = FakeWindow(), 0

    async def read() -> None:
        nonlocal reads
        reads += 1

    reloads = VisibleReloads(cast(Window, window), read, name="test", on_failure=_unexpected)
    reloads.request()
    reloads.mark_due()
    await asyncio.sleep(0)
    assert reads == 0, "there is no element yet"
    reloads.start()
    await until(lambda: reads == 1)
    window.is_visible = False
    for _ in range(5):
        reloads.mark_due()
    await asyncio.sleep(0.02)
    assert reads == 1
    window.show()
    await until(lambda: reads == 2)
    reloads.request()
    await until(lambda: reads == 3)
    reloads.close()
    assert window.parts == []


def _unexpected(error: LivewatchError) -> None:
    raise AssertionError(str(error))

"""What a binding sends, and when it asks for a frame."""

import asyncio
from collections.abc import Collection
from typing import Any, cast
from uuid import UUID, uuid4

from nicegui.element import Element

from components.window.batch import Batch
from components.window.live_element import LiveBinding
from components.window.window import Window
from services.realtime import Delta
from tests.virtual_time import run


class FakeWindow:
    """Counts the frames that were asked for."""

    def __init__(self) -> None:
        self.asked: list[float] = []

    def mark_dirty(self, *, deliver_when_hidden: bool = False) -> None:
        self.asked.append(round(asyncio.get_running_loop().time(), 6))

    def discard(self, part: object) -> None: ...


class Sum:
    """A view with the number of its rows."""

    is_shared = False

    def __init__(self) -> None:
        self.value = 0
        self.dirty: list[set[UUID]] = []

    def full(self) -> Batch:
        return {"total": self.value}

    def patch(self, dirty: Collection[UUID]) -> Batch:
        self.dirty.append(set(dirty))
        return {"total": self.value}


def bound(interval: float) -> tuple[FakeWindow, Sum, LiveBinding]:
    window, view = FakeWindow(), Sum()
    element = cast(Element, type("Fake", (), {"id": 7})())
    binding = LiveBinding(cast(Window, window), element, view, deliver_when_hidden=False, interval=interval)
    binding.on_mounted()
    binding.collect()
    window.asked.clear()
    return window, view, binding


def change(view: Sum) -> list[Delta[Any]]:
    view.value += 1
    return [Delta(id=uuid4(), old=None, new=None)]


def test_with_an_interval_the_first_change_is_sent_at_once_and_the_last_one_at_its_end() -> None:
    async def scene() -> None:
        window, view, binding = bound(interval=1.0)
        await asyncio.sleep(0.2)
        sent = []
        for _ in range(10):
            binding.changed(change(view))
            # Frames that other elements cause do not bring it.
            sent.append(binding.collect())
            await asyncio.sleep(0.05)
        assert sent == [(7, {"total": 1}), *[None] * 9]
        await asyncio.sleep(1.0)
        assert window.asked == [0.2, 1.0]
        assert binding.collect() == (7, {"total": 10})
        assert len(view.dirty[-1]) == 9
        assert binding.collect() is None

    run(scene())


def test_a_refresh_waits_for_nothing_and_an_end_sends_nothing() -> None:
    async def scene() -> None:
        window, view, binding = bound(interval=1.0)
        binding.changed(change(view))
        binding.changed(change(view))
        binding.refresh()
        assert binding.collect() == (7, {"total": 2})
        binding.close()
        window.asked.clear()
        await asyncio.sleep(5)
        assert window.asked == []

    run(scene())


def test_a_view_that_windows_share_is_told_no_ids_which_would_cost_each_of_them() -> None:
    async def scene() -> None:
        _, view, binding = bound(interval=0.0)
        view.is_shared = True
        binding.changed(change(view))
        assert binding.collect() == (7, {"total": 1})
        view.is_shared = False
        binding.changed(change(view))
        assert binding.collect() == (7, {"total": 2})
        assert [len(each) for each in view.dirty] == [0, 1]

    run(scene())

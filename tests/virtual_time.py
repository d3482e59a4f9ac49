"""An event loop whose clock jumps to the next timer, so that tests of long delays take no time."""

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeVar

T = TypeVar("T")
Play = Callable[[T], Coroutine[Any, Any, None]]


class _JumpingSelector(selectors.DefaultSelector):
    """Polls, and adds the time that it would have waited to `elapsed`."""

    elapsed = 0.0

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(0)
        if not ready and timeout is None:
            raise RuntimeError("Every task waits for something that never happens.")
        if not ready and timeout:
            self.elapsed += timeout
        return ready


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """Time passes only while every task sleeps."""

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.elapsed


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine in virtual time; returns its result."""
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(coroutine)


def scenes(make: Callable[[], AbstractAsyncContextManager[T]]) -> Callable[[Play[T]], Callable[[], None]]:
    """Return a decorator of tests that take what `make` enters, and run in virtual time."""

    def scene(test: Play[T]) -> Callable[[], None]:
        async def play() -> None:
            async with make() as stage:
                await asyncio.sleep(0)
                await test(stage)

        def play_in_virtual_time() -> None:
            run(play())

        play_in_virtual_time.__name__ = test.__name__
        return play_in_virtual_time

    return scene

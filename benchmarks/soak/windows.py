"""Windows of a soak: what each shows and claims, sampled over its duration."""

import asyncio
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from playwright.async_api import Error, Page

from benchmarks.soak.writer import Writer

INTERVAL_SECONDS = 0.2
LOOK_TIMEOUT_SECONDS = 5.0
FRESH_SECONDS = 0.5
"""Age below which a value is on its way rather than old."""
LOOK = """() => {
  const live = () => document.body.dataset.live ?? "";
  if (!window.soakLosses) {
    window.soakLosses = [];
    new MutationObserver(() => live() !== "connected" && window.soakLosses.push(Date.now() / 1000))
      .observe(document.body, { attributes: true, attributeFilter: ["data-live"] });
  }
  const completed = document.querySelectorAll('[data-table="streams"][data-field="completed"]');
  return {
    at: Date.now() / 1000,
    live: live(),
    losses: window.soakLosses.splice(0),
    values: Object.fromEntries(
      [...completed].map((each) => [each.dataset.id, Number(each.textContent.replace(/[^0-9]/g, ""))])),
  };
}"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """All windows at a time in epoch seconds: age of the oldest value claimed live, whether all are live and fresh."""

    at: float
    lie: float
    is_equal: bool


@dataclass(eq=False, kw_only=True)
class Windows:
    """Samples the pages until cancelled; `losses` are the times at which each page left "connected"."""

    pages: Sequence[Page]
    writer: Writer
    streams: int
    samples: list[Sample] = field(default_factory=list)
    losses: list[list[float]] = field(default_factory=list)
    loads: int = 0
    errors: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.losses = [[] for _ in self.pages]
        for page in self.pages:
            page.on("load", lambda _: self._count_load())
            page.on("pageerror", lambda error: self.errors.append(str(error)))

    async def run(self) -> None:
        """Sample until cancelled."""
        while True:
            looks = await asyncio.gather(*map(self._look, range(len(self.pages))))
            self.samples.append(
                Sample(
                    at=time.time(),
                    lie=max((age for age in looks if age is not None), default=0.0),
                    is_equal=all(age is not None and age < FRESH_SECONDS for age in looks),
                )
            )
            await asyncio.sleep(INTERVAL_SECONDS)

    async def shown(self) -> list[dict[str, float]]:
        """Return the values that each page shows now."""
        return [(await page.evaluate(LOOK))["values"] for page in self.pages]

    async def _look(self, number: int) -> float | None:
        """Return the age of the oldest value that a window claims to be live, None if it claims nothing."""
        try:
            async with asyncio.timeout(LOOK_TIMEOUT_SECONDS):
                look = await self.pages[number].evaluate(LOOK)
        except (Error, TimeoutError):
            self.losses[number].append(time.time())
            return None
        self.losses[number] += look["losses"]
        if look["live"] != "connected":
            self.losses[number].append(look["at"])
            return None
        missing = self.streams - len(look["values"])
        return math.inf if missing else self.writer.age(look["values"], look["at"])

    def _count_load(self) -> None:
        self.loads += 1

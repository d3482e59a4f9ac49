"""Rate limits per key, as token buckets in this process."""

import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)

MAX_KEYS = 10_000
"""Keys that are remembered before those with a full bucket are forgotten; a new bucket is full, so nothing is lost."""


def checked_address(address: str | None) -> str | None:
    """Return an IP address without its zone; None for what is none, such as the path of a socket."""
    try:
        return str(ip_address((address or "").partition("%")[0]))
    except ValueError:
        return None


def network_of(address: str) -> str:
    """Return what one client holds of an IP address: itself, or of IPv6 the first 64 bits (RFC 4291, section 2.5.4)."""
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, IPv6Address):
        return str(parsed.ipv4_mapped or IPv6Address(int(parsed) >> 64 << 64))
    return str(parsed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """A sustained rate and the burst that is allowed after a quiet period."""

    per_second: float
    burst: int


class RateLimiter(Generic[K]):
    """Limits how often each key may act. Every app process counts for itself.

    Args:
        rate: The limit of one key.
        clock: Returns seconds.
    """

    def __init__(self, rate: Rate, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.rate = rate
        self._clock = clock
        self._buckets: dict[K, tuple[float, float]] = {}
        """Per key: its tokens, and the time at which it had them."""

    def acquire(self, key: K) -> float:
        """Take a token of the key; returns 0, or, taking none, the seconds until there will be one."""
        now = self._clock()
        tokens = self._tokens(key, now)
        if tokens < 1:
            return (1 - tokens) / self.rate.per_second
        if key not in self._buckets and len(self._buckets) >= MAX_KEYS:
            self._forget_full(now)
        self._buckets[key] = (tokens - 1, now)
        return 0.0

    def refund(self, key: K) -> None:
        """Give a token back: the act turned out to be one that is not limited."""
        if key in self._buckets:
            now = self._clock()
            self._buckets[key] = (min(self.rate.burst, self._tokens(key, now) + 1), now)

    def _tokens(self, key: K, now: float) -> float:
        tokens, since = self._buckets.get(key, (self.rate.burst, now))
        return min(self.rate.burst, tokens + (now - since) * self.rate.per_second)

    def _forget_full(self, now: float) -> None:
        self._buckets = {
            key: bucket for key, bucket in self._buckets.items() if self._tokens(key, now) < self.rate.burst
        }

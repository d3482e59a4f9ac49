"""Public keys of an external provider, cached and fetched again when a key is unknown."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import jwt

from local_supabase.errors import ProviderError
from local_supabase.web.rate_limiter import RateLimiter

KEY_TYPES = {"RS256": "RSA", "ES256": "EC", "EdDSA": "OKP"}
"""Accepted signature algorithms and the type of their keys; none and symmetric ones are not among them."""
LIFETIME_SECONDS = 3600.0
MAX_REFETCHES, REFETCH_WINDOW_SECONDS = 3, 60.0
"""Fetches for unknown keys within the window: a rotation is seen at once, and forged key ids cause no flood."""


class ProviderKeys:
    """JSON Web Key Set (RFC 7517) of a provider.

    Args:
        fetch: returns the key set's JSON; raises ProviderError.
        clock: seconds that never jump.
    """

    def __init__(self, fetch: Callable[[], Awaitable[Any]], *, clock: Callable[[], float] = time.monotonic) -> None:
        self._fetch = fetch
        self._clock = clock
        self._keys: list[dict[str, Any]] = []
        self._fetched_at: float | None = None
        self._refetches = RateLimiter(MAX_REFETCHES, REFETCH_WINDOW_SECONDS, clock)
        self._lock = asyncio.Lock()

    async def candidates(self, kid: str | None, algorithm: str) -> list[jwt.PyJWK]:
        """Return the keys that may have signed a token; raises ProviderError if there is none."""
        async with self._lock:
            if self._fetched_at is None or self._clock() - self._fetched_at > LIFETIME_SECONDS:
                await self._update()
            found = self._matching(kid, algorithm)
            if not found and self._refetches.acquire("unknown key"):
                await self._update()
                found = self._matching(kid, algorithm)
        if not found:
            raise ProviderError("the ID token is signed with a key that the provider does not publish")
        return found

    async def _update(self) -> None:
        answer = await self._fetch()
        keys = answer.get("keys") if isinstance(answer, dict) else None
        if not isinstance(keys, list):
            raise ProviderError("the provider's keys cannot be read")
        self._keys = [key for key in keys if isinstance(key, dict)]
        self._fetched_at = self._clock()

    def _matching(self, kid: str | None, algorithm: str) -> list[jwt.PyJWK]:
        found = []
        for key in self._keys:
            is_meant = kid is None or key.get("kid") == kid
            is_fit = key.get("kty") == KEY_TYPES.get(algorithm) and key.get("alg", algorithm) == algorithm
            if is_meant and is_fit and key.get("use", "sig") == "sig":
                try:
                    found.append(jwt.PyJWK.from_dict(key, algorithm=algorithm))
                except (jwt.PyJWTError, ValueError, TypeError):
                    continue
        return found

"""Hashing and checking passwords (argon2id) without holding up the event loop."""

import asyncio
import secrets

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

# RFC 9106, second recommendation, with less memory per try: this server shares a laptop with the app.
_HASHER = PasswordHasher(time_cost=2, memory_cost=32 * 1024, parallelism=1)
_AT_ONCE = 4


class Passwords:
    """Hashes in threads, a few at a time, so that many sign-ins cannot take all memory."""

    def __init__(self) -> None:
        self._turn = asyncio.Semaphore(_AT_ONCE)
        self._nobody: str | None = None

    async def hash(self, password: str) -> str:
        async with self._turn:
            return await asyncio.to_thread(_HASHER.hash, password)

    async def matches(self, password: str, hashed: str | None) -> bool:
        """Check a password; for an unknown user (`hashed` None) it takes as long and is false."""
        if hashed is None:
            if self._nobody is None:
                self._nobody = await self.hash(secrets.token_urlsafe())
            async with self._turn:
                await asyncio.to_thread(_verify, password, self._nobody)
            return False
        async with self._turn:
            return await asyncio.to_thread(_verify, password, hashed)


def _verify(password: str, hashed: str) -> bool:
    try:
        return _HASHER.verify(hashed, password)
    except (VerificationError, InvalidHashError):
        return False

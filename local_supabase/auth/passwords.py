"""Password hashing with argon2id, off the event loop."""

import asyncio
import secrets

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

# RFC 9106, second recommended option, with less memory per hash: the server shares a laptop with the application.
_HASHER = PasswordHasher(time_cost=2, memory_cost=32 * 1024, parallelism=1)
MAX_CONCURRENT_HASHES = 4


class Passwords:
    """Hashes and verifies passwords in threads; bounds concurrency, and with it memory."""

    def __init__(self) -> None:
        self._semaphore = asyncio.Semaphore(MAX_CONCURRENT_HASHES)
        self._decoy_hash: str | None = None

    async def hash(self, password: str) -> str:
        """Return the argon2id hash, with its parameters and salt."""
        async with self._semaphore:
            return await asyncio.to_thread(_HASHER.hash, password)

    async def verify(self, password: str, hashed: str | None) -> bool:
        """Verify a password; for an unknown user (`hashed` is None) take as long, and return False."""
        if hashed is None:
            if self._decoy_hash is None:
                self._decoy_hash = await self.hash(secrets.token_urlsafe())
            await self._verify(password, self._decoy_hash)
            return False
        return await self._verify(password, hashed)

    async def _verify(self, password: str, hashed: str) -> bool:
        async with self._semaphore:
            return await asyncio.to_thread(_verify, password, hashed)


def _verify(password: str, hashed: str) -> bool:
    try:
        return _HASHER.verify(hashed, password)
    except (VerificationError, InvalidHashError):
        return False

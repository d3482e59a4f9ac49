"""Ingest keys `lw_<id>_<secret>`, verified against the hash in the database."""

import asyncio
import hashlib
import hmac
import re
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from pydantic import SecretStr
from sqlalchemy import text

from services.errors import IngestRefused
from services.infra.claims import Anonymous
from services.infra.database import Database
from services.infra.logging import create_shared_task
from services.ingest.operations import Code, KeyScope

KEY_PATTERN = re.compile(r"lw_([a-z0-9]{8,32})_([A-Za-z0-9_-]{32,128})")
# A revoked key is accepted for at most this long; row-level security rejects its writes immediately.
CACHE_TTL_SECONDS = 3.0
MAX_CACHED_KEYS = 10_000

_VERIFY = text("select * from private.verify_ingest_key(:public_id, :secret_hash)")


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestKey:
    """A verified key: a Claimant that can only report or read, and only in its own organisation.

    `address` is the IP address of the program that used it; empty if unknown.
    """

    id: UUID
    org_id: UUID
    org_name: str
    label: str
    scopes: frozenset[KeyScope]
    address: str = ""

    @property
    def name(self) -> str:
        return f"the ingest key {self.label!r}"

    @property
    def claims(self) -> Mapping[str, Any]:
        used_at = {"ingest_address": self.address} if self.address else {}
        return {"role": "authenticated", "ingest_key": str(self.id), **used_at}


@dataclass(frozen=True, slots=True, kw_only=True)
class NewKey:
    """A generated key; only its hash is stored, so that `token` cannot be recovered later."""

    public_id: str
    token: SecretStr
    secret_hash: bytes


class ApiKeyVerifier:
    """Verifies keys against the database and caches results, valid or not, for `CACHE_TTL_SECONDS`."""

    def __init__(self, database: Database, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._clock = clock
        self._cache: dict[str, tuple[bytes, IngestKey | None, float]] = {}
        self._lookups: dict[tuple[str, bytes], asyncio.Task[IngestKey | None]] = {}

    async def verify(self, token: str) -> IngestKey:
        """Return the verified key of a token.

        Raises:
            IngestRefused: The token is malformed or unknown, or the key was revoked or has expired.
            DatabaseUnavailable: PostgreSQL did not respond.
        """
        if not (match := KEY_PATTERN.fullmatch(token)):
            raise _bad_key()
        public_id, digest = match[1], hash_secret(match[2])
        cached = self._cache.get(public_id)
        if cached and cached[2] > self._clock() and hmac.compare_digest(cached[0], digest):
            key = cached[1]
        else:
            key = await self._look_up_once(public_id, digest)
        if key is None:
            raise _bad_key()
        return key

    async def _look_up_once(self, public_id: str, digest: bytes) -> IngestKey | None:
        """Look up a key; concurrent calls for the same key share one query."""
        lookup = (public_id, digest)
        task = self._lookups.get(lookup)
        if task is None:
            task = self._lookups[lookup] = create_shared_task(
                self._look_up(public_id, digest), name=f"ingest key {public_id}"
            )
            task.add_done_callback(lambda _: self._lookups.pop(lookup, None))
        return await asyncio.shield(task)

    async def _look_up(self, public_id: str, digest: bytes) -> IngestKey | None:
        started_at = self._clock()
        async with self._database.as_user(Anonymous()) as session:
            connection = await session.connection()
            found = await connection.execute(_VERIFY, {"public_id": public_id, "secret_hash": digest})
            row = found.one_or_none()
        key = None
        if row is not None:
            key = IngestKey(
                id=row.id,
                org_id=row.org_id,
                org_name=row.org_name,
                label=row.name,
                scopes=frozenset(map(KeyScope, row.scopes)),
            )
        cached = self._cache.get(public_id)
        # A wrong secret must not evict the cached entry of the right one.
        if key or cached is None or cached[1] is None or hmac.compare_digest(cached[0], digest):
            self._store(public_id, (digest, key, started_at + CACHE_TTL_SECONDS))
        return key

    def _store(self, public_id: str, entry: tuple[bytes, IngestKey | None, float]) -> None:
        if len(self._cache) >= MAX_CACHED_KEYS:
            now = self._clock()
            self._cache = {id: each for id, each in self._cache.items() if each[2] > now}
            if len(self._cache) >= MAX_CACHED_KEYS:
                self._cache.clear()
        self._cache[public_id] = entry


def new_key() -> NewKey:
    """Generate a key with a secret of 256 random bits."""
    public_id, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
    return NewKey(public_id=public_id, token=SecretStr(f"lw_{public_id}_{secret}"), secret_hash=hash_secret(secret))


def hash_secret(secret: str) -> bytes:
    """Hash a secret with SHA-256; secrets of 256 random bits cannot be brute-forced and need no slow hash."""
    return hashlib.sha256(secret.encode()).digest()


def _bad_key() -> IngestRefused:
    return IngestRefused(
        Code.BAD_KEY,
        "This key is unknown, was revoked or has expired. Send a Livewatch key as "
        '"Authorization: Bearer lw_..."; an admin creates keys under Settings.',
    )

"""Ingest keys as programs send them: `lw_<id>_<secret>`, verified against the hash that the database keeps."""

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
from services.ingest.operations import Code, KeyScope

FORM = re.compile(r"lw_([a-z0-9]{8,32})_([A-Za-z0-9_-]{32,128})")
# A revoked key works no longer than this; row-level security refuses its writes at once.
FRESH = 3.0
MAX_KNOWN = 10_000

_VERIFY = text("select * from private.verify_ingest_key(:public_id, :secret_hash)")


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestKey:
    """A key that was verified; a Claimant, which can only report, and only in its organisation."""

    id: UUID
    org_id: UUID
    org_name: str
    label: str
    scopes: frozenset[KeyScope]

    @property
    def name(self) -> str:
        return f"the ingest key {self.label!r}"

    @property
    def claims(self) -> Mapping[str, Any]:
        return {"role": "authenticated", "ingest_key": str(self.id)}


@dataclass(frozen=True, slots=True, kw_only=True)
class NewKey:
    """A key at its making: the only time that `token` is known."""

    public_id: str
    token: SecretStr
    secret_hash: bytes


class ApiKeyVerifier:
    """Verifies keys, and remembers for a few seconds which were good and which were not."""

    def __init__(self, database: Database, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._clock = clock
        self._known: dict[str, tuple[bytes, IngestKey | None, float]] = {}
        self._asking: dict[tuple[str, bytes], asyncio.Task[IngestKey | None]] = {}

    async def verify(self, token: str) -> IngestKey:
        """The key that a program sent; raises IngestRefused for what is none or was revoked, DatabaseUnavailable."""
        if not (match := FORM.fullmatch(token)):
            raise _bad_key()
        public_id, digest = match[1], hash_secret(match[2])
        known = self._known.get(public_id)
        if known and known[2] > self._clock() and hmac.compare_digest(known[0], digest):
            key = known[1]
        else:
            key = await self._ask(public_id, digest)
        if key is None:
            raise _bad_key()
        return key

    async def _ask(self, public_id: str, digest: bytes) -> IngestKey | None:
        """Ask the database, once for all who want to know at the same time."""
        question = (public_id, digest)
        task = self._asking.get(question)
        if task is None:
            task = self._asking[question] = asyncio.create_task(
                self._look_up(public_id, digest), name=f"ingest key {public_id}"
            )
            task.add_done_callback(lambda _: self._asking.pop(question, None))
        return await asyncio.shield(task)

    async def _look_up(self, public_id: str, digest: bytes) -> IngestKey | None:
        asked_at = self._clock()
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
        known = self._known.get(public_id)
        # A wrong secret must not push out what is known of the right one.
        if key or known is None or known[1] is None or hmac.compare_digest(known[0], digest):
            self._remember(public_id, (digest, key, asked_at + FRESH))
        return key

    def _remember(self, public_id: str, known: tuple[bytes, IngestKey | None, float]) -> None:
        if len(self._known) >= MAX_KNOWN:
            now = self._clock()
            self._known = {id: each for id, each in self._known.items() if each[2] > now}
            if len(self._known) >= MAX_KNOWN:
                self._known.clear()
        self._known[public_id] = known


def new_key() -> NewKey:
    """Make up a key; its secret has 256 random bits."""
    public_id, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
    return NewKey(public_id=public_id, token=SecretStr(f"lw_{public_id}_{secret}"), secret_hash=hash_secret(secret))


def hash_secret(secret: str) -> bytes:
    """SHA-256: a secret of 256 random bits cannot be guessed, so that there is nothing for a slow hash to slow down."""
    return hashlib.sha256(secret.encode()).digest()


def _bad_key() -> IngestRefused:
    return IngestRefused(
        Code.BAD_KEY,
        'This key is not known, or was revoked. Send a key of Livewatch as "Authorization: Bearer lw_..."; an admin '
        "makes one under Settings.",
    )

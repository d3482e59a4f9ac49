"""Test tools: tokens, raw sockets, database connections and waiting for a condition."""

import asyncio
import json
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import psycopg
from websockets.asyncio.client import ClientConnection, connect

from local_supabase.auth.keys import Claims, SigningKey, sign
from local_supabase.process import LocalSupabase
from local_supabase.retry import poll
from local_supabase.tests.speed import deadline

FOLDER = Path(__file__).parent
ROOT = FOLDER.parents[1]
MIGRATIONS = FOLDER / "migrations"
DEADLINE = 10.0

U1 = "11111111-1111-1111-1111-111111111111"
U2 = "22222222-2222-2222-2222-222222222222"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """Signs arbitrary claims with the server's key."""

    key: SigningKey

    def sign(self, claims: Claims) -> str:
        return sign(self.key, claims)

    def of(self, user: str | None = U1, *, role: str = "authenticated", lifetime: float = 3600) -> str:
        claims: Claims = {"role": role, "exp": int(time.time() + lifetime), "aud": "authenticated"}
        return self.sign({**claims, "sub": user} if user else claims)


def new_address() -> str:
    """Return an e-mail address that nobody has."""
    return f"{uuid.uuid4().hex[:12]}@example.com"


def tokens_of(data: Path) -> Tokens:
    """Return the signer of a data directory."""
    secrets = json.loads((data / "secrets.json").read_text())
    return Tokens(key=SigningKey.from_pem(secrets["signing_key"]))


@asynccontextmanager
async def raw_socket(api_url: str, apikey: str | None, vsn: str = "1.0.0") -> AsyncIterator[ClientConnection]:
    """Connect to Realtime without a client library."""
    query = {"vsn": vsn} | ({"apikey": apikey} if apikey is not None else {})
    url = api_url.replace("http", "ws", 1) + "/realtime/v1/websocket?" + urlencode(query)
    async with connect(url, max_size=None, max_queue=None, compression=None) as connection:
        yield connection


async def receive(connection: ClientConnection, seconds: float = DEADLINE) -> Any:
    """Return the next frame; raises TimeoutError after the deadline."""
    async with asyncio.timeout(deadline(seconds)):
        return json.loads(await connection.recv())


async def send(connection: ClientConnection, topic: str, event: str, payload: Any, ref: str = "1") -> None:
    """Send a frame of protocol version 1.0.0."""
    frame = {"topic": topic, "event": event, "payload": payload, "ref": ref, "join_ref": "1"}
    await connection.send(json.dumps(frame))


def join_payload(*, private: bool = False, token: str | None = None, **config: Any) -> dict[str, Any]:
    """Return the payload of a `phx_join`; `config` overrides its options."""
    settings = {"broadcast": {"ack": False, "self": False}, "presence": {"key": "", "enabled": False}}
    payload: dict[str, Any] = {"config": {**settings, "private": private, "postgres_changes": [], **config}}
    return payload | ({"access_token": token} if token is not None else {})


async def until(condition: Callable[[], bool] | Callable[[], Awaitable[bool]], seconds: float = DEADLINE) -> None:
    """Wait until the condition holds; raises TimeoutError after the deadline."""
    await poll(condition, every=0.01, within=deadline(seconds))


@asynccontextmanager
async def admin_of(local: LocalSupabase, data: Path) -> AsyncIterator[psycopg.AsyncConnection[Any]]:
    """Connect as the superuser."""
    async with await psycopg.AsyncConnection.connect(admin_url(local, data), autocommit=True) as connection:
        yield connection


def admin_url(local: LocalSupabase, data: Path) -> str:
    """Return the superuser's URL, which the status does not contain."""
    secrets = json.loads((data / "secrets.json").read_text())
    url = local.status.database_url.get_secret_value()
    return url.replace(f"postgres:{secrets['owner_password']}", f"supabase_admin:{secrets['admin_password']}")


@asynccontextmanager
async def owner_of(local: LocalSupabase) -> AsyncIterator[psycopg.AsyncConnection[Any]]:
    """Connect as the owner of the data."""
    url = local.status.database_url.get_secret_value()
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        yield connection

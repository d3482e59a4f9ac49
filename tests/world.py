"""Test world: a real local Supabase with organisations and users, created through its public APIs."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self
from uuid import UUID, uuid4

import httpx
from argon2 import PasswordHasher
from pydantic import SecretStr

from local_supabase.postgres.pool import Pool
from local_supabase.process import LocalSupabase
from local_supabase.status import LocalSupabaseStatus
from services.auth.client import Auth, Tokens
from services.auth.identity import Identity
from services.entities import Row
from services.infra.database import Database
from services.people.models import Role
from tests.speed import deadline

CONNECTIONS = 10
CHEAP_HASHER = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
MIN_POLL_SECONDS = 0.01
MAX_POLL_SECONDS = 0.1


@dataclass(eq=False, kw_only=True)
class Person:
    """Signed-in user, who is also a Subscriber."""

    email: str
    password: str
    tokens: Tokens

    @property
    def identity(self) -> Identity:
        return self.tokens.identity

    @property
    def id(self) -> UUID:
        return self.identity.user_id


class World:
    """Creates organisations and users, and writes as the database's owner, like a job outside the app."""

    def __init__(self, data: Path, local: LocalSupabase, auth: Auth, database: Database) -> None:
        """Close with `aclose`."""
        self.data = data
        self.local = local
        self.auth = auth
        self.database = database
        self._http = httpx.AsyncClient(
            headers={"apikey": local.status.anon_key.get_secret_value()},
            timeout=deadline(10),
            # A kept connection may be to a server that a test has killed.
            limits=httpx.Limits(max_keepalive_connections=0),
        )
        self._pool = Pool(local.status.database_url.get_secret_value(), size=CONNECTIONS, name="tests")

    async def aclose(self) -> None:
        await self._http.aclose()
        await self._pool.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    @property
    def status(self) -> LocalSupabaseStatus:
        return self.local.status

    async def organization(self, name: str = "An organisation") -> UUID:
        id = uuid4()
        await self.sql("insert into organizations (id, name) values (%s, %s)", id, name)
        return id

    async def person(self, *orgs: UUID, role: Role = Role.OPERATOR, signs_up: bool = False) -> Person:
        """Create a signed-in user; `signs_up` has Auth hash the password, for what depends on how long that takes."""
        email, password = f"{uuid4().hex[:12]}@example.org", uuid4().hex
        auth = f"{self.status.api_url}/auth/v1"
        if signs_up:
            answer = await self._http.post(f"{auth}/signup", json={"email": email, "password": password})
        else:
            # A hash that is made and verified at once; that of a sign-up takes a core 70 ms.
            hashed = CHEAP_HASHER.hash(password)
            service = {"Authorization": f"Bearer {self.status.service_role_key.get_secret_value()}"}
            user = {"email": email, "password_hash": hashed, "email_confirm": True}
            answer = await self._http.post(f"{auth}/admin/users", json=user, headers=service)
            answer.raise_for_status()
            answer = await self._http.post(
                f"{auth}/token", params={"grant_type": "password"}, json={"email": email, "password": password}
            )
        answer.raise_for_status()
        session = answer.json()
        tokens = Tokens(
            access_token=SecretStr(session["access_token"]), refresh_token=SecretStr(session["refresh_token"])
        )
        person = Person(email=email, password=password, tokens=tokens)
        for org in orgs:
            await self.sql(
                "insert into org_members (org_id, user_id, role) values (%s, %s, %s)", org, person.id, role.value
            )
        return person

    async def sql(self, statement: str, *values: Any) -> list[Any]:
        """Run a statement as the owner; returns the rows, if any."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(statement.encode(), values)
            return await cursor.fetchall() if cursor.description else []

    @asynccontextmanager
    async def odd_row(self, table: str, constraint: str, insert: str, *values: Any) -> AsyncIterator[None]:
        """Insert a row that a constraint forbids, within the block; `values` begin with its id."""
        ((definition,),) = await self.sql(
            "select pg_get_constraintdef(oid) from pg_constraint where conname = %s", constraint
        )
        await self.sql(f"alter table {table} drop constraint {constraint}")
        try:
            await self.sql(insert, *values)
            yield
        finally:
            await self.sql(f"delete from {table} where id = %s", values[0])
            await self.sql(f"alter table {table} add constraint {constraint} {definition}")

    async def insert(self, row: Row, *, by: Person) -> None:
        """Insert as a user, under row-level security."""
        async with self.database.as_user(by.identity) as session:
            session.add(row)


async def until(condition: Callable[[], object | Awaitable[object]], *, within: float = 5.0, what: str = "") -> None:
    """Wait until the condition holds; fails with `what` (or the condition's name) at the deadline.

    `within` is in seconds on an idle machine. What takes long is asked for less often: a wait ends at most a twentieth
    of its time late, and leaves the processor to what it waits for.
    """
    clock = asyncio.get_running_loop().time
    began = clock()
    ends_at = began + deadline(within)
    while True:
        result = condition()
        if isinstance(result, Awaitable):
            result = await result
        if result:
            return
        if clock() > ends_at:
            raise AssertionError(f"not within {deadline(within):.0f} s: {what or condition}")
        await asyncio.sleep(min(max(MIN_POLL_SECONDS, (clock() - began) / 20), MAX_POLL_SECONDS))

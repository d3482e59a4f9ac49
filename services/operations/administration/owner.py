"""What the commands share: the owner's connection, the choice of an organisation, and errors of usage.

Standard output has what a script reads; everything else goes to standard error.
"""

import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import namedtuple_row
from pydantic import SecretStr

from services.auth.client import Auth
from services.demo.demo import Demo
from services.errors import ConfigurationError, LivewatchError
from services.infra.backend import Backend, open_backend
from services.infra.database import Database
from services.operations.migrations import connect_as_owner
from services.settings import Settings
from services.text import folded, is_blank, visible_name

USAGE_EXIT_CODE = 2
MAX_CHOICES = 20
MAX_NAME_CHARACTERS = 120

_ORGANIZATIONS = "select id, name from public.organizations order by name, id"

Connection = psycopg.AsyncConnection[Any]
Action = Callable[[Connection], Awaitable[None]]


class UsageError(LivewatchError):
    """A value of the command line names nothing; the message has the value and the choices."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Organization:
    """An organisation that a key may belong to."""

    id: UUID
    name: str

    def __str__(self) -> str:
        return f"{self.id}  {visible_name(self.name)}"


async def as_owner(settings: Settings, action: Action, *, needs_organization: bool = False) -> int:
    async def act(connection: Connection, _backend: Backend) -> None:
        await action(connection)

    return await as_owner_of(settings, act, needs_organization=needs_organization)


async def as_owner_of(
    settings: Settings,
    action: Callable[[Connection, Backend], Awaitable[None]],
    *,
    needs_organization: bool = False,
) -> int:
    try:
        async with (
            open_backend(settings, report=report, joins=True) as backend,
            _connected(backend) as connection,
        ):
            if needs_organization and backend.demo and not await all_organizations(connection):
                # As in the app, entering the demo creates its organisation.
                await _enter_demo(backend)
            await action(connection, backend)
    except UsageError as error:
        return refuse(error)
    return 0


@asynccontextmanager
async def _connected(backend: Backend) -> AsyncIterator[Connection]:
    """Open a connection of the tables' owner.

    Raises:
        ConfigurationError: There is no URL of the owner, or the database refused the connection or a statement.
    """
    given = os.environ.get("MIGRATE_DATABASE_URL")
    url = backend.owner_database_url or (SecretStr(given) if given else None)
    if url is None:
        raise ConfigurationError(
            "MIGRATE_DATABASE_URL is not set. Set it to the connection string of the role postgres, which owns the "
            "tables; it is under Connect in the project."
        )
    try:
        async with await connect_as_owner(url) as connection:
            yield connection
    except psycopg.Error as error:
        message = error.diag.message_primary or str(error).strip().splitlines()[0]
        raise ConfigurationError(
            f"The keys could not be reached: {message}. MIGRATE_DATABASE_URL must log in as the owner of the tables, "
            "which is postgres in a Supabase project, and `python main.py migrate` must have been run."
        ) from None


async def _enter_demo(backend: Backend) -> None:
    assert backend.demo is not None
    async with (
        Auth(url=backend.api_url, key=backend.anon_key) as auth,
        Database(backend.database_url, pool_size=2) as database,
    ):
        await Demo(backend.demo, auth=auth, database=database).enter()


async def all_organizations(connection: Connection) -> list[Organization]:
    return [Organization(id=row.id, name=row.name) for row in await read_rows(connection, _ORGANIZATIONS)]


async def read_rows(connection: Connection, statement: str) -> list[Any]:
    async with connection.cursor(row_factory=namedtuple_row) as cursor:
        await cursor.execute(statement.encode())
        return await cursor.fetchall()


def find_organizations(organizations: list[Organization], wanted: str) -> list[Organization]:
    """Return those with an id or a name; a name in another case or with other accents only if there is no exact one."""
    wanted = wanted.strip()
    return (
        [each for each in organizations if wanted.lower() == str(each.id)]
        or [each for each in organizations if wanted == each.name.strip()]
        or [each for each in organizations if folded(wanted) == folded(each.name.strip())]
    )


def choose_organization(organizations: list[Organization], wanted: str | None) -> Organization:
    """Return the organisation by id or name, or the only one; raises UsageError if there is no or more than one."""
    if not organizations:
        raise ConfigurationError("There is no organisation yet: sign in to the app, and create one on the first page.")
    matches = organizations if wanted is None else find_organizations(organizations, wanted)
    if len(matches) == 1:
        return matches[0]
    if wanted is None:
        problem = "There are several organisations: choose one with --org."
    elif matches:
        problem = f"Several organisations are called {one_line(wanted)!r}: choose one with --org and its id."
    else:
        problem, matches = f"There is no organisation {one_line(wanted)!r}.", organizations
    raise UsageError(f"{problem} {list_choices('Organisations', [str(each) for each in matches])}")


def checked_name(name: str) -> str:
    """Return a name without blanks around it; raises UsageError unless it has 1 to 120 visible characters."""
    stripped = name.strip()
    if is_blank(stripped) or len(stripped) > MAX_NAME_CHARACTERS:
        raise UsageError(f"The name {one_line(stripped)!r} is not of 1 to {MAX_NAME_CHARACTERS} visible characters.")
    return stripped


def print_table(lines: Sequence[Sequence[str]]) -> None:
    """Print lines of cells in columns."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def list_choices(title: str, choices: list[str]) -> str:
    shown = [*choices[:MAX_CHOICES], *(["…"] if len(choices) > MAX_CHOICES else [])]
    return "\n  ".join([f"{title}:", *shown]) if choices else f"{title}: none."


def shown_date(moment: datetime | None) -> str:
    return "-" if moment is None else f"{moment.astimezone():%Y-%m-%d %H:%M}"


def one_line(text: str) -> str:
    return " ".join(visible_name(text).split())


def refuse(error: UsageError) -> int:
    report(str(error))
    return USAGE_EXIT_CODE


def report(line: str) -> None:
    print(line, file=sys.stderr, flush=True)

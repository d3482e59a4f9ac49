"""The command `key`: creates, lists and revokes ingest keys as the database's owner, without a browser.

Standard output has what a script reads, the new key or the list; everything else goes to standard error.
"""

import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
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
from services.ingest.keys import new_key
from services.ingest.operations import KeyScope
from services.operations.migrations import connect_as_owner
from services.settings import Settings
from services.text import folded, is_blank, visible_name

MAX_NAME_CHARACTERS = 120
MAX_ID_CHARACTERS = 36
USAGE_EXIT_CODE = 2
MAX_CHOICES = 20

_ORGANIZATIONS = "select id, name from public.organizations order by name, id"
_CREATE = """
    insert into public.ingest_keys (org_id, name, public_id, secret_hash, scopes)
    values (%(org)s, %(name)s, %(public_id)s, %(secret_hash)s, %(scopes)s)
"""
_KEYS = """
    select key.id, key.name, key.public_id, key.scopes, key.created_at, key.last_used_at, key.revoked_at,
        org.id as org_id, org.name as org_name
    from public.ingest_keys as key join public.organizations as org on org.id = key.org_id
    order by org.name, org.id, key.created_at desc, key.id
"""
_REVOKE = "update public.ingest_keys set revoked_at = clock_timestamp() where id = %s and revoked_at is null"

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


async def create_key_command(settings: Settings, *, name: str, org: str | None, scopes: str | None) -> int:
    """Create a key and print it, alone, to standard output; return the exit code.

    Args:
        settings: The settings of the app.
        name: Name of the key, up to 120 characters.
        org: Id or name of the organisation; may be None if there is only one.
        scopes: Scopes separated by commas; None for all.
    """

    async def create(connection: Connection) -> None:
        chosen = _chosen(await _organizations(connection), org)
        key = new_key()
        values = {"org": chosen.id, "name": named, "public_id": key.public_id, "secret_hash": key.secret_hash}
        await connection.execute(_CREATE, {**values, "scopes": [scope.value for scope in granted]})
        print(key.token.get_secret_value(), flush=True)
        _report(
            f"Created the key {visible_name(named)} ({key.public_id}) of {visible_name(chosen.name)} for "
            f"{', '.join(granted)}. It is shown only this once."
        )

    try:
        named, granted = _checked_name(name), _checked_scopes(scopes)
    except UsageError as error:
        return _refuse(error)
    return await _as_owner(settings, create, needs_organization=True)


async def list_keys_command(settings: Settings, *, org: str | None) -> int:
    """Print the keys of an organisation, or of all; return the exit code."""

    async def list_all(connection: Connection) -> None:
        only = None if org is None else _chosen(await _organizations(connection), org)
        keys = [key for key in await _rows(connection, _KEYS) if only is None or key.org_id == only.id]
        if not keys:
            _report("There are no keys.")
            return
        lines = [("PUBLIC ID", "CREATED", "LAST USED", "REVOKED", "SCOPES", "ORGANISATION", "NAME")]
        lines += [
            (
                key.public_id,
                *(_date(each) for each in (key.created_at, key.last_used_at, key.revoked_at)),
                ",".join(scope for scope in KeyScope if scope in key.scopes),
                _line(key.org_name),
                _line(key.name),
            )
            for key in keys
        ]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        for line in lines:
            print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())

    return await _as_owner(settings, list_all)


async def revoke_key_command(settings: Settings, *, key: str) -> int:
    """Revoke a key for good; return the exit code. Idempotent.

    Args:
        settings: The settings of the app.
        key: Id or public id of the key, or the whole key.
    """
    # The secret of a whole key is neither needed nor repeated in a message.
    wanted = key.strip().removeprefix("lw_").partition("_")[0].lower()

    async def revoke(connection: Connection) -> None:
        keys = await _rows(connection, _KEYS)
        found = next((each for each in keys if wanted in (each.public_id, str(each.id))), None)
        if found is None:
            # What is longer than an id may be a secret.
            named = repr(_line(wanted)) if len(wanted) <= MAX_ID_CHARACTERS else "of this id"
            active = [f"{each.public_id}  {_line(each.name)}" for each in keys if each.revoked_at is None]
            raise UsageError(f"There is no key {named}. {_choices('Active keys', active)}")
        revoked = await connection.execute(_REVOKE, [found.id])
        state = "Revoked the key" if revoked.rowcount else "Already revoked: the key"
        _report(f"{state} {_line(found.name)} ({found.public_id}) of {_line(found.org_name)}.")

    return await _as_owner(settings, revoke)


async def _as_owner(settings: Settings, action: Action, *, needs_organization: bool = False) -> int:
    try:
        async with (
            open_backend(settings, report=_report, joins=True) as backend,
            _connected(backend) as connection,
        ):
            if needs_organization and backend.demo and not await _organizations(connection):
                # As in the app, entering the demo creates its organisation.
                await _enter_demo(backend)
            await action(connection)
    except UsageError as error:
        return _refuse(error)
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


async def _organizations(connection: Connection) -> list[Organization]:
    return [Organization(id=row.id, name=row.name) for row in await _rows(connection, _ORGANIZATIONS)]


async def _rows(connection: Connection, statement: str) -> list[Any]:
    async with connection.cursor(row_factory=namedtuple_row) as cursor:
        await cursor.execute(statement.encode())
        return await cursor.fetchall()


def _chosen(organizations: list[Organization], wanted: str | None) -> Organization:
    """Return the organisation by id or name, or the only one; raises UsageError if there is no or more than one."""
    if not organizations:
        raise ConfigurationError("There is no organisation yet: sign in to the app, and create one on the first page.")
    matches = organizations
    if wanted is not None:
        wanted = wanted.strip()
        matches = (
            [each for each in organizations if wanted.lower() == str(each.id)]
            or [each for each in organizations if wanted == each.name.strip()]
            or [each for each in organizations if folded(wanted) == folded(each.name.strip())]
        )
    if len(matches) == 1:
        return matches[0]
    if wanted is None:
        problem = "There are several organisations: choose one with --org."
    elif matches:
        problem = f"Several organisations are called {_line(wanted)!r}: choose one with --org and its id."
    else:
        problem, matches = f"There is no organisation {_line(wanted)!r}.", organizations
    raise UsageError(f"{problem} {_choices('Organisations', [str(each) for each in matches])}")


def _checked_name(name: str) -> str:
    stripped = name.strip()
    if is_blank(stripped) or len(stripped) > MAX_NAME_CHARACTERS:
        raise UsageError(f"The name {_line(stripped)!r} is not of 1 to {MAX_NAME_CHARACTERS} visible characters.")
    return stripped


def _checked_scopes(scopes: str | None) -> list[KeyScope]:
    asked = list(KeyScope) if scopes is None else [each.strip() for each in scopes.split(",")]
    for each in asked:
        if each not in list(KeyScope):
            raise UsageError(f"There is no scope {each!r}. Choose from {', '.join(KeyScope)}.")
    return [scope for scope in KeyScope if scope in asked]


def _choices(title: str, choices: list[str]) -> str:
    shown = [*choices[:MAX_CHOICES], *(["…"] if len(choices) > MAX_CHOICES else [])]
    return "\n  ".join([f"{title}:", *shown]) if choices else f"{title}: none."


def _date(moment: datetime | None) -> str:
    return "-" if moment is None else f"{moment.astimezone():%Y-%m-%d %H:%M}"


def _line(text: str) -> str:
    return " ".join(visible_name(text).split())


def _refuse(error: UsageError) -> int:
    _report(str(error))
    return USAGE_EXIT_CODE


def _report(line: str) -> None:
    print(line, file=sys.stderr, flush=True)

"""The command `key`: creates, lists and revokes ingest keys as the database's owner, without a browser.

Standard output has what a script reads, the new key or the list; everything else goes to standard error.
"""

from datetime import timedelta

from services.ingest.keys import new_key
from services.ingest.operations import REPORTING, KeyScope
from services.operations.administration.owner import (
    Connection,
    UsageError,
    all_organizations,
    as_owner,
    checked_name,
    choose_organization,
    list_choices,
    one_line,
    print_table,
    read_rows,
    refuse,
    report,
    shown_date,
)
from services.settings import Settings
from services.text import visible_name

MAX_ID_CHARACTERS = 36

_CREATE = """
    insert into public.ingest_keys (org_id, name, public_id, secret_hash, scopes, expires_at)
    values (%(org)s, %(name)s, %(public_id)s, %(secret_hash)s, %(scopes)s, now() + %(lifetime)s)
"""
_KEYS = """
    select key.id, key.name, key.public_id, key.scopes, key.created_at, key.last_used_at, key.expires_at,
        key.revoked_at, org.id as org_id, org.name as org_name
    from public.ingest_keys as key join public.organizations as org on org.id = key.org_id
    order by org.name, org.id, key.created_at desc, key.id
"""
_REVOKE = "update public.ingest_keys set revoked_at = clock_timestamp() where id = %s and revoked_at is null"


async def create_key_command(
    settings: Settings, *, name: str, org: str | None, scopes: str | None, days: int | None = None
) -> int:
    """Create a key and print it, alone, to standard output; return the exit code.

    Args:
        settings: The settings of the app.
        name: Name of the key, up to 120 characters.
        org: Id or name of the organisation; may be None if there is only one.
        scopes: Scopes separated by commas; None for those of a program that reports.
        days: Days until the key expires; None for never.
    """

    async def create(connection: Connection) -> None:
        chosen = choose_organization(await all_organizations(connection), org)
        key = new_key()
        values = {
            "org": chosen.id,
            "name": named,
            "public_id": key.public_id,
            "secret_hash": key.secret_hash,
            "scopes": [scope.value for scope in granted],
            "lifetime": None if days is None else timedelta(days=days),
        }
        await connection.execute(_CREATE, values)
        print(key.token.get_secret_value(), flush=True)
        report(
            f"Created the key {visible_name(named)} ({key.public_id}) of {visible_name(chosen.name)} for "
            f"{', '.join(granted)}. It is shown only this once."
        )

    try:
        named, granted = checked_name(name), _checked_scopes(scopes)
    except UsageError as error:
        return refuse(error)
    return await as_owner(settings, create, needs_organization=True)


async def list_keys_command(settings: Settings, *, org: str | None) -> int:
    """Print the keys of an organisation, or of all; return the exit code."""

    async def list_all(connection: Connection) -> None:
        only = None if org is None else choose_organization(await all_organizations(connection), org)
        keys = [key for key in await read_rows(connection, _KEYS) if only is None or key.org_id == only.id]
        if not keys:
            report("There are no keys.")
            return
        lines = [("PUBLIC ID", "CREATED", "LAST USED", "EXPIRES", "REVOKED", "SCOPES", "ORGANISATION", "NAME")]
        lines += [
            (
                key.public_id,
                *(shown_date(each) for each in (key.created_at, key.last_used_at, key.expires_at, key.revoked_at)),
                ",".join(scope for scope in KeyScope if scope in key.scopes),
                one_line(key.org_name),
                one_line(key.name),
            )
            for key in keys
        ]
        print_table(lines)

    return await as_owner(settings, list_all)


async def revoke_key_command(settings: Settings, *, key: str) -> int:
    """Revoke a key for good; return the exit code. Idempotent.

    Args:
        settings: The settings of the app.
        key: Id or public id of the key, or the whole key.
    """
    # The secret of a whole key is neither needed nor repeated in a message.
    wanted = key.strip().removeprefix("lw_").partition("_")[0].lower()

    async def revoke(connection: Connection) -> None:
        keys = await read_rows(connection, _KEYS)
        found = next((each for each in keys if wanted in (each.public_id, str(each.id))), None)
        if found is None:
            # What is longer than an id may be a secret.
            named = repr(one_line(wanted)) if len(wanted) <= MAX_ID_CHARACTERS else "of this id"
            active = [f"{each.public_id}  {one_line(each.name)}" for each in keys if each.revoked_at is None]
            raise UsageError(f"There is no key {named}. {list_choices('Active keys', active)}")
        revoked = await connection.execute(_REVOKE, [found.id])
        state = "Revoked the key" if revoked.rowcount else "Already revoked: the key"
        report(f"{state} {one_line(found.name)} ({found.public_id}) of {one_line(found.org_name)}.")

    return await as_owner(settings, revoke)


def _checked_scopes(scopes: str | None) -> list[KeyScope]:
    asked = list(REPORTING) if scopes is None else [each.strip() for each in scopes.split(",")]
    for each in asked:
        if each not in list(KeyScope):
            raise UsageError(f"There is no scope {each!r}. Choose from {', '.join(KeyScope)}.")
    return [scope for scope in KeyScope if scope in asked]

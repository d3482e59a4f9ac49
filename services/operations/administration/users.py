"""The command `user`: invites, lists and removes users as the database's owner; and the link of the first set-up."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import SecretStr

from services.operations.administration.owner import (
    Connection,
    Organization,
    UsageError,
    all_organizations,
    as_owner,
    checked_name,
    choose_organization,
    find_organizations,
    list_choices,
    one_line,
    print_table,
    read_rows,
    refuse,
    report,
    shown_date,
)
from services.people.invitations import DEFAULT_LIFETIME, addresses_in, digest_of, link_of, new_token
from services.people.models import Role
from services.settings import Settings
from services.text import visible_name

SETUP_LIFETIME = timedelta(hours=1)
SETUP_ORGANIZATION = "First organisation"

_CREATE = "insert into public.organizations (name) values (%s) returning id, name"
_INVITE = """
    insert into public.invitations (org_id, email, role, token_hash, expires_at)
    values (%(org)s, %(email)s, %(role)s, %(digest)s, %(expires_at)s)
"""
_USERS = """
    select person.email, person.created_at, person.last_sign_in_at,
        coalesce(string_agg(org.name || ' (' || member.role || ')', ', ' order by org.name), '-') as memberships
    from auth.users as person
    left join public.org_members as member on member.user_id = person.id
    left join public.organizations as org on org.id = member.org_id
    group by person.id order by person.email, person.id
"""
_REMOVE = "delete from auth.users where lower(email) = %s"
_HAS_MEMBERS = """
    select exists (
        select from public.org_members as member join auth.users as person on person.id = member.user_id
        where lower(person.email) <> %s
    )
"""
# A set-up link that was not used makes room for the next one.
_FORGET_SETUP = """
    delete from public.organizations as org where org.name = %s
        and not exists (select from public.org_members as member where member.org_id = org.id)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Invitee:
    """Who is invited: an address, None for anybody with the link; to which organisation, and with which role."""

    email: str | None
    organization: Organization
    role: Role
    lifetime: timedelta = DEFAULT_LIFETIME


async def add_user_command(settings: Settings, *, email: str, org: str | None, is_admin: bool, address: str) -> int:
    """Print a link, alone, to standard output by which a person joins; return the exit code.

    Args:
        settings: The settings of the app.
        email: The person's address, which the account must have.
        org: Id or name of the organisation; a name that no organisation has creates one. None if there is only one.
        is_admin: Whether the person becomes an admin, rather than an operator.
        address: URL at which the person reaches the app.
    """
    found, wrong = addresses_in(email)
    if wrong or len(found) != 1:
        return refuse(UsageError(f"{one_line(email)!r} is not an e-mail address."))

    async def add(connection: Connection) -> None:
        known = await all_organizations(connection)
        is_new = org is not None and not find_organizations(known, org)
        chosen = await _created(connection, org) if org and is_new else choose_organization(known, org)
        role = Role.ADMIN if is_admin else Role.OPERATOR
        token = await _invite(connection, Invitee(email=found[0], organization=chosen, role=role))
        print(link_of(token, address), flush=True)
        report(
            f"{found[0]} joins {visible_name(chosen.name)} as {role} by this link, which works once and for "
            f"{DEFAULT_LIFETIME.days} days. It opens an account for somebody who has none."
        )

    return await as_owner(settings, add)


async def list_users_command(settings: Settings) -> int:
    """Print all users with their organisations and roles; return the exit code."""

    async def list_all(connection: Connection) -> None:
        users = await read_rows(connection, _USERS)
        lines = [("E-MAIL", "CREATED", "LAST SIGN-IN", "ORGANISATIONS")]
        lines += [
            (
                each.email or "-",
                shown_date(each.created_at),
                shown_date(each.last_sign_in_at),
                one_line(each.memberships),
            )
            for each in users
        ]
        print_table(lines)

    return await as_owner(settings, list_all)


async def remove_user_command(settings: Settings, *, email: str) -> int:
    """Remove a user with all memberships; return the exit code."""

    async def remove(connection: Connection) -> None:
        removed = await connection.execute(_REMOVE, [email.strip().lower()])
        if not removed.rowcount:
            known = [each.email or "-" for each in await read_rows(connection, _USERS)]
            raise UsageError(f"There is no user {one_line(email)!r}. {list_choices('Users', known)}")
        report(f"Removed {one_line(email.strip())} from every organisation; open windows end within seconds.")

    return await as_owner(settings, remove)


async def setup_link(connection: Connection, *, address: str, demo_email: str) -> str | None:
    """Return a link that makes its holder the admin of a first organisation; None once anybody is a member of one.

    Args:
        connection: A connection of the tables' owner.
        address: URL at which people reach the app.
        demo_email: Address of the demo user, who does not count.
    """
    cursor = await connection.execute(_HAS_MEMBERS, [demo_email])
    row = await cursor.fetchone()
    if row and row[0]:
        return None
    await connection.execute(_FORGET_SETUP, [SETUP_ORGANIZATION])
    organization = await _created(connection, SETUP_ORGANIZATION)
    invitee = Invitee(email=None, organization=organization, role=Role.ADMIN, lifetime=SETUP_LIFETIME)
    return link_of(await _invite(connection, invitee), address)


async def _created(connection: Connection, name: str) -> Organization:
    cursor = await connection.execute(_CREATE, [checked_name(name)])
    row: Any = await cursor.fetchone()
    return Organization(id=row[0], name=row[1])


async def _invite(connection: Connection, invitee: Invitee) -> SecretStr:
    token = new_token()
    values = {
        "org": invitee.organization.id,
        "email": invitee.email,
        "role": invitee.role.value,
        "digest": digest_of(token),
        "expires_at": datetime.now(UTC) + invitee.lifetime,
    }
    await connection.execute(_INVITE, values)
    return token

"""The functions of the database that give roles by groups: whom they trust, and who may call them."""

import json
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from services.errors import LivewatchError
from services.people.models import Role
from tests.world import Person, World

ROLES = {"a": "viewer", "b": "operator", "c": "admin"}


async def identify(world: World, person: Person, **claims: object) -> None:
    """Have Auth know an identity of a provider."""
    await world.sql(
        "insert into auth.identities (provider_id, user_id, identity_data, provider, last_sign_in_at)"
        " values (gen_random_uuid(), %s, %s, 'keycloak', clock_timestamp())",
        person.id,
        json.dumps({"sub": "x", "custom_claims": claims}),
    )


async def applied(world: World, person: Person, org: UUID | str, provider: str = "keycloak") -> str:
    values = {"person": person.id, "provider": provider, "org": str(org), "roles": json.dumps(ROLES)}
    async with world.database.as_app() as session:
        call = text("select private.apply_sso_groups(:person, :provider, :org, cast(:roles as jsonb))")
        return str((await (await session.connection()).execute(call, values)).scalar_one())


async def role_in(world: World, person: Person, org: UUID) -> str | None:
    rows = await world.sql("select role from org_members where org_id = %s and user_id = %s", org, person.id)
    return rows[0][0] if rows else None


@pytest.mark.parametrize(
    ("claims", "role"),
    [
        ({"groups": ["a", "c", "b"]}, "admin"),
        ({"groups": "b"}, "operator"),
        ({"roles": ["a"], "groups": ["z"]}, "viewer"),
        ({"realm_access": {"roles": ["b"]}}, "operator"),
        ({"groups": ["A", "a ", "admin"]}, None),
        ({"groups": [{"name": "c"}, 7, None, ["c"]]}, None),
        ({"groups": {"c": "c"}}, None),
        ({"groups": None}, None),
        ({}, None),
    ],
)
async def test_the_highest_role_of_all_groups_counts(world: World, claims: dict[str, object], role: str | None) -> None:
    org, ada = await world.organization(), await world.person()
    await identify(world, ada, **claims)
    assert await applied(world, ada, org) == ("joined" if role else "unchanged")
    assert await role_in(world, ada, org) == role


@pytest.mark.parametrize("claims", [{"_claim_names": {"groups": "src1"}}, {"hasgroups": "true"}, {"hasgroups": True}])
async def test_groups_that_a_provider_leaves_out_take_no_role(world: World, claims: dict[str, object]) -> None:
    """Entra ID names none in the token of a person of more than 200."""
    org, ada = await world.organization(), await world.person()
    await identify(world, ada, groups=["b"])
    await applied(world, ada, org)
    await identify(world, ada, **claims)
    assert await applied(world, ada, org) == "no groups"
    assert await role_in(world, ada, org) == "operator"


async def test_what_users_write_about_themselves_gives_no_role(world: World) -> None:
    org, ada = await world.organization(), await world.person()
    claims = json.dumps({"custom_claims": {"groups": ["c"]}, "groups": ["c"]})
    await world.sql(
        "update auth.users set raw_user_meta_data = %s, raw_app_meta_data = %s where id = %s", claims, claims, ada.id
    )
    await identify(world, ada, groups=["z"])
    assert await applied(world, ada, org) == "unchanged"
    assert await applied(world, ada, org, provider="email") == "unchanged"


@pytest.mark.parametrize("call", ["apply_sso_groups(auth.uid(), 'keycloak', 'x', '{}')", "sso_groups(auth.uid(), 'x')"])
async def test_no_user_may_call_the_functions(world: World, call: str) -> None:
    ada = await world.person()
    with pytest.raises((LivewatchError, ProgrammingError)):
        async with world.database.as_user(ada.identity) as session:
            await (await session.connection()).execute(text(f"select private.{call}"))


async def test_the_app_itself_sees_no_rows(world: World) -> None:
    await world.organization()
    for table in ("public.organizations", "auth.identities", "public.org_members"):
        with pytest.raises((LivewatchError, ProgrammingError)):
            async with world.database.as_app() as session:
                await (await session.connection()).execute(text(f"select * from {table}"))


async def test_no_user_marks_a_membership_as_given_by_groups(world: World) -> None:
    org = await world.organization()
    admin = await world.person(org, role=Role.ADMIN)
    with pytest.raises((LivewatchError, ProgrammingError)):
        async with world.database.as_user(admin.identity) as session:
            await (await session.connection()).execute(text("update public.org_members set granted_by = 'sso'"))


async def test_an_organisation_is_found_by_id_or_by_its_oldest_name(world: World) -> None:
    name = f"Twice {UUID(int=7)}"
    first, second = await world.organization(name), await world.organization(name)
    ada, bob = await world.person(), await world.person()
    for person in (ada, bob):
        await identify(world, person, groups=["a"])
    assert await applied(world, ada, f" {name} ") == "joined"
    assert await role_in(world, ada, first) == "viewer"
    assert await applied(world, bob, second) == "joined"
    assert await role_in(world, bob, second) == "viewer"
    assert await applied(world, ada, "No such") == "no organization"


async def test_the_latest_identity_counts(world: World) -> None:
    org, ada = await world.organization(), await world.person()
    await identify(world, ada, groups=["c"])
    await identify(world, ada, groups=["a"])
    await applied(world, ada, org)
    assert await role_in(world, ada, org) == "viewer"

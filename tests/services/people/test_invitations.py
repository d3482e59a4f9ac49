"""Invitations: each joins one person once, and a token that does not is told from one that is unknown."""

import asyncio
from datetime import timedelta

import pytest

from services.errors import NotFound, PermissionDenied
from services.people import invitations, team
from services.people.invitations import Outcome, accept, addresses_in, invite, read_offer
from services.people.models import Role
from tests.world import Person, World

pytestmark = pytest.mark.integration


async def link(world: World, by: Person, org: object, **choice: object) -> str:
    (made,) = await invite(world.database, by.identity, org, **{"role": Role.OPERATOR, **choice})  # type: ignore[arg-type]
    return made.token.get_secret_value()


async def test_a_link_joins_one_person_once(world: World) -> None:
    ours = await world.organization("Ours")
    ada, bob, eve = await world.person(ours, role=Role.ADMIN), await world.person(), await world.person()
    token = await link(world, ada, ours)
    offer = await read_offer(world.database, token)
    assert offer
    assert (offer.org_name, offer.role, offer.state, offer.is_member) == ("Ours", Role.OPERATOR, "open", False)
    outcomes = await asyncio.gather(*(accept(world.database, each.identity, token) for each in (bob, eve)))
    assert sorted(outcome for _, outcome in outcomes) == [Outcome.ACCEPTED, Outcome.JOINED]
    joined = next(each for each in await team.members(world.database, ada.identity, ours) if each.user_id != ada.id)
    assert (joined.role, joined.invited_by) == (Role.OPERATOR, ada.email.partition("@")[0])
    assert await invitations.open_invitations(world.database, ada.identity, ours) == []


async def test_an_address_binds_an_invitation_and_a_member_uses_none_up(world: World) -> None:
    ours = await world.organization()
    ada, bob, eve = await world.person(ours, role=Role.ADMIN), await world.person(), await world.person()
    token = await link(world, ada, ours, emails=[bob.email])
    assert (await accept(world.database, eve.identity, token))[1] is Outcome.FOREIGN
    assert (await accept(world.database, ada.identity, token))[1] is Outcome.MEMBER
    assert await accept(world.database, bob.identity, token) == (ours, Outcome.JOINED)
    assert (await accept(world.database, bob.identity, token))[1] is Outcome.MEMBER


async def test_revoked_expired_renewed_and_unknown_tokens(world: World) -> None:
    ours = await world.organization()
    ada, bob = await world.person(ours, role=Role.ADMIN), await world.person()
    expired = await link(world, ada, ours, lifetime=timedelta(seconds=-1))
    assert (await accept(world.database, bob.identity, expired))[1] is Outcome.EXPIRED
    (entry,) = await invitations.open_invitations(world.database, ada.identity, ours)
    assert entry.is_expired
    renewed = (await invitations.renew(world.database, ada.identity, entry.id)).get_secret_value()
    assert (await accept(world.database, bob.identity, expired)) == (None, Outcome.UNKNOWN)
    await invitations.revoke(world.database, ada.identity, entry.id)
    with pytest.raises(NotFound):
        await invitations.revoke(world.database, ada.identity, entry.id)
    assert (await accept(world.database, bob.identity, renewed))[1] is Outcome.REVOKED
    again = (await invitations.renew(world.database, ada.identity, entry.id)).get_secret_value()
    assert (await accept(world.database, bob.identity, again))[1] is Outcome.JOINED
    with pytest.raises(NotFound):
        await invitations.renew(world.database, ada.identity, entry.id)
    for forged in ("", "x" * 5000, again[:-1], "ü\x00"):
        assert await read_offer(world.database, forged) is None
        assert await accept(world.database, bob.identity, forged) == (None, Outcome.UNKNOWN)


async def test_only_admins_of_the_organisation_see_and_make_invitations(world: World) -> None:
    ours, theirs = await world.organization(), await world.organization()
    ada, bob = await world.person(ours, role=Role.ADMIN), await world.person(ours)
    eve = await world.person(theirs, role=Role.ADMIN)
    token = await link(world, ada, ours)
    (entry,) = await invitations.open_invitations(world.database, ada.identity, ours)
    for stranger in (bob, eve):
        with pytest.raises(PermissionDenied):
            await link(world, stranger, ours)
        assert await invitations.open_invitations(world.database, stranger.identity, ours) == []
        with pytest.raises(NotFound):
            await invitations.revoke(world.database, stranger.identity, entry.id)
        with pytest.raises(NotFound):
            await invitations.renew(world.database, stranger.identity, entry.id)
    offer = await read_offer(world.database, token, eve.identity)
    assert offer
    assert offer.state == "open"


def test_addresses_are_told_from_what_is_none() -> None:
    good, bad = addresses_in(" Ada@Example.org, bob@example.org;ada@example.org\n@x  eve@ 'zoë@exämple.org' ")
    assert good == ["ada@example.org", "bob@example.org", "'zoë@exämple.org'"]
    assert bad == ["@x", "eve@"]

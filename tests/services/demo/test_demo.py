"""Entering the demo."""

from dataclasses import dataclass, field
from typing import cast
from uuid import UUID

import pytest

from services.auth.identity import Identity
from services.demo.demo import Demo
from services.demo.example_scan import ExampleScan
from services.errors import LivewatchError
from services.infra.backend import DEMO_EMAIL, Account
from services.people.organizations import memberships
from tests.world import World


@dataclass
class Scan:
    """Fake scan that records its starts."""

    fails: bool = False
    started: list[tuple[str, UUID]] = field(default_factory=list)

    async def start(self, identity: Identity, org_id: UUID) -> None:
        self.started.append((identity.email, org_id))
        if self.fails:
            raise LivewatchError("There is no Python to run it.")


def demo(world: World, scan: Scan) -> Demo:
    assert world.status.demo_password
    user = Account(email=DEMO_EMAIL, password=world.status.demo_password)
    return Demo(user, auth=world.auth, database=world.database, scan=cast(ExampleScan, scan))


@pytest.mark.parametrize("fails", [False, True])
async def test_the_first_who_enters_finds_an_organisation_and_a_scan_that_begins(world: World, fails: bool) -> None:
    scan = Scan(fails)
    entrance = demo(world, scan)
    assert not scan.started
    first = await entrance.enter()
    second = await entrance.enter()
    ours = [await memberships(world.database, each.identity) for each in (first, second)]
    assert ours[0] == ours[1]
    assert scan.started == [(DEMO_EMAIL, ours[0][0].org_id)]

"""Choices: the people and channels that rules may tell."""

from dataclasses import dataclass, field
from uuid import UUID

from pages.page.context import PageContext
from services.delivery.channels import Channel, channels
from services.people.team import members
from services.text import visible_name


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """Names of members by id, and the channels of the organisation."""

    people: dict[UUID, str] = field(default_factory=dict)
    channels: dict[UUID, Channel] = field(default_factory=dict)


async def read_choices(page: PageContext) -> Choices:
    """Read whom rules of the page's organisation may tell; raises DatabaseUnavailable."""
    database, identity, org_id = page.services.database, page.session.identity, page.membership.org_id
    team = await members(database, identity, org_id)
    return Choices(
        people={each.user_id: visible_name(each.name or each.email or "") for each in team},
        channels={each.id: each for each in await channels(database, identity, org_id)},
    )

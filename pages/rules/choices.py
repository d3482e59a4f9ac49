"""Choices: the people and channels that rules may tell, and the agents that they may be for."""

from dataclasses import dataclass, field, replace
from uuid import UUID

from pages.page.context import PageContext
from services.delivery.channels import Channel, channels
from services.entities import AGENTS
from services.lists.counting import read_options
from services.people.team import members
from services.text import visible_name


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """Names of members by id, the channels of the organisation, and its agents and their streams."""

    people: dict[UUID, str] = field(default_factory=dict)
    channels: dict[UUID, Channel] = field(default_factory=dict)
    agents: dict[str, str] = field(default_factory=dict)
    streams: dict[str, str] = field(default_factory=dict)


async def read_choices(page: PageContext) -> Choices:
    """Read whom rules of the page's organisation may tell; raises DatabaseUnavailable."""
    database, identity, org_id = page.services.database, page.session.identity, page.membership.org_id
    team = await members(database, identity, org_id)
    return Choices(
        people={each.user_id: visible_name(each.name or each.email or "") for each in team},
        channels={each.id: each for each in await channels(database, identity, org_id)},
    )


async def read_all_choices(page: PageContext) -> Choices:
    """Read also the agents and their streams; raises DatabaseUnavailable, or PermissionDenied."""
    database, identity, org_id = page.services.database, page.session.identity, page.membership.org_id
    facets = {facet.name: facet for facet in AGENTS.listing.facets}
    agents, streams = [
        {value: visible_name(label) for value, label in await read_options(database, identity, AGENTS, facet, org_id)}
        for facet in (facets["agent"], facets["stream"])
    ]
    return replace(await read_choices(page), agents=agents, streams=streams)

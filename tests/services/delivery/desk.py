"""Desk: an organisation with a channel, and what waits in its outbox."""

import json
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from pydantic import SecretStr

from services.delivery.channel_kind import ChannelKind
from services.delivery.channels import ChannelDraft, put_channel
from services.delivery.message import Message
from services.delivery.outbox import claim
from services.delivery.sealing import Sealer
from services.people.models import Role
from tests.world import Person, World

SEALER = Sealer(SecretStr("a secret of the tests, long enough"))


@dataclass
class Desk:
    """An admin with a webhook."""

    world: World
    org: UUID
    ada: Person
    channel: UUID

    async def enqueue(self, *titles: str, channel: UUID | None = None) -> None:
        for title in titles:
            await self.world.sql(
                "insert into deliveries (org_id, channel_id, key, content) values (%s, %s, %s, %s)",
                self.org, channel or self.channel, f"{channel or self.channel} {title}",
                json.dumps(Message(title=title).as_json),
            )  # fmt: skip

    async def claimed(self, *, limit: int = 100) -> list[str]:
        found = await claim(self.world.database, limit=limit)
        return [each.message.title for each in found if each.channel_id == self.channel]

    async def sealed(self) -> str:
        query = "select sealed from private.channel_addresses where channel_id = %s"
        return str((await self.world.sql(query, self.channel))[0][0])

    async def row(self, title: str) -> Any:
        [row] = await self.world.sql(
            "select attempts, next_at - now(), delivered_at is not null, gave_up_at is not null, may_be_double "
            "from deliveries where org_id = %s and content ->> 'title' = %s", self.org, title,
        )  # fmt: skip
        return row


def draft(url: str = "https://example.org/in", **more: Any) -> ChannelDraft:
    return ChannelDraft(name=more.pop("name", "Ops"), kind=ChannelKind.WEBHOOK, address=SecretStr(url), **more)


async def a_desk(world: World) -> Desk:
    """Return the desk of a new organisation."""
    org = await world.organization()
    ada = await world.person(org, role=Role.ADMIN)
    id, _ = await put_channel(world.database, ada.identity, org, draft(), SEALER)
    return Desk(world, org, ada, id)

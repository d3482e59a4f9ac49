"""A desk: people of an organisation and an engine of rules whose clock is simulated."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from services.rules.engine import RuleEngine
from services.rules.rule import Rule
from services.rules.rules import put_rule
from tests.world import Person, World, until

ADDRESS = "https://live.example.org"


@dataclass
class Desk:
    """An operator, a viewer, and an engine whose clock is simulated; the organisation's first rule is off."""

    world: World
    engine: RuleEngine
    org: UUID
    ada: Person
    eve: Person
    clock: datetime = field(default_factory=lambda: datetime.now(UTC) + timedelta(minutes=1))

    async def rule(self, *events: str, **more: Any) -> UUID:
        given = {"name": "R", "events": events, "people": [str(self.ada.id)], "pace": "at_once"} | more
        return await put_rule(self.world.database, self.ada.identity, self.org, Rule.parse(given))

    async def run(self, name: str = "Nightly", status: str = "in_progress", **more: Any) -> UUID:
        given: dict[str, Any] = {
            "org_id": self.org,
            "name": name,
            "slug": name.lower().replace(" ", "-"),
            "goal_status": status,
        } | more
        [[id]] = await self.world.sql(
            f"insert into streams ({', '.join(given)}) values ({', '.join(['%s'] * len(given))}) returning id",
            *given.values(),
        )
        return UUID(str(id))

    async def become(self, run: UUID, status: str) -> None:
        finished = datetime.now(UTC) if status in ("completed", "blocked") else None
        await self.world.sql(
            "update streams set goal_status = %s, finished_at = %s where id = %s", status, finished, run
        )

    async def look(self, *, after: float = 0.0) -> None:
        self.clock += timedelta(seconds=after)
        # The app of another test may look at the same time.
        await until(lambda: self.engine.look(at=self.clock), what="a look of this engine")

    async def told(self, person: Person | None = None) -> list[tuple[str, str]]:
        rows = await self.world.sql(
            "select type, title from notifications where org_id = %s and user_id = %s order by created_at, title",
            self.org, (person or self.ada).id,
        )  # fmt: skip
        return [tuple(row) for row in rows]

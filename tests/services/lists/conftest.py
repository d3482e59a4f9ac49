"""An organisation with rows in every state and with every kind of name, and another one beside it."""

from dataclasses import dataclass
from itertools import product
from typing import Any
from uuid import UUID

import pytest

from services.entities import (
    AGENTS,
    ALERTS,
    NOTIFICATIONS,
    SCANS,
    STREAMS,
    AgentStatus,
    Entity,
    GoalStatus,
    NotificationType,
    ScanStatus,
)
from services.lists.stored import StoredRows
from tests.world import Person, World

NAMES = (
    "Nightly import",
    "NÄCHTLICHER Import",
    "Straße",
    "ﬁle 100%_done",
    "ночной импорт",
    "استيراد ليلي",
    "İstanbul",
    "e\u0301te\u0301",
    "back\\slash 'quoted'",
    "夜間インポート",
    "\u001b[31mred\u001b[0m import",
    "x" * 180,
    "مهمة " * 30,
)
LISTS: tuple[Entity[Any], ...] = (STREAMS, SCANS, AGENTS, ALERTS, NOTIFICATIONS)
SEARCHES = (
    *("import", "IMPÔRT nacht", "strasse", "file", "100%_done", "_", "импорт", "ИМПОРТ", "ليلي", "ete", "\\", "zz zz"),
    *("istanbul", "夜", "ン", "'", "red import", "x" * 150, "i", "%s %(org)s"),
)


@dataclass(frozen=True, kw_only=True)
class Lists:
    """What one person reads of an organisation."""

    world: World
    person: Person
    org: UUID

    def stored(self, entity: Entity[Any], *, reader: Person | None = None) -> StoredRows[Any]:
        """Return the stored rows as the person, or another reader, may read them."""
        return StoredRows(self.world.database, reader or self.person, entity, self.org)

    async def rows(self, entity: Entity[Any]) -> list[Any]:
        """Return all rows of the person, as a feed would hold them."""
        owner = f"and user_id = '{self.person.id}'" if entity in (ALERTS, NOTIFICATIONS) else ""
        found = await self.world.sql(f"select to_jsonb(t) from {entity.table} as t where org_id = %s {owner}", self.org)
        return [entity.model.read(row[0]) for row in found]


@pytest.fixture(scope="module")
async def lists(world: World) -> Lists:
    org, other = await world.organization(), await world.organization()
    ada, ben = await world.person(org, other), await world.person(org)
    for each in (org, other):
        await _fill_runs(world, each)
        await _fill_inbox(world, each, ada)
    await _fill_inbox(world, org, ben)
    return Lists(world=world, person=ada, org=org)


FOUND = ["{}", "{unreachable}", "{stalled}", "{stalled,unreachable}", "{overdue}", "{slow,unreachable}", "{}"]
"""What the watcher found of runs in turn."""


async def _fill_runs(world: World, org: UUID) -> None:
    ((stream,),) = await world.sql("insert into streams (org_id, name) values (%s, 'home') returning id", org)
    beats = ("null", "now()", "now() - interval '1 hour'")
    for entity, statuses in ((STREAMS, GoalStatus), (SCANS, ScanStatus), (AGENTS, AgentStatus)):
        for n, (status, beat, step, is_archived) in enumerate(product(statuses, beats, beats, (False, True))):
            values: dict[str, Any] = {
                "org_id": f"'{org}'",
                "goal_status" if entity is STREAMS else "status": f"'{status.value}'",
                "heartbeat_at": beat,
                "heartbeat_interval": "null" if n % 5 == 0 else "10",
                "archived_at": "now()" if is_archived else "null",
                "tags": ("'{}'", "'{nightly}'", "'{nightly,eu west}'", "'{\"a,b\",größe}'")[n % 4],
            }
            if entity is AGENTS:
                values |= {"agent_id": f"'a{n % 4}'", "stream_id": f"'{stream}'", "duration_ms": str(n % 9 * 1000)}
                values["error"] = "'timed out'" if n % 7 == 0 else "null"
            else:
                values["last_progress_at"] = step
            if entity is STREAMS:
                values |= {"total": str(n % 3 * 5), "completed": "3", "usual_seconds": str(n) if n % 4 else "null"}
            if entity is SCANS:
                values |= {"progress_percentage": str(n % 10 * 11), "current_step": "'step %'"}
            name = "agent_name" if entity is AGENTS else "name"
            await world.sql(
                f"insert into {entity.table} ({name}, {', '.join(values)}) values (%s, {', '.join(values.values())})"
                .replace("'step %'", "'step %%'"),
                NAMES[n % len(NAMES)],
            )  # fmt: skip
    # What triggers compute, as it is after some time.
    for entity in (STREAMS, SCANS, AGENTS):
        place = "(ctid::text::point)[1]::int"
        progress = (
            ""
            if entity is AGENTS
            else f", rate = {place} %% 5, rate_window = {place} %% 3, "
            "last_progress_at = coalesce(last_progress_at, now())"
        )
        await world.sql(f"alter table {entity.table} disable trigger user")
        await world.sql(
            f"update {entity.table} set created_at = now() - make_interval(mins => {place} / 3), "
            f"incidents = cast((array{FOUND})[1 + {place} %% {len(FOUND)}] as text[]), "
            f"updated_at = now() - make_interval(secs => {place} %% 17){progress} where org_id = %s", org,
        )  # fmt: skip
        await world.sql(f"alter table {entity.table} enable trigger user")


async def _fill_inbox(world: World, org: UUID, person: Person) -> None:
    for n in range(60):
        await world.sql(
            "insert into signal_alerts (org_id, user_id, target_name, company_name, signal_type, signal_strength, "
            "status, read_at, detected_at) values (%s, %s, %s, %s, 'late_night', %s, %s, %s, "
            "now() - make_interval(mins => %s))",
            org, person.id, NAMES[n % len(NAMES)], "Acme" if n % 2 else None, n % 20 * 5,
            ("new", "acknowledged", "dismissed")[n % 3], None if n % 4 else "2026-01-01", n // 2,
        )  # fmt: skip
        await world.sql(
            "insert into notifications (org_id, user_id, title, message, type, read_at) "
            "values (%s, %s, %s, 'm', %s, %s)", org, person.id, NAMES[n % len(NAMES)],
            tuple(NotificationType)[n % 4].value, None if n % 4 else "2026-01-01",
        )  # fmt: skip

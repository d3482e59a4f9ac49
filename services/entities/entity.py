"""The monitored tables, one descriptor each; a new kind of live row starts with a line here."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Generic, TypeVar
from uuid import UUID

from services.entities import AcquisitionScan, Activity, AgentExecution, Notification, Row, SignalAlert, Stream

R = TypeVar("R", bound=Row)


class Scope(StrEnum):
    """Who shares a topic: the members of an organisation, or one user."""

    ORG = "org"
    USER = "user"


@dataclass(frozen=True, slots=True)
class Topic:
    """The scope of one upstream channel; as text `org:<uuid>` or `user:<uuid>`, as the database's triggers name it."""

    scope: Scope
    id: UUID

    def __str__(self) -> str:
        return f"{self.scope}:{self.id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entity(Generic[R]):
    """One monitored table: its model, whose topic its changes arrive on, and how much of it a feed holds.

    `order` is the SQL order of a snapshot, most wanted first; a feed holds at most `limit` rows of the table.
    """

    table: str
    model: type[R]
    scope: Scope
    order: str
    limit: int

    def topic(self, scope_id: UUID) -> Topic:
        """The topic of this entity for the organisation or user `scope_id`."""
        return Topic(self.scope, scope_id)


STREAMS = Entity(table="streams", model=Stream, scope=Scope.ORG, order="updated_at desc", limit=5000)
SCANS = Entity(
    table="acquisition_scans",
    model=AcquisitionScan,
    scope=Scope.ORG,
    order="completed_at is null desc, updated_at desc",
    limit=1000,
)
AGENTS = Entity(
    table="agent_executions",
    model=AgentExecution,
    scope=Scope.ORG,
    order="completed_at is null desc, created_at desc",
    limit=2000,
)
ALERTS = Entity(table="signal_alerts", model=SignalAlert, scope=Scope.USER, order="detected_at desc", limit=2000)
NOTIFICATIONS = Entity(table="notifications", model=Notification, scope=Scope.USER, order="created_at desc", limit=1000)
ACTIVITIES = Entity(table="activities", model=Activity, scope=Scope.ORG, order="created_at desc", limit=500)

ENTITIES: tuple[Entity[Any], ...] = (
    STREAMS,
    SCANS,
    AGENTS,
    ALERTS,
    NOTIFICATIONS,
    ACTIVITIES,
)

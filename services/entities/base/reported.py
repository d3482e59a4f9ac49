"""Runs that programs report: slug, key, heartbeats, and what the watcher found of them."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from pydantic import AwareDatetime
from sqlalchemy import ARRAY, Text
from sqlmodel import Field, SQLModel

from services.entities.base.row import json_field, timestamp_field


class RunIncident(StrEnum):
    """What the watcher found of a run that goes on; see `private.watch`."""

    UNREACHABLE = "unreachable"
    """It missed its heartbeats."""
    STALLED = "stalled"
    """It has made no progress for much longer than its usual interval."""
    SLOW = "slow"
    """It takes much longer than runs of its job usually do."""
    OVERDUE = "overdue"
    """It takes longer than the schedule of its job allows."""


def incident_sql(incident: RunIncident) -> str:
    """Return the SQL condition of rows with an open incident of a kind."""
    return f"('{incident}' = any (incidents))"


class Reported(SQLModel):
    """Columns of a run that programs report; None where people or other jobs wrote the row.

    `slug` is its address within the organisation: that of its job for the current run, else `job@key`. `number` counts
    the runs of a job; those before this one usually took `usual_seconds`. `attempt` is the current try of the run, and
    `attempts` are the earlier ones: objects of `number`, `status`, `error`, `started_at` and `finished_at`.

    `ingest_key` is the key that reported last. `heartbeat_interval` is the declared time between two reports in
    seconds.
    """

    slug: str | None = None
    job_id: UUID | None = None
    number: int | None = None
    usual_seconds: float | None = None
    attempt: int = 1
    attempt_started_at: AwareDatetime | None = timestamp_field()
    attempts: list[dict[str, Any]] = json_field(list)
    ingest_key: UUID | None = None
    heartbeat_at: AwareDatetime | None = timestamp_field()
    heartbeat_interval: float | None = Field(default=None, ge=1)
    reportable_since: AwareDatetime | None = timestamp_field()
    """Since when programs could report again, after the app had been away."""
    incidents: list[str] = Field(default_factory=list, sa_type=ARRAY(Text))
    """Kinds of its open incidents, which the watcher and reports write: members of `RunIncident`."""
    archived_at: AwareDatetime | None = timestamp_field()
    """When a person moved the run out of the lists."""

    @property
    def is_expected(self) -> bool:
        """Whether its status says that a program is working on it now."""
        raise NotImplementedError

    @property
    def is_unreachable(self) -> bool:
        """Whether the watcher found that it missed its heartbeats."""
        return RunIncident.UNREACHABLE in self.incidents

    @property
    def is_stalled(self) -> bool:
        """Whether the watcher found that it makes no progress, although it reports."""
        return RunIncident.STALLED in self.incidents and not self.is_unreachable

    @property
    def unreachable_since(self) -> datetime | None:
        """Time of the last heartbeat of an unreachable run; None for any other."""
        return self.heartbeat_at if self.is_unreachable else None

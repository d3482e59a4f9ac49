"""Response models of the ingest API."""

from typing import Any
from uuid import UUID

from pydantic import BaseModel, Field, StrictBool

from services.ingest import KeyScope


class Problem(BaseModel):
    """Cause of a failed request, or of an ignored field."""

    code: str = Field(examples=["invalid"])
    message: str = Field(description="The problem and the next step.")
    field: str | None = Field(None, description="Name of the invalid field.")


class WriteResult(BaseModel):
    """Result of a write: 201 if it created a row, else 200. A repeated request gets the first response."""

    id: UUID | None = Field(description="Id of the row, or of the first of several.")
    slug: str | None = Field(description="Slug of the run; null for other targets.")
    created: StrictBool = Field(description="Whether the row was created.")
    url: str = Field(description="Path of the page that shows it.", examples=["/streams/6f1c…"])
    ignored: list[Problem] = Field([], description="Invalid fields of a run's report, which were not applied.")


class DeleteResult(BaseModel):
    """Result of deleting a run."""

    id: UUID = Field(description="Id of the deleted run.")
    slug: str = Field(description="Its slug, which is free again.", examples=["nightly-import"])


class SendResult(WriteResult):
    """Result of an alert or notification."""

    ids: list[UUID] = Field(description="Ids of the rows, one per recipient.")


class LogResult(WriteResult):
    """Result of adding log lines."""

    lines: int = Field(description="Number of lines added.")


class HeartbeatResult(BaseModel):
    """Result of heartbeats, by the paths of the runs."""

    alive: list[str] = Field(description="Runs whose heartbeat was recorded.")
    finished: list[str] = Field(description="Runs that have finished, which heartbeats do not change.")
    unknown: list[str] = Field(description="Runs that were never reported.")


class BatchResult(BaseModel):
    """Response to one operation."""

    status: int
    body: dict[str, Any]


class BatchAnswer(BaseModel):
    """Responses in the order of the operations."""

    results: list[BatchResult]


class Named(BaseModel):
    """Id and name."""

    id: UUID
    name: str


class Me(BaseModel):
    """Organisation and scopes of a key."""

    organization: Named
    key: Named
    scopes: list[KeyScope]
    url: str = Field(description="Public base URL of this Livewatch.", examples=["https://livewatch.example.org"])


class Failure(BaseModel):
    """Response to a failed request."""

    error: Problem

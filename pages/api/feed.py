"""GET /feed of the ingest API: changes of runs as server-sent events, for a terminal or a program."""

from collections.abc import AsyncIterator
from datetime import datetime
from uuid import UUID

from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field

from pages.api.operations import RUN_PAGES
from services.entities import Amount
from services.ingest import EventStreamHub, IngestKey, RunChange, decode_position, encode_position, is_remembered

# Proxies close idle connections, and clients treat a silent connection as lost.
KEEPALIVE_INTERVAL_SECONDS = 5.0
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
PAGES = {"stream": RUN_PAGES["streams"], "scan": RUN_PAGES["scans"], "agent": RUN_PAGES["agents"]}


class Change(BaseModel):
    """Current state of a run: the `data` of an event `change`. Unknown values are omitted."""

    at: str = Field(description="Time of the change, in ISO 8601.")
    kind: str = Field(description="stream, scan or agent")
    id: UUID
    slug: str | None = Field(None, description="Omitted for a run that a person made.")
    name: str
    status: str
    percent: float | None = None
    completed: Amount | None = None
    total: Amount | None = None
    unit: str | None = None
    step: str | None = None
    error: str | None = None
    version: int = Field(description="Grows with every change of the row: of two states, the higher is the newer.")
    url: str = Field(description="Path of its page, relative to the public address.")


class Deletion(BaseModel):
    """A run that was deleted: the `data` of an event `delete`."""

    at: str
    kind: str
    id: UUID
    slug: str | None = None
    name: str
    version: int


def feed_response(event_streams: EventStreamHub, key: IngestKey, last_event_id: str | None) -> StreamingResponse:
    """Stream events until the client disconnects, the key is revoked or the server shuts down.

    Args:
        event_streams: The hub of the process.
        key: Who follows.
        last_event_id: Id of the last event that the client had; None for what happens from now on.

    Raises:
        IngestRefused: The key may not open a stream, or the id is none of this feed.
    """
    event_streams.authorize(key)
    position = decode_position(last_event_id) if last_event_id else None
    return StreamingResponse(_events(event_streams, key, position), media_type="text/event-stream", headers=HEADERS)


async def _events(event_streams: EventStreamHub, key: IngestKey, position: datetime | None) -> AsyncIterator[str]:
    with event_streams.follow(key) as stream:
        await stream.wait_ready()
        told, now = stream.position, stream.now
        if told is None or now is None:
            return
        yield f": connected\nid: {encode_position(told if position is None else min(position, told))}\n\n"
        if position is not None:
            if not is_remembered(position, now):
                yield _event("reset", encode_position(min(position, told)), RESET)
            async for missed in event_streams.missed(key, stream, position):
                for change in missed:
                    # Never beyond what is sure to be told: a transaction that is open may still give an earlier time.
                    yield _change(change, encode_position(max(min(position, told), min(change.at, told))))
        while not stream.has_ended:
            changes = await stream.next(timeout_seconds=KEEPALIVE_INTERVAL_SECONDS)
            # The ids of these are the position before them, so that who loses some of them gets all again.
            events = "".join(_change(change, encode_position(told)) for change in changes)
            told = max(told, stream.position or told)
            yield f"{events}: beat\nid: {encode_position(told)}\n\n"


def _change(change: RunChange, id: str) -> str:
    common = {
        "at": change.at.isoformat(),
        "kind": change.kind,
        "id": change.id,
        "slug": change.slug,
        "name": change.name,
        "version": change.version,
    }
    if change.is_deleted:
        return _event("delete", id, Deletion(**common))
    data = Change(
        **common,
        status=change.status,
        percent=change.percent,
        completed=change.done,
        total=change.total,
        unit=change.unit,
        step=change.step,
        error=change.error,
        url=PAGES[change.kind].format(id=change.id),
    )
    return _event("change", id, data)


def _event(name: str, id: str, data: BaseModel) -> str:
    # Serialized JSON contains no line breaks, which would end the event.
    return f"id: {id}\nevent: {name}\ndata: {data.model_dump_json(exclude_none=True)}\n\n"


class Reset(BaseModel):
    """Why the feed cannot tell all that a client missed: the `data` of an event `reset`."""

    message: str


RESET = Reset(message="This id is too old, or of another database: read the lists again. Deletions are kept a week.")

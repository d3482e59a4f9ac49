"""GET /feed of the ingest API: changes of runs as server-sent events, for a terminal or a program."""

from collections.abc import AsyncIterator

from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field

from pages.api.operations import RUN_PAGES
from services.entities import Amount
from services.ingest import EventStreamHub, IngestKey, RunChange

# Proxies close idle connections, and clients treat a silent connection as lost.
KEEPALIVE_INTERVAL_SECONDS = 5.0
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
PAGES = {"stream": RUN_PAGES["streams"], "scan": RUN_PAGES["scans"], "agent": RUN_PAGES["agents"]}


class Change(BaseModel):
    """Current state of a run: the `data` of an event `change`. Unknown values are omitted."""

    at: str = Field(description="Time of the change, in ISO 8601.")
    kind: str = Field(description="stream, scan or agent")
    slug: str
    name: str
    status: str
    percent: float | None = None
    completed: Amount | None = None
    total: Amount | None = None
    unit: str | None = None
    step: str | None = None
    error: str | None = None
    url: str = Field(description="Path of its page, relative to the public address.")


def feed_response(event_streams: EventStreamHub, key: IngestKey) -> StreamingResponse:
    """Stream events until the client disconnects, the key is revoked or the server shuts down.

    Raises IngestRefused if the key may not open a stream.
    """
    event_streams.authorize(key)
    return StreamingResponse(_events(event_streams, key), media_type="text/event-stream", headers=HEADERS)


async def _events(event_streams: EventStreamHub, key: IngestKey) -> AsyncIterator[str]:
    with event_streams.follow(key) as stream:
        await stream.wait_ready()
        yield ": connected\n\n"
        while not stream.has_ended:
            changes = await stream.next(timeout_seconds=KEEPALIVE_INTERVAL_SECONDS)
            yield "".join(map(_event, changes)) or ": beat\n\n"


def _event(change: RunChange) -> str:
    data = Change(
        at=change.at.isoformat(),
        kind=change.kind,
        slug=change.slug,
        name=change.name,
        status=change.status,
        percent=change.percent,
        completed=change.done,
        total=change.total,
        unit=change.unit,
        step=change.step,
        error=change.error,
        url=PAGES[change.kind].format(id=change.id),
    )
    # Serialized JSON contains no line breaks, which would end the event.
    return f"event: change\ndata: {data.model_dump_json(exclude_none=True)}\n\n"

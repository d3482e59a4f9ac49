"""GET /feed of the ingest API: changes of runs as server-sent events, to follow them from a terminal or a program."""

from collections.abc import AsyncIterator

from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field

from pages.api.operations import RUN_PAGES
from services.ingest import EventStreamHub, IngestKey, RunChange

# A proxy closes what is silent, and a program takes silence for a connection that was lost.
BEAT = 5.0
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
PAGES = {"stream": RUN_PAGES["streams"], "scan": RUN_PAGES["scans"], "agent": RUN_PAGES["agents"]}


class Change(BaseModel):
    """A run as it is now: the `data` of an event `change`. What is not known is left out."""

    at: str = Field(description="When it changed, in ISO 8601.")
    kind: str = Field(description="stream, scan or agent")
    slug: str
    name: str
    status: str
    percent: float | None = None
    completed: int | None = None
    total: int | None = None
    step: str | None = None
    error: str | None = None
    url: str = Field(description="Its page, relative to the public address.")


def feed_response(tails: EventStreamHub, key: IngestKey) -> StreamingResponse:
    """The events, until the program goes, the key is revoked or the server stops; raises IngestRefused before."""
    tails.authenticate(key)
    return StreamingResponse(_events(tails, key), media_type="text/event-stream", headers=HEADERS)


async def _events(tails: EventStreamHub, key: IngestKey) -> AsyncIterator[str]:
    with tails.follow(key) as tail:
        await tail.listening()
        yield ": connected\n\n"
        while not tail.has_ended:
            changes = await tail.next(within=BEAT)
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
        step=change.step,
        error=change.error,
        url=PAGES[change.kind].format(id=change.id),
    )
    # JSON has no line breaks of its own.
    return f"event: change\ndata: {data.model_dump_json(exclude_none=True)}\n\n"

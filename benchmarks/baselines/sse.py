"""Lower bound of the latency: PostgreSQL NOTIFY, a server-sent event and `textContent`, without features."""

import asyncio
import html
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, StreamingResponse
from starlette.routing import Route

from benchmarks.baselines.arguments import baseline_arguments
from benchmarks.baselines.notify import changes, streams_of

SCRIPT = """
const events = new EventSource("/events");
events.onmessage = (event) => {
  const { id, completed, percentage } = JSON.parse(event.data);
  document.querySelector(`[data-id="${id}"][data-field="completed"]`).textContent = completed;
  document.querySelector(`[data-id="${id}"][data-field="percentage"]`).textContent = percentage + "%";
};
events.onopen = () => (document.body.dataset.live = "connected");
"""


def build(database_url: str, org_id: str) -> Starlette:
    """Build the app with the page and its event stream."""
    listeners: set[asyncio.Queue[dict[str, Any]]] = set()

    async def tell() -> None:
        async for change in changes(database_url):
            for listener in listeners:
                listener.put_nowait(change)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        telling = asyncio.create_task(tell())
        yield
        telling.cancel()

    async def page(_: Request) -> HTMLResponse:
        cells = "".join(
            f'<p>{html.escape(row["name"])} <b data-table="streams" data-id="{row["id"]}" data-field="completed">'
            f'{row["completed"]}</b> <i data-id="{row["id"]}" data-field="percentage">{row["percentage"]}%</i></p>'
            for row in await streams_of(database_url, org_id)
        )
        return HTMLResponse(f"<!doctype html><body>{cells}<script>{SCRIPT}</script></body>")

    async def events(_: Request) -> StreamingResponse:
        listener: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        listeners.add(listener)

        async def stream() -> AsyncIterator[str]:
            try:
                yield ": here\n\n"
                while True:
                    yield f"data: {json.dumps(await listener.get())}\n\n"
            finally:
                listeners.discard(listener)

        return StreamingResponse(stream(), media_type="text/event-stream")

    return Starlette(routes=[Route("/", page), Route("/events", events)], lifespan=lifespan)


def main() -> None:
    """Serve the baseline on a loopback port."""
    arguments = baseline_arguments()
    uvicorn.run(
        build(arguments.database_url, arguments.org),
        host="127.0.0.1",
        port=arguments.port,
        log_level="warning",
        timeout_graceful_shutdown=1,
    )


if __name__ == "__main__":
    main()

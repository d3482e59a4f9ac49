"""HTTP API under /api/v1, a separate application for programs that report and read with a key."""

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse

from pages.api.docs import ABOUT, docs_page
from pages.api.errors import PREFIX, add_error_handlers
from pages.api.routes import router
from pages.page.public_url import public_url
from services.infra.database import Database
from services.ingest import EventStreamHub, Ingest
from services.results.artefact_files import ArtefactFiles


def create_api(ingest: Ingest, event_streams: EventStreamHub, database: Database, files: ArtefactFiles) -> FastAPI:
    """Build the API, to be mounted at `PREFIX`; it ignores cookies."""
    api = FastAPI(
        title="Livewatch API",
        version="1",
        description=ABOUT,
        docs_url=None,
        redoc_url=None,
        servers=[{"url": PREFIX}],
        root_path_in_servers=False,
        # The application around it has it; asking for a provider twice costs a request 3 % of its time.
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    api.state.ingest = ingest
    api.state.event_streams = event_streams
    api.state.database = database
    api.state.files = files
    add_error_handlers(api, router.routes)
    api.include_router(router)

    @api.get("/docs", include_in_schema=False)
    async def docs(request: Request) -> HTMLResponse:
        return HTMLResponse(docs_page(api.openapi(), address=public_url(request)))

    return api

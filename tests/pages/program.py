"""Program that reports over the ingest API, for tests: the API behind AuthMiddleware, a key and an HTTP client."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID

import httpx
import uvicorn
from fastapi import FastAPI
from pydantic import SecretStr

from pages.api.app import create_api
from pages.api.errors import PREFIX
from pages.http.auth_middleware import AuthMiddleware
from pages.page.services import Services
from pages.page.session_cookie import SessionCookie
from pages.session.routes import session_routes
from services.auth.sessions import Sessions
from services.infra.database import Database
from services.infra.rate_limiter import Rate, RateLimiter
from services.ingest import REPORTING, ApiKeyVerifier, EventStreamHub, Ingest, IngestKey, KeyScope
from services.ingest.administration import create_key
from services.people.models import Role
from services.people.session_uses import SessionUses, discard_session
from services.results.artefact_files import DirectoryFiles
from tests.world import Person, World, until


class Program:
    """Client program with a key and an HTTP client."""

    def __init__(self, http: httpx.AsyncClient, token: str, *, org: UUID, key: UUID, admin: Person) -> None:
        self._http = http
        self.token = token
        self.org = org
        self.key = key
        self.admin = admin

    @property
    def url(self) -> str:
        """URL of the API's server."""
        return str(self._http.base_url).rstrip("/")

    async def send(self, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self._http.request(
            method, PREFIX + path, json=body, headers={"Authorization": f"Bearer {self.token}", **names}
        )

    async def put(self, path: str, **body: Any) -> httpx.Response:
        return await self.send("PUT", path, body)

    async def post(self, path: str, **body: Any) -> httpx.Response:
        return await self.send("POST", path, body)


def application(world: World, database: Database, rate: Rate, clock: Callable[[], float] | None = None) -> FastAPI:
    """Build the API behind AuthMiddleware, next to the session routes, as in the app."""
    sessions, cookie = Sessions(world.auth), SessionCookie(SecretStr("a secret of the tests"))
    context = cast(
        Services,
        SimpleNamespace(
            auth=world.auth,
            cookie=cookie,
            database=world.database,
            enter_demo=None,
            session_uses=SessionUses(world.database),
            sessions=sessions,
        ),
    )
    keys = ApiKeyVerifier(database, clock=clock) if clock else ApiKeyVerifier(database)
    app = FastAPI()
    app.include_router(session_routes(context))
    ingest = Ingest(database, keys, RateLimiter(rate))
    app.mount(
        PREFIX,
        create_api(ingest, EventStreamHub(database, interval=0.05), database, DirectoryFiles(world.data / "artefacts")),
    )
    discard = partial(discard_session, database)
    app.add_middleware(AuthMiddleware, cookie=cookie, sessions=sessions, discard=discard)
    return app


class _Server(uvicorn.Server):
    """Server that leaves signals to the test process."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def served(app: FastAPI, *, port: int = 0) -> AsyncIterator[str]:
    """Serve over a real socket of the loopback address, in this event loop; yields the URL."""
    server = _Server(
        uvicorn.Config(app, host="127.0.0.1", port=port, log_config=None, lifespan="off", timeout_graceful_shutdown=1)
    )
    serving = asyncio.create_task(server.serve(), name="web server of the test")
    await until(lambda: server.started or serving.done())
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        await serving


def client(app: FastAPI) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://app.test")


async def a_key(world: World, org: UUID) -> IngestKey:
    """Create a key of an organisation that may report runs."""
    admin = await world.person(org, role=Role.ADMIN)
    made = await create_key(world.database, admin.identity, org, name="jobs", scopes=(KeyScope.RUNS,))
    return await ApiKeyVerifier(world.database).verify(made.token.get_secret_value())


async def store_point(
    world: World, key: IngestKey, run: str, name: str, value: str, *, step: int = 0, at: object = "now"
) -> None:
    """Store a point of a metric as a report does, whatever the value and the time; `run` is `scans/<id>`."""
    kind, _, id = run.partition("/")
    points = json.dumps([{"step": step, "at": str(at), "values": {name: value}}])
    stored = await world.database.call(
        key,
        "select private.store_metrics(%(org)s, %(kind)s, %(run)s, %(points)s::jsonb, interval '0')",
        {"org": key.org_id, "kind": kind, "run": id, "points": points},
    )
    assert stored == []


async def a_program(world: World, http: httpx.AsyncClient, *, scopes: tuple[KeyScope, ...] = REPORTING) -> Program:
    """Create a key of a new organisation, as its admin."""
    org = await world.organization("Ours")
    admin = await world.person(org, role=Role.ADMIN)
    made = await create_key(world.database, admin.identity, org, name="nightly jobs", scopes=scopes)
    return Program(http, made.token.get_secret_value(), org=org, key=made.id, admin=admin)


def refused(answer: httpx.Response, status: int, code: str, field: str | None = None) -> str:
    """Assert a refusal; returns its message."""
    assert answer.status_code == status, answer.text
    error = answer.json()["error"]
    assert (error["code"], error.get("field")) == (code, field)
    assert error["message"].endswith(".")
    return str(error["message"])

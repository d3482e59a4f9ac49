"""Health endpoints: liveness, readiness and metrics."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any, cast

import httpx
import pytest
from fastapi import FastAPI
from prometheus_client.parser import text_string_to_metric_families
from pydantic import SecretStr

from components.window.frame_scheduler import FrameScheduler
from components.window.registry import WindowRegistry
from local_supabase.postgres.migrations import find
from pages.http.health import health_routes
from pages.page.services import Services
from services.errors import IngestRefused
from services.feed_kind import FeedKind
from services.infra.backend import MIGRATIONS
from services.infra.claims import Claimant
from services.infra.database import Database
from services.infra.rate_limiter import Rate, RateLimiter
from services.ingest import ApiKeyVerifier, Ingest, Operation, Target, Verb
from services.people.models import Role
from services.realtime import TRANSPORTS, DatabaseSource, RealtimeService
from tests.pages.program import Program, client
from tests.world import World, until

pytestmark = pytest.mark.integration


@asynccontextmanager
async def operated(
    world: World, *, url: str = "", database: Database | None = None, token: str | None = None
) -> AsyncIterator[tuple[httpx.AsyncClient, Any]]:
    """Yield the routes over a service of their own, and an HTTP client on the same machine."""
    database = database or world.database
    transport = TRANSPORTS[FeedKind.BROADCAST](url=url or world.status.api_url, key=world.status.anon_key)
    async with RealtimeService(transport=transport, source=DatabaseSource(database), linger=0.05) as realtime:
        context = SimpleNamespace(
            database=database,
            realtime=realtime,
            scheduler=FrameScheduler(),
            windows=WindowRegistry(),
            ingest=Ingest(database, ApiKeyVerifier(database), RateLimiter(Rate(per_second=10, burst=10))),
            metrics_token=SecretStr(token) if token else None,
        )
        app = FastAPI()
        app.include_router(health_routes(cast(Services, context)))
        async with client(app) as http:
            yield http, context


async def figures(http: httpx.AsyncClient, **headers: str) -> Callable[..., float]:
    answer = await http.get("/metrics", headers={"Host": "localhost", **headers})
    assert answer.status_code == 200, answer.text
    samples = {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }
    return lambda name, *labels: samples[name, *sorted(labels)]


async def test_a_process_that_can_work_is_ready(world: World) -> None:
    async with operated(world) as (http, _):
        assert (await http.get("/healthz")).json() == {"status": "ok"}
        answer = await http.get("/readyz")
    assert (answer.status_code, answer.json()) == (
        200,
        {"status": "ready", "checks": {"database": "ok", "migrations": "ok", "realtime": "ok"}},
    )


async def test_what_is_away_is_named_and_the_process_lives_on(world: World) -> None:
    url = SecretStr("postgresql://livewatch_app:hush@127.0.0.1:9/postgres")
    async with Database(url) as away, operated(world, url="http://127.0.0.1:9", database=away) as (http, _):
        answer = await http.get("/readyz")
        assert (await http.get("/healthz")).status_code == 200
    assert answer.status_code == 503
    assert answer.json()["checks"] == {
        "database": "PostgreSQL does not respond.",
        "migrations": "unknown",
        "realtime": "Realtime is unreachable.",
    }


async def test_a_database_without_the_last_migration_is_not_ready(world: World) -> None:
    last = find(MIGRATIONS)[-1]
    rename = "update supabase_migrations.schema_migrations set version = %s where version = %s"
    await world.sql(rename, "none", last.version)
    try:
        async with operated(world) as (http, _):
            answer = await http.get("/readyz")
    finally:
        await world.sql(rename, last.version, "none")
    assert answer.status_code == 503
    assert answer.json()["checks"]["migrations"] == f"1 not applied: {last.path.name}."


async def test_however_often_it_is_asked_the_database_is_asked_rarely(world: World) -> None:
    async with operated(world) as (_, context):
        asked = []

        def as_user(who: Claimant) -> Any:
            asked.append(who)
            return world.database.as_user(who)

        context.database = SimpleNamespace(as_user=as_user)
        app = FastAPI()
        app.include_router(health_routes(cast(Services, context)))
        async with client(app) as many:
            for _ in range(20):
                assert (await many.get("/readyz")).status_code == 200
        assert len(asked) == 1


async def test_the_figures_count_what_happened(world: World) -> None:
    org = await world.organization()
    ada = await world.person(org)
    async with operated(world) as (http, context):
        realtime: RealtimeService = context.realtime
        subscription = realtime.subscribe_to_notifications(ada.id, session=ada)
        await until(lambda: subscription.is_loaded and subscription.status.lag is not None, within=15)
        await world.sql(
            "insert into notifications (org_id, user_id, type, title, message) values (%s, %s, 'info', 't', 'm')",
            org,
            ada.id,
        )
        await until(lambda: realtime.totals.events)
        value = await figures(http)
        assert value("livewatch_feeds", "connected") == 1
        assert value("livewatch_feeds", "error") == 0
        assert value("livewatch_subscriptions") == 1
        assert value("livewatch_events_total") >= 1
        assert value("livewatch_windows") == 0
        assert value("livewatch_lag_seconds_count") == value("livewatch_lag_seconds_bucket", "+Inf") >= 1
        assert 0 < value("livewatch_lag_seconds_sum") < 10
        assert value("process_resident_memory_bytes") > 0
        subscription.close()
        await until(lambda: not realtime.feeds())
        # Totals include feeds that have ended.
        assert (await figures(http))("livewatch_events_total") >= value("livewatch_events_total")


async def test_reports_are_counted_by_target_and_result(program: Program, world: World) -> None:
    async with operated(world) as (http, context):
        ingest: Ingest = context.ingest
        key = await ingest.authenticate(program.token)
        await ingest.apply(
            key,
            [
                Operation(target=Target.STREAMS, slug="s", body={"total": 3}),
                Operation(target=Target.STREAMS, slug="s", body={"advance": 1}),
                Operation(target=Target.STREAMS, slug="unknown", verb=Verb.FINISH, body={}),
            ],
        )
        with pytest.raises(IngestRefused):
            await ingest.authenticate("no key")
        value = await figures(http)
    assert value("livewatch_ingest_total", "streams", "written") == 2
    assert value("livewatch_ingest_total", "streams", "not_found") == 1
    assert value("livewatch_ingest_total", "request", "bad_key") == 1


@pytest.mark.parametrize(
    ("address", "headers", "status"),
    [
        ("127.0.0.1", {}, 200),
        ("::1", {}, 200),
        ("192.0.2.7", {}, 403),
        ("127.0.0.1", {"X-Forwarded-For": "192.0.2.7"}, 403),
    ],
)
async def test_without_a_token_the_figures_are_for_this_machine_alone(
    world: World, address: str, headers: dict[str, str], status: int
) -> None:
    async with operated(world) as (_, context):
        app = FastAPI()
        app.include_router(health_routes(context))
        transport = httpx.ASGITransport(app, client=(address, 5000))
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as http:
            assert (await http.get("/metrics", headers=headers)).status_code == status


async def test_with_a_token_the_figures_are_for_who_has_it(world: World) -> None:
    async with operated(world, token="a token of the tests") as (http, _):
        assert (await http.get("/metrics")).status_code == 403
        assert (await http.get("/metrics", headers={"Authorization": "Bearer another"})).status_code == 403
        value = await figures(http, Authorization="Bearer a token of the tests")
        assert value("livewatch_windows") == 0


async def test_nothing_of_a_person_or_an_organisation_is_in_the_figures(world: World) -> None:
    org = await world.organization("Secretive")
    ada = await world.person(org, role=Role.ADMIN)
    async with operated(world) as (http, context):
        subscription = context.realtime.subscribe_to_all_streams(org, session=ada)
        await until(lambda: subscription.is_loaded)
        text = (await http.get("/metrics")).text
    for secret in (str(org), str(ada.id), ada.email, "Secretive"):
        assert secret not in text

"""Health endpoints: /healthz, /readyz and /metrics."""

from hmac import compare_digest

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import SecretStr

from pages.http.demo_entry import is_local
from pages.page.services import Services
from services.operations.metrics import Metrics
from services.operations.readiness import GOOD, Readiness


def health_routes(services: Services) -> APIRouter:
    """Return the health routes; /metrics requires the metrics token, or without one a request from this machine."""
    router = APIRouter(include_in_schema=False)
    metrics = Metrics(services.realtime, services.windows, services.ingest)
    readiness = Readiness(services.database, services.realtime)

    @router.get("/healthz")
    async def healthz() -> JSONResponse:
        """Report liveness of the process only: a restart cannot fix its dependencies."""
        return JSONResponse({"status": "ok"})

    @router.get("/readyz")
    async def readyz() -> JSONResponse:
        checks = await readiness.check()
        is_ready = all(result == GOOD for result in checks.values())
        return JSONResponse(
            {"status": "ready" if is_ready else "not ready", "checks": checks}, 200 if is_ready else 503
        )

    @router.get("/metrics")
    async def read_metrics(request: Request) -> Response:
        if not _may_read(request, services.metrics_token):
            return PlainTextResponse(
                "Metrics require LIVEWATCH_METRICS_TOKEN as a bearer token, or a request from the same machine.", 403
            )
        return Response(metrics.text(), media_type=CONTENT_TYPE_LATEST)

    return router


def _may_read(request: Request, token: SecretStr | None) -> bool:
    if token is not None:
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        return scheme.lower() == "bearer" and compare_digest(given.strip().encode(), token.get_secret_value().encode())
    return is_local(request)

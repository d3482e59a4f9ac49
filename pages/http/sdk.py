"""/sdk: the SDK's wheel, and an index that pip reads; open to everybody, like its sources.

The index is a simple repository, https://packaging.python.org/en/latest/specifications/simple-repository-api/.
"""

from fastapi import APIRouter
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import HTMLResponse, PlainTextResponse, Response

from services.sdk_wheel import Wheel, sdk_wheel

SDK_BELOW = "/sdk/"
MISSING = "The sources of the SDK are not installed beside this app: install the SDK from its repository."


def sdk_routes() -> APIRouter:
    """Return the routes of the wheel and of the index."""
    router = APIRouter(prefix="/sdk", include_in_schema=False)

    @router.get("/simple/")
    async def projects() -> Response:
        return HTMLResponse('<!doctype html><title>Packages</title><a href="livewatch/">livewatch</a>')

    @router.get("/simple/livewatch/")
    async def files() -> Response:
        wheel = await _wheel()
        if wheel is None:
            return PlainTextResponse(MISSING, status_code=404)
        link = f'<a href="../../{wheel.name}#sha256={wheel.digest}">{wheel.name}</a>'
        return HTMLResponse(f"<!doctype html><title>livewatch</title>{link}")

    @router.get("/{name}")
    async def download(name: str) -> Response:
        wheel = await _wheel()
        if wheel is None:
            return PlainTextResponse(MISSING, status_code=404)
        if name != wheel.name:
            return PlainTextResponse(f"There is no {name!r} here. The SDK is {wheel.name}.", status_code=404)
        return Response(wheel.content, media_type="application/octet-stream")

    return router


async def _wheel() -> Wheel | None:
    return await run_in_threadpool(sdk_wheel)

"""/push: what the browser of a device tells and asks, under its person's session."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, Field

from pages.http.auth_middleware import session_of
from pages.page.services import Services
from services.auth.identity import Identity
from services.errors import (
    Conflict,
    DatabaseUnavailable,
    LivewatchError,
    NotAccepted,
    PermissionDenied,
    SessionExpired,
)
from services.push.devices import add_device, mark_group, read_badge, remove_endpoint, unread_groups

STATUSES: dict[type[LivewatchError], int] = {
    SessionExpired: 401,
    PermissionDenied: 403,
    Conflict: 409,
    NotAccepted: 422,
    DatabaseUnavailable: 503,
}
Text = Annotated[str, Field(max_length=2000)]


class SubscriptionKeys(BaseModel):
    """Keys of a `PushSubscription` as JSON."""

    p256dh: Text
    auth: Text


class Subscription(BaseModel):
    """A `PushSubscription` as JSON, and the endpoint whose place it takes."""

    endpoint: Text
    keys: SubscriptionKeys
    replaces: Text = ""


class Endpoint(BaseModel):
    """The endpoint of a device."""

    endpoint: Text


class Group(BaseModel):
    """What a device shows as one notification."""

    org: UUID
    tag: Text


def device_routes(services: Services) -> APIRouter:
    """Return the routes; each acts for the person who has signed in, on own rows only."""
    router = APIRouter(prefix="/push", include_in_schema=False)
    database = services.database

    @router.post("/devices")
    async def add(request: Request, given: Subscription) -> Response:
        async def work(identity: Identity) -> dict[str, Any]:
            id = await add_device(
                database,
                identity,
                endpoint=given.endpoint,
                p256dh=given.keys.p256dh,
                auth=given.keys.auth,
                agent=request.headers.get("user-agent", ""),
            )
            if given.replaces and given.replaces != given.endpoint:
                await remove_endpoint(database, identity, given.replaces)
            return {"id": str(id)}

        return await _answer(request, work)

    @router.post("/devices/remove")
    async def remove(request: Request, given: Endpoint) -> Response:
        async def work(identity: Identity) -> dict[str, Any]:
            return {"removed": await remove_endpoint(database, identity, given.endpoint)}

        return await _answer(request, work)

    @router.post("/read")
    async def read(request: Request, given: Group) -> Response:
        async def work(identity: Identity) -> dict[str, Any]:
            marked = await mark_group(database, identity, org_id=given.org, tag=given.tag)
            return {"marked": marked, "badge": await read_badge(database, identity)}

        return await _answer(request, work)

    @router.get("/unread")
    async def unread(request: Request) -> Response:
        async def work(identity: Identity) -> dict[str, Any]:
            return {"badge": await read_badge(database, identity), "groups": await unread_groups(database, identity)}

        return await _answer(request, work)

    return router


async def _answer(request: Request, work: Any) -> Response:
    session = session_of(request)
    headers = {"Cache-Control": "no-store"}
    if session is None:
        return JSONResponse({"error": "Sign in first."}, 401, headers)
    try:
        return JSONResponse(await work(session.identity), headers=headers)
    except LivewatchError as error:
        status = next((code for kind, code in STATUSES.items() if isinstance(error, kind)), 500)
        return JSONResponse({"error": str(error)}, status, headers)

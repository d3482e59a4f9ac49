"""Fixtures: a client of the app's sessions and downloads."""

from collections.abc import AsyncIterator
from functools import partial
from types import SimpleNamespace
from typing import cast

import httpx
import pytest
from fastapi import FastAPI
from pydantic import SecretStr

from pages.http.auth_middleware import AuthMiddleware
from pages.http.export import export_routes
from pages.http.log_export import log_export_routes
from pages.page.services import Services
from pages.page.session_cookie import SessionCookie
from pages.session.routes import session_routes
from services.auth.sessions import Sessions
from services.people.session_uses import SessionUses, discard_session
from tests.world import Person, World


@pytest.fixture
async def http(world: World) -> AsyncIterator[httpx.AsyncClient]:
    """Yield a client of the routes that sign in and export."""
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
    app = FastAPI()
    app.include_router(session_routes(context))
    app.include_router(export_routes(context))
    app.include_router(log_export_routes(context))
    discard = partial(discard_session, world.database)
    app.add_middleware(AuthMiddleware, cookie=cookie, sessions=sessions, discard=discard)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://app.test") as client:
        yield client


async def enter(http: httpx.AsyncClient, person: Person) -> None:
    """Sign in as a person, in the place of another one."""
    http.cookies.clear()
    answer = await http.post("/session", data={"email": person.email, "password": person.password})
    assert answer.status_code == 303

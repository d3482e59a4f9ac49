"""Fixtures: the app as an attacker reaches it, and people whom it knows."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack

import httpx
import pytest

from tests.app_process import AppProcess
from tests.e2e.conftest import app as app  # noqa: PLC0414  # a fixture
from tests.speed import deadline
from tests.world import Person

Visitor = Callable[..., httpx.AsyncClient]


@pytest.fixture
async def visitor(app: AppProcess) -> AsyncIterator[Visitor]:
    """Yield a function that returns an HTTP client of the app, with a cookie jar of its own."""
    async with AsyncExitStack() as stack:

        def client(**options: object) -> httpx.AsyncClient:
            made = httpx.AsyncClient(base_url=app.url, timeout=deadline(10), **options)  # type: ignore[arg-type]
            stack.push_async_callback(made.aclose)
            return made

        yield client


async def enter(http: httpx.AsyncClient, person: Person) -> httpx.AsyncClient:
    """Sign in; returns the client, which has the cookie."""
    answer = await http.post("/session", data={"email": person.email, "password": person.password})
    assert answer.headers["location"] == "/", answer.headers
    return http

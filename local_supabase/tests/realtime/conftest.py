"""Fixtures: a private topic with its policies."""

import uuid
from collections.abc import AsyncIterator
from typing import Any

import psycopg
import pytest

from local_supabase.tests.tools import U1


@pytest.fixture
async def topic(owner: psycopg.AsyncConnection[Any]) -> AsyncIterator[str]:
    """A private topic: U1 may read and write, U2 neither."""
    name = f"room:{uuid.uuid4().hex[:8]}"
    await owner.execute("insert into public.listeners values (%s, %s)", (name, U1))
    yield name
    await owner.execute("delete from public.listeners where topic = %s", (name,))

"""A feed is shared: what it logs names no user, whoever opened it first."""

import pytest
import structlog

from services.entities import STREAMS
from services.realtime import FeedStatus, RealtimeService
from tests.world import World, until

pytestmark = pytest.mark.integration


async def test_the_feed_does_not_speak_in_the_name_of_whoever_opened_it(
    world: World, realtime: RealtimeService
) -> None:
    org = await world.organization()
    person = await world.person(org)
    spoken: list[dict[str, object]] = []

    def heard(_: FeedStatus) -> None:
        spoken.append(structlog.contextvars.get_contextvars())

    with structlog.contextvars.bound_contextvars(user="the first", request_id="its request"):
        subscription = realtime.subscribe(STREAMS, org, session=person, on_status=heard)
        await until(lambda: subscription.is_loaded and subscription.status.lag is not None, within=15)
    assert spoken[-1] == {}

"""Authorisation of subscriptions: one question for those of a session that begin together."""

import asyncio
from random import Random
from typing import Any, cast

import pytest

from services.auth.identity import Identity
from services.entities import AGENTS, SCANS, STREAMS, Entity, Topic
from services.errors import PermissionDenied
from services.realtime.authorization import Authorization
from services.realtime.source import Source
from services.realtime.subscription import Subscriber, Subscription
from tests.services.realtime.fakes import ORG, FakeMember


class Asked:
    """A source that answers once it may, and keeps the questions."""

    def __init__(self) -> None:
        self.topics: list[Topic] = []
        self.may_answer = asyncio.Event()
        self.refuses = False

    async def check(self, _: Identity, topic: Topic) -> None:
        self.topics.append(topic)
        await self.may_answer.wait()
        if self.refuses:
            raise PermissionDenied("not a member")


def subscription_of(member: Subscriber, entity: Entity[Any] = STREAMS) -> Subscription[Any]:
    return Subscription(
        entity,
        STREAMS.topic(ORG),
        session=member,
        where=None,
        on_change=None,
        on_status=None,
        on_close=lambda _: None,
    )


@pytest.fixture
def asked() -> Asked:
    return Asked()


@pytest.fixture
def authorization(asked: Asked) -> Authorization:
    return Authorization(cast(Source, asked), random=Random(1))


async def test_subscriptions_that_begin_together_are_one_question_for_each_session(
    asked: Asked, authorization: Authorization
) -> None:
    ada, ben = FakeMember(), FakeMember()
    each = [subscription_of(ada, entity) for entity in (STREAMS, SCANS, AGENTS)] + [subscription_of(ben)]
    answers = [asyncio.ensure_future(authorization.authorize(one)) for one in each]
    await asyncio.sleep(0)
    asked.may_answer.set()
    assert await asyncio.gather(*answers) == [True] * 4
    assert len(asked.topics) == 2
    assert await authorization.authorize(subscription_of(ada))
    assert len(asked.topics) == 3, "an answer is not kept"


async def test_a_refusal_denies_each_of_them(asked: Asked, authorization: Authorization) -> None:
    ada = FakeMember()
    each = [subscription_of(ada), subscription_of(ada)]
    asked.refuses = True
    asked.may_answer.set()
    assert await asyncio.gather(*map(authorization.authorize, each)) == [False, False]
    assert all(one.is_denied for one in each)


async def test_one_that_ends_while_it_asks_leaves_the_others_their_answer(
    asked: Asked, authorization: Authorization
) -> None:
    ada = FakeMember()
    first, second = (asyncio.ensure_future(authorization.authorize(subscription_of(ada))) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.sleep(0)
    asked.may_answer.set()
    assert await second
    assert len(asked.topics) == 1

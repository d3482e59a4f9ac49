"""Authorisation of subscriptions: asks the database when one begins, and again as memberships may have changed."""

import asyncio
from collections.abc import Iterable, Set
from random import Random
from typing import Any
from uuid import UUID

import structlog

from services.auth.identity import Identity
from services.entities import ConnectionStatus, Scope, Topic
from services.errors import LivewatchError, PermissionDenied, SessionExpired
from services.infra.backoff import Backoff
from services.realtime.source import Source
from services.realtime.subscription import Subscriber, Subscription

logger = structlog.get_logger(__name__)

RECHECK_INTERVAL_SECONDS = 30.0
UNNOTIFIED_RECHECK_INTERVAL_SECONDS = 3.0
CHECK_BACKOFF_BASE_SECONDS = 0.5
CHECK_BACKOFF_MAX_SECONDS = 2.0


class Authorization:
    """Denies subscriptions whose subscriber may not read their topic, or no longer may.

    Args:
        source: Reads from the database.
        random: Randomness of the backoff.
    """

    def __init__(self, source: Source, *, random: Random) -> None:
        self._source = source
        self._random = random
        self._asked: dict[tuple[Subscriber, Topic], asyncio.Future[None]] = {}

    async def authorize(self, subscription: Subscription[Any]) -> bool:
        """Ask the database until it answers; deny the subscription, or return True if it is open and authorised."""
        backoff = Backoff(base=CHECK_BACKOFF_BASE_SECONDS, maximum=CHECK_BACKOFF_MAX_SECONDS, random=self._random)
        while not subscription.is_closed:
            try:
                await self._ask(subscription)
            except (PermissionDenied, SessionExpired) as error:
                subscription.deny(str(error))
            except LivewatchError as error:
                logger.info("subscription not yet authorised", topic=str(subscription.topic), cause=str(error))
                await backoff.wait()
            else:
                return not subscription.is_closed
        return False

    async def recheck(self, subscriptions: Iterable[Subscription[Any]]) -> None:
        """Authorise these subscriptions again, with one question per user and topic."""
        refusals: dict[tuple[UUID, Topic], str | None] = {}
        for subscription in subscriptions:
            try:
                identity = subscription.session.identity
            except SessionExpired as error:
                subscription.deny(str(error))
                continue
            key = (identity.user_id, subscription.topic)
            if key not in refusals:
                refusals[key] = await self._refusal(identity, subscription.topic)
            if (cause := refusals[key]) is not None:
                subscription.deny(cause)

    async def recheck_loop(self, subscriptions: Set[Subscription[Any]]) -> None:
        """Recheck now and then all, and often those whose subscriber is not notified of changes.

        Args:
            subscriptions: The open subscriptions, read anew each time.
        """
        clock = asyncio.get_running_loop().time
        all_due_at = clock() + RECHECK_INTERVAL_SECONDS
        while True:
            await asyncio.sleep(UNNOTIFIED_RECHECK_INTERVAL_SECONDS)
            if clock() >= all_due_at:
                all_due_at = clock() + RECHECK_INTERVAL_SECONDS
                await self.recheck(list(subscriptions))
            else:
                notified = {each.session for each in subscriptions if _is_notified(each)}
                await self.recheck([each for each in subscriptions if each.session not in notified])

    async def _ask(self, subscription: Subscription[Any]) -> None:
        """Ask the database, once for all subscriptions of a session on a topic that begin while it answers."""
        key = (subscription.session, subscription.topic)
        if (asked := self._asked.get(key)) is None:
            asked = asyncio.ensure_future(self._source.check(subscription.session.identity, subscription.topic))
            self._asked[key] = asked
            asked.add_done_callback(lambda answered: self._answered(key, answered))
        # One of them that ends does not end the question of the others.
        await asyncio.shield(asked)

    def _answered(self, key: tuple[Subscriber, Topic], answered: asyncio.Future[None]) -> None:
        del self._asked[key]
        if not answered.cancelled():
            answered.exception()  # those that still wait get it

    async def _refusal(self, identity: Identity, topic: Topic) -> str | None:
        """Why the user may not subscribe; None if they may, or if the database does not answer now."""
        try:
            await self._source.check(identity, topic)
        except PermissionDenied as error:
            return str(error)
        except LivewatchError as error:
            logger.info("subscription not rechecked", topic=str(topic), cause=str(error))
        return None


def _is_notified(subscription: Subscription[Any]) -> bool:
    """Whether this subscription receives changes of its subscriber's memberships."""
    try:
        subscription.session.identity  # noqa: B018  # raises when the session has ended
    except SessionExpired:
        return False
    return subscription.topic.scope is Scope.USER and subscription.status.status is ConnectionStatus.CONNECTED

"""The seam between a Feed and a Realtime server: what a transport must do, whatever its protocol."""

import asyncio
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol
from uuid import UUID

from pydantic import SecretStr

from services.entities import Topic
from services.feed_kind import FeedKind
from services.realtime.transports.change import Change


class Sink(Protocol):
    """Takes what arrives on a topic. Its methods are called in the order of arrival and never raise."""

    def change(self, change: Change) -> None:
        """A row of a monitored table changed."""

    def membership(self) -> None:
        """The user's memberships changed; subscriptions must be checked again."""

    def probe(self, nonce: UUID) -> None:
        """A probe came back."""

    def resync_required(self, table: str) -> None:
        """Something in this table changed that the event does not tell."""

    def malformed(self, payload: Mapping[str, Any], reason: str) -> None:
        """Something arrived that is no change."""


class Link(Protocol):
    """One joined channel."""

    @property
    def closed(self) -> "asyncio.Future[str]":
        """Done, with the cause as a sentence, once the channel is no longer joined."""

    async def set_auth(self, token: SecretStr) -> None:
        """Go on under another token, without rejoining."""


class Transport(Protocol):
    """Opens channels. One instance serves every Feed of the process; probes travel as `kind` says."""

    @property
    def kind(self) -> FeedKind:
        """How changes, and so probes, arrive."""

    async def is_reachable(self) -> bool:
        """Whether something listens where the server should be; cheap enough to ask every few seconds."""

    def open(self, topic: Topic, token: SecretStr, sink: Sink) -> AbstractAsyncContextManager[Link]:
        """Join `topic` under `token`.

        Entering returns once every change committed from then on will reach the sink, and raises FeedError with the
        server's reason when the channel cannot be joined in time. Leaving closes whatever was opened, within seconds.
        """

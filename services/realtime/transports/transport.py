"""The interface between a feed and a Realtime server."""

import asyncio
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol
from uuid import UUID

from pydantic import SecretStr

from services.entities import Topic
from services.feed_kind import FeedKind
from services.realtime.transports.change import Change
from services.realtime.transports.notes_signal import CaretSignal, NotesSignal
from services.realtime.transports.typing_signal import TypingSignal


class Sink(Protocol):
    """Receives the events of a topic; methods are called in the order of arrival and must not raise."""

    def change(self, change: Change) -> None:
        """Handle a change of a monitored row."""

    def membership(self) -> None:
        """Handle a change of the user's memberships."""

    def profile(self) -> None:
        """Handle a change of the user's profile."""

    def team(self, org_id: UUID) -> None:
        """Handle a change of the members, the invitations or the name of one of the user's organisations."""

    def typing(self, signal: TypingSignal) -> None:
        """Handle that a member is typing."""

    def notes(self, signal: NotesSignal | CaretSignal) -> None:
        """Handle that somebody wrote into the notes of a stream, or moved a caret there."""

    def probe(self, nonce: UUID) -> None:
        """Handle a probe that came back."""

    def resync_required(self, table: str) -> None:
        """Handle an event that does not contain the changed row: the table must be read again."""

    def row_left_out(self, table: str, id: UUID) -> None:
        """Handle the change of a row that is too large for an event: it must be read."""

    def malformed(self, payload: Mapping[str, Any], reason: str) -> None:
        """Handle an event that cannot be decoded."""


class Link(Protocol):
    """One joined channel."""

    @property
    def closed(self) -> "asyncio.Future[str]":
        """A future whose result is why the channel is no longer joined, as a phrase."""

    async def set_auth(self, token: SecretStr) -> None:
        """Switch to another access token without rejoining."""


class Transport(Protocol):
    """Opens channels; one instance serves every feed of the process."""

    @property
    def kind(self) -> FeedKind:
        """How changes and probes arrive."""

    async def is_reachable(self) -> bool:
        """Whether the server's host accepts connections; cheap enough to ask every few seconds."""

    def open(self, topic: Topic, token: SecretStr, sink: Sink) -> AbstractAsyncContextManager[Link]:
        """Join `topic` under `token`.

        Entering the context returns once every change committed from then on reaches the sink. Leaving it closes socket
        and channel within seconds.

        Raises:
            FeedRefused: The server refused the channel; the message has its reason.
            FeedError: The channel could not be joined in time.
        """

"""The registry of joined channels by topic; private and public channels of a name are separate."""

from typing import Protocol

from local_supabase.realtime.protocol.frames import Outgoing


class Listener(Protocol):
    """A joined channel, as the registry uses it."""

    topic: str
    """With the prefix `realtime:`."""
    name: str
    """Without the prefix."""
    private: bool
    sees_presence: bool

    def deliver(self, message: Outgoing) -> None:
        """Send a message to the client."""


class Topics:
    """All joined channels of the server."""

    def __init__(self) -> None:
        self._listeners: dict[tuple[str, bool], dict[Listener, None]] = {}

    def add(self, listener: Listener) -> None:
        """Register a channel."""
        self._listeners.setdefault((listener.name, listener.private), {})[listener] = None

    def remove(self, listener: Listener) -> None:
        """Unregister a channel; idempotent."""
        key = (listener.name, listener.private)
        if listeners := self._listeners.get(key):
            listeners.pop(listener, None)
            if not listeners:
                del self._listeners[key]

    def has_listeners(self, name: str, private: bool) -> bool:
        """Return whether any channel has joined the topic."""
        return (name, private) in self._listeners

    def publish(
        self, name: str, private: bool, message: Outgoing, *, exclude: Listener | None = None, presence: bool = False
    ) -> None:
        """Deliver a message to the channels of a topic.

        Args:
            name: the topic without its prefix.
            private: whether to publish to the private or the public channels.
            message: the message, encoded once for all.
            exclude: a channel that does not receive it.
            presence: deliver only to channels that see presence.
        """
        for listener in list(self._listeners.get((name, private), ())):
            if listener is not exclude and (not presence or listener.sees_presence):
                listener.deliver(message)

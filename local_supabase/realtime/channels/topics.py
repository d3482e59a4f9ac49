"""Who listens where: the channels of every topic, private and public ones apart."""

from typing import Protocol

from local_supabase.realtime.protocol.frames import Outgoing


class Listener(Protocol):
    """A joined channel, as topics see it."""

    name: str
    private: bool
    sees_presence: bool

    def deliver(self, message: Outgoing) -> None: ...


class Topics:
    """All joined channels of the server; `publish` reaches those of one topic."""

    def __init__(self) -> None:
        self._listeners: dict[tuple[str, bool], dict[Listener, None]] = {}

    def add(self, listener: Listener) -> None:
        self._listeners.setdefault((listener.name, listener.private), {})[listener] = None

    def remove(self, listener: Listener) -> None:
        """Idempotent."""
        key = (listener.name, listener.private)
        if listeners := self._listeners.get(key):
            listeners.pop(listener, None)
            if not listeners:
                del self._listeners[key]

    def has(self, name: str, private: bool) -> bool:
        return (name, private) in self._listeners

    def publish(
        self, name: str, private: bool, message: Outgoing, *, but: Listener | None = None, presence: bool = False
    ) -> None:
        """Hand a message to every channel of the topic, except `but`; news of presence to those who asked for it."""
        for listener in list(self._listeners.get((name, private), ())):
            if listener is not but and (not presence or listener.sees_presence):
                listener.deliver(message)

"""The unsent data of all clients, which publishers of many messages wait for."""

import contextlib
from typing import Protocol

from local_supabase.retry import poll

POLL_SECONDS = 0.005


class Connection(Protocol):
    """A client's connection."""

    @property
    def unsent(self) -> int:
        """Bytes in its write buffer."""


class SendBuffers:
    """Lets a publisher of many messages go on only as fast as the clients read.

    Otherwise one statement over thousands of rows would fill the buffer of every client and disconnect it. A client
    that reads nothing delays nobody twice: it is passed over until it has read on.

    Args:
        max_unsent: Bytes that a client may have unsent while more is published.
        max_wait: Seconds to wait for a client that reads nothing.
    """

    def __init__(self, max_unsent: int, max_wait: float) -> None:
        self._max_unsent = max_unsent
        self._max_wait = max_wait
        self._connections: set[Connection] = set()
        self._stuck: dict[Connection, int] = {}

    def add(self, connection: Connection) -> None:
        """Wait for this connection from now on."""
        self._connections.add(connection)

    def discard(self, connection: Connection) -> None:
        """Wait for it no longer; idempotent."""
        self._connections.discard(connection)
        self._stuck.pop(connection, None)

    @property
    def is_behind(self) -> bool:
        """Whether a client has yet to read what was published."""
        return bool(self._behind())

    async def drain(self) -> None:
        """Wait until no client is behind, except those that read nothing meanwhile."""
        while behind := self._behind():
            before = {each: each.unsent for each in behind}
            with contextlib.suppress(TimeoutError):
                await poll(lambda: not self._behind(), every=POLL_SECONDS, within=self._max_wait)
            for each, unsent in before.items():
                if each in self._connections and each.unsent >= unsent > self._max_unsent:
                    self._stuck[each] = each.unsent

    def _behind(self) -> list[Connection]:
        for each, unsent in list(self._stuck.items()):
            if each.unsent < unsent:
                del self._stuck[each]
        return [each for each in self._connections if each.unsent > self._max_unsent and each not in self._stuck]

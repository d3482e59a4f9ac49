"""Uploads: artefacts that wait in memory until the server has them, bounded."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol
from urllib.parse import quote, urlencode

from livewatch.delivery.errors import DeliveryError

if TYPE_CHECKING:
    from livewatch.delivery.client import Response

MAX_WAITING_BYTES = 100 * 2**20
MAX_ATTEMPTS = 8
NOT_FOUND = 404

logger = logging.getLogger("livewatch")


@dataclass(eq=False)
class Upload:
    """An artefact of a run, as the API takes it."""

    run: str
    name: str
    kind: str
    content: bytes
    attempts: int = 0

    @property
    def path(self) -> str:
        """Path of the request, relative to /api/v1."""
        query = urlencode({"run": self.run, "name": self.name, "kind": self.kind}, quote_via=quote, errors="replace")
        return f"/artefacts?{query}"


class UploadTransport(Protocol):
    """What uploads need of the HTTP client."""

    def request(self, method: str, path: str, body: bytes, /) -> Response: ...
    def close(self) -> None: ...
    def abandon(self) -> None: ...


class Uploads:
    """Artefacts in the order in which they were made; `send` is called by one thread, the others by any.

    Owns its transport.
    """

    def __init__(self, transport: UploadTransport) -> None:
        self._transport = transport
        self._lock = threading.Lock()
        self._waiting: list[Upload] = []

    def add(self, upload: Upload) -> bool:
        """Add an artefact, which replaces one of its name that waits; return False if there is no room for it."""
        with self._lock:
            others = [each for each in self._waiting if (each.run, each.name) != (upload.run, upload.name)]
            if sum(len(each.content) for each in others) + len(upload.content) > MAX_WAITING_BYTES:
                return False
            self._waiting = [*others, upload]
        return True

    def __len__(self) -> int:
        return len(self._waiting)

    def send(self) -> DeliveryError | None:
        """Send all that wait; return why some wait on, if they do. What the server rejects is dropped, with a warning.

        Raises:
            UnreachableError: The server did not answer.
        """
        problem: DeliveryError | None = None
        for upload in list(self._waiting):
            response = self._transport.request("POST", upload.path, upload.content)
            upload.attempts += 1
            # 404: another process has yet to report the run.
            is_temporary = response.status in (NOT_FOUND, 429) or response.status >= 500
            if response.status < 300 or not is_temporary or upload.attempts == MAX_ATTEMPTS:
                self._remove(upload)
                if response.status >= 300:
                    logger.warning("Livewatch rejected the artefact %r: %s", upload.name[:60], response.error)
            else:
                wait = response.retry_after
                problem = DeliveryError(response.error, retry_after=wait, is_requested=wait is not None)
        return problem

    def close(self) -> None:
        """Close the connection until the next request. Idempotent."""
        self._transport.close()

    def abandon(self) -> None:
        """Drop the parent's connection in a forked child."""
        self._transport.abandon()

    def _remove(self, upload: Upload) -> None:
        with self._lock:
            self._waiting = [each for each in self._waiting if each is not upload]

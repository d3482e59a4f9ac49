"""Batches: how queued operations are sent, and what the server's answer to each does to the queue."""

import logging
from collections.abc import Sequence
from typing import Protocol

from livewatch.delivery.client import Response
from livewatch.delivery.clock import uptime
from livewatch.delivery.disk_queue import DiskQueue, Entry
from livewatch.delivery.errors import DeliveryError, MisconfiguredError
from livewatch.delivery.operations import Operation, encode_batch

MAX_BATCH_OPERATIONS = 500
MAX_BATCH_BYTES = 600 * 1024
# Of an operation that fails while others of its batch succeed.
MAX_ATTEMPTS = 3
# After an operation that the server postpones without saying for how long.
POSTPONED_RETRY_SECONDS = 1.0

logger = logging.getLogger("livewatch")


class Transport(Protocol):
    """What the worker needs of the HTTP client."""

    @property
    def url(self) -> str: ...
    def request(self, method: str, path: str, body: str | None = None, /) -> Response: ...
    def close(self) -> None: ...
    def abandon(self) -> None: ...


class BatchSender:
    """Sends batches of a queue and acknowledges their entries as the server answered.

    Args:
        transport: Sends requests.
        queue: Holds the entries.
    """

    def __init__(self, transport: Transport, queue: DiskQueue) -> None:
        self._transport = transport
        self._queue = queue
        self._warned_fields: set[str] = set()
        self._latency = 0.0
        self._dated_until = float("-inf")
        """Uptime at which the server dated the newest entry so far, at the latest."""

    def next_batch(self) -> list[Entry]:
        """Return the oldest entries that fit into one batch."""
        return self._queue.peek(MAX_BATCH_OPERATIONS, MAX_BATCH_BYTES)

    def send(self, entries: Sequence[Entry], heartbeats: Sequence[Operation]) -> None:
        """Send one batch, with heartbeats that are not queued, and acknowledge its entries.

        Raises:
            DeliveryError: The batch failed, or the server postpones entries of it.
            UnreachableError: The server did not answer.
        """
        operations = [*(entry.operation for entry in entries), *heartbeats]
        if not operations:
            return
        ages, sent_at = self._ages(entries), uptime()
        response = self._transport.request(
            "POST", "/batch", encode_batch(operations, [*ages, *(0.0 for _ in heartbeats)])
        )
        results = results_of(response, len(operations))
        if results is not None:
            if ages:
                answered_at = uptime()
                self._latency, self._dated_until = answered_at - sent_at, answered_at - min(ages)
            self._acknowledge(entries, results)
        elif response.status in (400, 413, 422) and entries:
            self._bisect(entries, response)
        else:
            raise batch_error(self._transport.url, response)

    def _ages(self, entries: Sequence[Entry]) -> list[float]:
        """Return the ages to send, so that the server dates no entry before those of the batch before.

        It dates them from the arrival of the request: as late as that was on its way, which differs. An end that came
        faster than the beginning would else be before it. Corrected is at most what the last request took, so that an
        entry which was postponed keeps its time.
        """
        most = max(0.0, uptime() - self._dated_until)
        return [each.age - min(self._latency, max(0.0, each.age - most)) for each in entries]

    def _bisect(self, entries: Sequence[Entry], response: Response) -> None:
        """Halve a batch that was rejected as a whole until the invalid operation is found."""
        if len(entries) == 1:
            self._reject([(entries[0], response.error)])
            return
        half = len(entries) // 2
        self.send(entries[:half], [])
        self.send(entries[half:], [])

    def _reject(self, rejected: Sequence[tuple[Entry, str]]) -> None:
        for entry, reason in rejected:
            logger.warning("Livewatch rejected %s: %s", entry.operation.path, reason)
        self._queue.acknowledge(rejected=rejected)

    def _acknowledge(self, entries: Sequence[Entry], responses: Sequence[Response]) -> None:
        delivered, rejected, failed = [], [], []
        error: DeliveryError | None = None
        superseded: set[str] = set()
        # The newest first: what it superseded is known when an older one is looked at.
        for entry, response in reversed(list(zip(entries, responses, strict=False))):
            operation = entry.operation
            if response.status < 300:
                delivered.append(entry)
                self._warn_of_ignored(operation, response)
                if operation.coalescable:
                    superseded.add(operation.path)
            elif operation.coalescable and operation.path in superseded:
                # A retry would overwrite the newer value.
                delivered.append(entry)
            elif response.status in (429, 503):
                error = DeliveryError(response.error, retry_after=POSTPONED_RETRY_SECONDS, is_requested=True)
            elif response.status >= 500 and entry.attempts + 1 < MAX_ATTEMPTS:
                failed.append(entry)
                error = DeliveryError(response.error)
            else:
                rejected.append((entry, response.error))
        self._queue.acknowledge(delivered=delivered, failed=failed)
        self._reject(rejected)
        if error is not None:
            raise error

    def _warn_of_ignored(self, operation: Operation, response: Response) -> None:
        for field, message in response.ignored:
            # Once for each field: a loop may report the same again and again.
            if field not in self._warned_fields:
                self._warned_fields.add(field)
                logger.warning("Livewatch ignored a field of %s: %s", operation.path, message)


def results_of(response: Response, count: int) -> list[Response] | None:
    """Return the server's answer to each of `count` operations; None if the batch failed as a whole."""
    results = response.body.get("results") if isinstance(response.body, dict) else None
    if response.status != 200 or not isinstance(results, list) or len(results) != count:
        return None
    return [_result(each) for each in results]


def batch_error(url: str, response: Response) -> DeliveryError:
    """Return why a batch failed as a whole."""
    if response.status == 429 or response.status >= 500:
        retry_after = response.retry_after
        return DeliveryError(response.error, retry_after=retry_after, is_requested=retry_after is not None)
    if response.status in (401, 403):
        return MisconfiguredError(f"{url} rejected LIVEWATCH_KEY: {response.error}")
    if response.location:
        return MisconfiguredError(f"{url} redirects to {response.location}: set LIVEWATCH_URL to that")
    return MisconfiguredError(f"{url} is not a Livewatch API, or an older version: {response.error}")


def _result(result: object) -> Response:
    if not isinstance(result, dict) or not isinstance(result.get("status"), int):
        return Response(status=500, body=None)
    return Response(status=result["status"], body=result.get("body"))

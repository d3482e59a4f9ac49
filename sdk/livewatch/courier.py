"""The courier: delivers what is in the spool, in order, from a thread of its own, and tells which runs live."""

import json
import logging
import math
import random
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from livewatch.client import Answer, Client, Unreachable
from livewatch.delivery_lock import DeliveryLock
from livewatch.operations import Operation, encode, new_key
from livewatch.settings import Settings
from livewatch.spool import Entry, Spool

BATCH = 500
BATCH_BYTES = 600 * 1024
# Of an operation that fails while others of its batch are taken.
ATTEMPTS = 3
FIRST_PAUSE = 0.5
LONGEST_PAUSE = 30.0
# The key is refused, or something else answers at that address: only a person can change that.
MISCONFIGURED_PAUSE = 60.0
# While another process delivers, which may end at any time.
BUSY_PAUSE = 0.2
BEAT = 15.0

logger = logging.getLogger("livewatch")


@dataclass(frozen=True)
class Setback:
    """Why nothing more can be delivered now; `pause` in seconds where it is known how long to wait.

    A pause for which the server asked is kept also by a `flush`.
    """

    reason: str
    pause: float | None = None
    is_asked_for: bool = False

    @property
    def is_for_a_person(self) -> bool:
        """Whether waiting does not help."""
        return self.pause == MISCONFIGURED_PAUSE


BUSY = Setback("another process is delivering", BUSY_PAUSE)


class Courier:
    """Delivers until it is closed; every wait is bounded, and nothing raises.

    `alive` names the runs of this process that go on; a heartbeat is sent for each at once and every `beat` seconds.
    """

    def __init__(self, settings: Settings, spool: Spool, alive: Callable[[], list[str]], *, beat: float = BEAT) -> None:
        self._url = settings.url
        self._client = Client(settings)
        self._spool = spool
        self._lock = DeliveryLock(spool.lock_file, settings.destination)
        self._alive = alive
        self._beat = beat
        self._beat_at = math.inf
        self._beaten: set[str] = set()
        self._condition = threading.Condition()
        self._thread: threading.Thread | None = None
        self._wanted = False
        self._asked = 0
        self._answered = 0
        self._not_before = 0.0
        self._failures = 0
        self._complained = False
        self._closing = False
        self.setback: Setback | None = None

    def wake(self) -> None:
        """There is something to deliver, or a run to send heartbeats for."""
        with self._condition:
            self._wanted = True
            self._condition.notify_all()
            if self._thread is None and not self._closing:
                thread = threading.Thread(target=self._run, name="livewatch courier", daemon=True)
                try:
                    thread.start()
                except RuntimeError:  # The interpreter is ending: `flush` delivers in its own thread.
                    return
                self._thread = thread

    def flush(self, timeout: float) -> bool:
        """Try at once, and wait until what this process wrote is delivered, until that failed, or for so many seconds.

        Returns whether it was delivered.
        """
        with self._condition:
            if self.setback is None or not self.setback.is_asked_for:
                self._not_before = 0.0
            elif self._not_before > time.monotonic() + timeout:
                return False
            self._asked += 1
            asked = self._asked
        self.wake()
        if self._thread is None:
            self._attempt()
        with self._condition:
            self._condition.wait_for(lambda: self._answered >= asked or self._closing, timeout)
        return not self._spool.waiting(own=True)

    def close(self, timeout: float = 0.0) -> None:
        """No further round; one that is under way is waited for as long as `timeout` says. Idempotent."""
        with self._condition:
            self._closing = True
            self._condition.notify_all()
        if self._thread is None:
            self._let_go()
        else:
            self._thread.join(timeout)

    def abandon(self) -> None:
        """For a forked child, where the connection and the lock are its parent's: let go of them."""
        self._closing = True
        self._lock.close()
        self._client.abandon()

    def _run(self) -> None:
        while True:
            with self._condition:
                while not self._closing and (wait := self._due() - time.monotonic()) > 0:
                    self._condition.wait(min(wait, threading.TIMEOUT_MAX))
                if self._closing:
                    break
            self._attempt()
        self._let_go()

    def _let_go(self) -> None:
        self._lock.close()
        self._client.close()
        self._spool.close()

    def _due(self) -> float:
        return max(self._not_before, 0.0 if self._wanted else self._beat_at)

    def _attempt(self) -> None:
        """One round, and when to try again."""
        with self._condition:
            asked, self._wanted = self._asked, False
        try:
            setback = self._round()
        except Unreachable as error:
            setback = Setback(str(error))
        except Exception:
            logger.debug("a delivery failed unexpectedly", exc_info=True)
            setback = Setback("an unexpected error", LONGEST_PAUSE)
        if setback is not None and setback is not BUSY:
            self._complain(setback)
        with self._condition:
            self._wanted = self._wanted or setback is not None
            self._not_before = time.monotonic() + self._pause(setback) if setback else 0.0
            self.setback = setback
            if setback is not BUSY:
                self._answered = asked
                self._failures = self._failures + 1 if setback else 0
            self._condition.notify_all()

    def _round(self) -> Setback | None:
        """Deliver until the spool is empty; the first setback ends it. Raises Unreachable."""
        if not self._lock.acquire():
            return BUSY if self._spool.waiting(own=True) else self._deliver([], self._beats())
        try:
            while True:
                entries = self._spool.head(BATCH, BATCH_BYTES)
                last = self._spool.waiting() <= len(entries)
                # Not before the runs are known to the server.
                setback = self._deliver(entries, self._beats() if last else [])
                if setback is not None or last or self._closing:
                    return setback
        finally:
            self._lock.release()

    def _deliver(self, entries: Sequence[Entry], beats: Sequence[Operation]) -> Setback | None:
        """Deliver these, and forget them in the spool as the server answered."""
        operations = [*(entry.operation for entry in entries), *beats]
        if not operations:
            return None
        answer = self._client.request("POST", "/batch", batch_of(operations))
        results = answer.body.get("results") if isinstance(answer.body, dict) else None
        if answer.status == 200 and isinstance(results, list) and len(results) == len(operations):
            return self._settle(entries, [_result(each) for each in results])
        if answer.status in (400, 413, 422) and entries:
            return self._deliver_apart(entries, answer)
        return self._setback(answer)

    def _deliver_apart(self, entries: Sequence[Entry], answer: Answer) -> Setback | None:
        """The batch as such is refused: find the operation that is to blame."""
        if len(entries) == 1:
            self._refuse([(entries[0], answer.error)])
            return None
        half = len(entries) // 2
        return self._deliver(entries[:half], []) or self._deliver(entries[half:], [])

    def _refuse(self, refused: Sequence[tuple[Entry, str]]) -> None:
        for entry, reason in refused:
            logger.warning("Livewatch refused %s: %s", entry.operation.path, reason)
        self._spool.settle(done=[], refused=refused, failed=[])

    def _settle(self, entries: Sequence[Entry], answers: Sequence[Answer]) -> Setback | None:
        done, refused, failed = [], [], []
        setback: Setback | None = None
        overtaken: set[str] = set()
        for entry, answer in reversed(list(zip(entries, answers, strict=False))):
            passing = entry.operation.passing
            if answer.status < 300:
                done.append(entry)
                if passing:
                    overtaken.add(entry.operation.path)
            elif passing and entry.operation.path in overtaken:
                # What came later was taken: to repeat this would set the run back.
                done.append(entry)
            elif answer.status in (429, 503):
                setback = Setback(answer.error, 1.0, is_asked_for=True)
            elif answer.status >= 500 and entry.attempts + 1 < ATTEMPTS:
                failed.append(entry)
                setback = Setback(answer.error)
            else:
                refused.append((entry, answer.error))
        self._spool.settle(done=done, refused=[], failed=failed)
        self._refuse(refused)
        return setback

    def _beats(self) -> list[Operation]:
        """Heartbeats for the runs that are new, or for all when it is time."""
        runs, now = self._alive(), time.monotonic()
        due = now >= self._beat_at
        wanted = runs if due else [run for run in runs if run not in self._beaten]
        self._beaten = set(runs)
        if due or not runs or self._beat_at == math.inf:
            self._beat_at = now + self._beat if runs else math.inf
        return [
            Operation("POST", "/heartbeats", encode({"runs": wanted[n : n + BATCH], "interval": self._beat}), new_key())
            for n in range(0, len(wanted), BATCH)
        ]

    def _setback(self, answer: Answer) -> Setback:
        if answer.status == 429 or answer.status >= 500:
            return Setback(answer.error, answer.retry_after, is_asked_for=answer.retry_after is not None)
        if answer.status in (401, 403):
            return Setback(f"{self._url} refuses LIVEWATCH_KEY: {answer.error}", MISCONFIGURED_PAUSE)
        if answer.location:
            return Setback(f"{self._url} leads to {answer.location}: set LIVEWATCH_URL to that", MISCONFIGURED_PAUSE)
        return Setback(f"{self._url} is no Livewatch, or an older one: {answer.error}", MISCONFIGURED_PAUSE)

    def _pause(self, setback: Setback) -> float:
        if setback.pause is not None:
            return setback.pause
        # Full jitter, so that a fleet does not come back as one.
        longest = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(self._failures, 10))
        return random.uniform(0.1, longest)

    def _complain(self, setback: Setback) -> None:
        """Once a process: a job's log is its own."""
        if not self._complained:
            self._complained = True
            logger.warning("Livewatch gets no updates for now; they are kept. %s.", setback.reason.rstrip("."))


def batch_of(operations: Sequence[Operation]) -> str:
    """The body of a batch."""
    return '{"operations":[' + ",".join(_written(each) for each in operations) + "]}"


def _written(operation: Operation) -> str:
    method, path, key = json.dumps(operation.method), json.dumps(operation.path), json.dumps(operation.key)
    return f'{{"method":{method},"path":{path},"body":{operation.body},"idempotency_key":{key}}}'


def _result(result: object) -> Answer:
    if not isinstance(result, dict) or not isinstance(result.get("status"), int):
        return Answer(status=500, body=None)
    return Answer(status=result["status"], body=result.get("body"))

"""Sender: one request to the push service of a device, and what the answer means."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Self
from urllib.parse import urlsplit

import httpx

from services.delivery.network import beginning_of, public_transport, retry_after
from services.errors import NotAccepted
from services.push.application_key import ApplicationKey
from services.push.encryption import DeviceKeys, encrypt
from services.push.endpoints import checked_endpoint
from services.push.message import SMALL_BYTES, PushMessage

TIMEOUT_SECONDS = 10.0
LIFETIME_SECONDS = 24 * 3600
"""How long a push service keeps a message for a device that is off."""
MAX_RETRY_AFTER_SECONDS = 3600.0
PAUSE_SECONDS = 60.0
"""How long a push service that wants fewer requests is left alone, unless it says so itself."""
MAX_REASON_CHARACTERS = 120
OK, GONE, TOO_LARGE, TOO_MANY, SERVER_ERROR = range(200, 300), (404, 410), 413, 429, 500


class Outcome(StrEnum):
    """What an answer means for the device and the message."""

    SENT = "sent"
    GONE = "gone"
    LATER = "later"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Answer of a push service.

    Args:
        outcome: What it means.
        sentence: What it said, for the person.
        retry_after: Seconds to wait; None if it does not say.
    """

    outcome: Outcome
    sentence: str
    retry_after: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where a device is reached; the endpoint is a secret, so that only its host is in the repr."""

    endpoint: str
    keys: DeviceKeys

    def __repr__(self) -> str:
        return f"Address({self.host})"

    @property
    def host(self) -> str:
        """Name of the push service."""
        return urlsplit(self.endpoint).hostname or ""


class PushSender:
    """Sends messages; a push service that wants fewer is left alone for a while. Close with `aclose`.

    Args:
        key: The key of the app.
        transport: Carries the requests; by default one that reaches public addresses only. It is closed, too.
        clock: Seconds since 1970.
    """

    def __init__(
        self,
        key: ApplicationKey,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.key = key
        self._clock = clock
        self._paused_until: dict[str, float] = {}
        self._http = httpx.AsyncClient(
            transport=transport or public_transport(), timeout=TIMEOUT_SECONDS, follow_redirects=False, trust_env=False
        )

    async def aclose(self) -> None:
        """Close the connections; idempotent."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def deliver(self, address: Address, message: PushMessage) -> Answer:
        """Send a message to a device; never raises for what a push service answers, or for none.

        A message that the push service finds too large is sent once more, cut to its title.
        """
        waiting = self._paused_until.get(address.host, 0.0) - self._clock()
        if waiting > 0:
            return Answer(
                outcome=Outcome.LATER,
                sentence=f"{address.host} wants fewer requests; the next one is in {waiting:.0f} s.",
                retry_after=waiting,
            )
        try:
            checked_endpoint(address.endpoint)
        except NotAccepted as error:
            return Answer(outcome=Outcome.REFUSED, sentence=str(error))
        status, answer = await self._post(address, message, message.encoded())
        if status == TOO_LARGE:
            status, answer = await self._post(address, message, message.encoded(at_most=SMALL_BYTES))
        return answer

    async def _post(self, address: Address, message: PushMessage, body: bytes) -> tuple[int, Answer]:
        headers = {
            "Authorization": self.key.authorization(address.endpoint),
            "Content-Encoding": "aes128gcm",
            "Content-Type": "application/octet-stream",
            "TTL": str(LIFETIME_SECONDS),
            "Urgency": message.urgency,
            "Topic": message.topic,
        }
        try:
            async with self._http.stream(
                "POST", address.endpoint, content=encrypt(body, address.keys), headers=headers
            ) as response:
                is_taken = response.status_code in OK
                reason = "" if is_taken else await beginning_of(response, characters=MAX_REASON_CHARACTERS)
        except httpx.TimeoutException:
            return 0, Answer(
                outcome=Outcome.LATER, sentence=f"{address.host} did not answer within {TIMEOUT_SECONDS:.0f} s."
            )
        except httpx.HTTPError as error:
            said = f" {error}" if isinstance(error, httpx.ConnectError) and str(error) else ""
            return 0, Answer(outcome=Outcome.LATER, sentence=f"{address.host} cannot be reached.{said}")
        return response.status_code, self._meaning(address.host, response, reason)

    def _meaning(self, host: str, response: httpx.Response, reason: str) -> Answer:
        status = response.status_code
        said = f"{host} answered {status}" + (f": {reason}" if reason else ".")
        if status in OK:
            return Answer(outcome=Outcome.SENT, sentence=f"{host} took the message ({status}).")
        if status in GONE:
            return Answer(outcome=Outcome.GONE, sentence=f"{said} The device has ended its subscription.")
        wait = retry_after(response, self._clock())
        if wait is not None:
            wait = min(max(wait, 1.0), MAX_RETRY_AFTER_SECONDS)
        if status == TOO_MANY:
            wait = PAUSE_SECONDS if wait is None else wait
            self._paused_until[host] = self._clock() + wait
            return Answer(outcome=Outcome.LATER, sentence=said, retry_after=wait)
        if status >= SERVER_ERROR:
            return Answer(outcome=Outcome.LATER, sentence=said, retry_after=wait)
        return Answer(outcome=Outcome.REFUSED, sentence=said)

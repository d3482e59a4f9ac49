"""Posting: one POST to an address that people gave, with limits of time and size, and the answer to it."""

import asyncio
import json
import re
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote, urlsplit

import httpx

from services.delivery.addresses import public_addresses
from services.delivery.couriers.wording import ELLIPSIS
from services.delivery.message import Answer
from services.delivery.network import PublicNetwork, public_transport, retry_after
from services.text import visible

TIMEOUT_SECONDS = 15.0
MAX_REPLY_BYTES = 65_536
SHOWN_REPLY_CHARACTERS = 200
MIN_SECRET_CHARACTERS = 6
PUBLIC = frozenset({"services", "workflows", "triggers", "manual", "invoke", "webhooks", "gotifys"})
"""Words of the addresses of providers."""
CREDENTIALS = ("authorization", "x-gotify-key")
FINAL = frozenset({400, 401, 403, 404, 405, 410, 413, 414, 415, 422})
"""Statuses with which a receiver refuses a message for good."""
REDIRECTS = range(300, 400)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What a receiver answered; `text` is at most `MAX_REPLY_BYTES` of it, without what is secret of the address."""

    status: int
    text: str
    retry_after: float | None = None

    @property
    def is_success(self) -> bool:
        """Whether the status is 2xx."""
        return HTTPStatus.OK <= self.status < HTTPStatus.MULTIPLE_CHOICES

    @property
    def is_final(self) -> bool:
        """Whether the same message would be refused again."""
        return self.status in FINAL or self.status in REDIRECTS

    @property
    def phrase(self) -> str:
        """The status with its name, such as 404 Not Found."""
        with suppress(ValueError):
            return f"{self.status} {HTTPStatus(self.status).phrase}"
        return str(self.status)

    @property
    def beginning(self) -> str:
        """The beginning of the text as one line that shows nothing hidden."""
        return visible(" ".join(self.text[: 10 * SHOWN_REPLY_CHARACTERS].split()))[:SHOWN_REPLY_CHARACTERS]

    @property
    def record(self) -> dict[str, Any]:
        """The text as a JSON object; empty if it is none."""
        with suppress(ValueError, RecursionError):
            found = json.loads(self.text)
            if isinstance(found, dict):
                return found
        return {}

    def failure(self, said: str | None = None) -> Answer:
        """Return the answer of a try that failed, with what the receiver said, by default the beginning."""
        if self.status in REDIRECTS:
            said = "redirects are not followed. Enter its target."
        said = self.beginning if said is None else said
        return Answer(
            is_delivered=False,
            is_final=self.is_final,
            text=f"{self.phrase}: {said}" if said else f"{self.phrase}.",
            retry_after=self.retry_after,
        )


async def post(
    url: str,
    content: bytes,
    headers: Mapping[str, str],
    read: Callable[[Reply], Answer],
    *,
    allow_private: bool = False,
    address: str = "",
    transport: httpx.AsyncBaseTransport | None = None,
    now: Callable[[], float] = time.time,
) -> Answer:
    """Post to a URL, and follow no redirect.

    The connection goes to the address that was checked, so that the name cannot lead elsewhere in between.

    Args:
        url: The receiver.
        content: The body.
        headers: Headers of it.
        read: Returns what a reply means.
        allow_private: Whether the receiver may be in a private network.
        address: The address as it was given, of which no answer may repeat more than the host; `url` by default.
        transport: In the place of the network and its checks, for tests.
        now: Seconds since 1970.

    Returns:
        What `read` returns, or that the receiver was not reached or did not answer in time.

    Raises:
        AddressRefused: The host was not found, or its address is private.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    if transport is None:
        port = parts.port or (443 if parts.scheme == "https" else 80)
        addresses = await public_addresses(host, port, allow_private=allow_private)

        async def checked(*_: object) -> list[str]:
            return addresses

        transport = public_transport(PublicNetwork(resolve=checked, allow_private=allow_private))
    # The beginning of the answer is read as it comes.
    headers = {"user-agent": "Livewatch", "accept-encoding": "identity", **headers}
    deadline = asyncio.get_running_loop().time() + TIMEOUT_SECONDS
    try:
        # A proxy of the environment would resolve the name again.
        async with httpx.AsyncClient(transport=transport, timeout=TIMEOUT_SECONDS, trust_env=False) as http:
            async with asyncio.timeout_at(deadline):
                response = await http.send(
                    http.build_request("POST", url, content=content, headers=headers), stream=True
                )
            body = bytearray()
            # The status counts, even if what follows it breaks off or never ends.
            with suppress(httpx.HTTPError, TimeoutError):
                async with asyncio.timeout_at(deadline):
                    async for part in response.aiter_raw():
                        body += part
                        if len(body) >= MAX_REPLY_BYTES:
                            break
            await response.aclose()
    except (httpx.TimeoutException, TimeoutError):
        return Answer(is_delivered=False, text=f"{host} did not answer within {TIMEOUT_SECONDS:.0f} s.")
    except httpx.HTTPError as error:
        return Answer(is_delivered=False, text=f"{host} was not reached: {type(error).__name__}.")
    text = masked(bytes(body[:MAX_REPLY_BYTES]).decode("utf-8", "replace"), address or url, headers, host)
    return read(Reply(status=response.status_code, text=text, retry_after=retry_after(response, now())))


def masked(text: str, address: str, headers: Mapping[str, str], host: str) -> str:
    """Return a text in which a receiver repeats nothing of an address but the host, and no credentials of headers."""
    given = " ".join([address, *(headers.get(name, "") for name in CREDENTIALS)])
    pieces = {form for piece in re.split(r"[/?&=:@,\s]+", given) for form in (piece, unquote(piece))}
    for each in sorted(pieces - PUBLIC, key=len, reverse=True):
        if len(each) >= MIN_SECRET_CHARACTERS and each not in host:
            text = text.replace(each, ELLIPSIS)
    return text

"""Webhooks: a signed POST of JSON, as Standard Webhooks describes it (https://www.standardwebhooks.com)."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus
from urllib.parse import urlsplit

import httpx

from services.delivery.addresses import public_addresses
from services.delivery.message import Answer, Message
from services.delivery.network import PublicNetwork, beginning_of, public_transport, retry_after

SECRET_PREFIX = "whsec_"
TIMEOUT_SECONDS = 15.0
SHOWN_REPLY_CHARACTERS = 200
FINAL = frozenset({400, 401, 403, 404, 405, 410, 413, 414, 415, 422})
"""Statuses with which a receiver refuses a message for good."""


def signature(secret: str, delivery_id: str, timestamp: int, body: bytes) -> str:
    """Return the value of the header `webhook-signature`."""
    key = base64.b64decode(secret.removeprefix(SECRET_PREFIX))
    signed = f"{delivery_id}.{timestamp}.".encode() + body
    return f"v1,{base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()}"


async def send_webhook(
    url: str,
    secret: str,
    delivery_id: str,
    message: Message,
    *,
    allow_private: bool = False,
    now: Callable[[], float] = time.time,
) -> Answer:
    """Send a message to a URL, and follow no redirect.

    The connection goes to the address that was checked, so that the name cannot lead elsewhere in between.

    Args:
        url: The receiver.
        secret: Signs the message; base64 after `whsec_`.
        delivery_id: The same for every try, so that a receiver can tell a second one.
        message: What to send.
        allow_private: Whether the receiver may be in a private network.
        now: Seconds since 1970.

    Raises:
        AddressRefused: The host was not found, or its address is private.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    port = parts.port or (443 if parts.scheme == "https" else 80)
    addresses = await public_addresses(host, port, allow_private=allow_private)

    async def checked(*_: object) -> list[str]:
        return addresses

    body = json.dumps(message.as_json, ensure_ascii=False).encode()
    timestamp = int(now())
    headers = {
        "content-type": "application/json",
        "user-agent": "Livewatch",
        # The beginning of the answer is shown as it comes.
        "accept-encoding": "identity",
        "webhook-id": delivery_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": signature(secret, delivery_id, timestamp, body),
    }
    try:
        # A proxy of the environment would resolve the name again.
        transport = public_transport(PublicNetwork(resolve=checked, allow_private=allow_private))
        async with (
            httpx.AsyncClient(transport=transport, timeout=TIMEOUT_SECONDS, trust_env=False) as http,
            http.stream("POST", url, content=body, headers=headers) as reply,
        ):
            beginning = ""
            with suppress(httpx.HTTPError):
                beginning = await beginning_of(reply, characters=SHOWN_REPLY_CHARACTERS)
            return _answer(reply, beginning, now())
    except httpx.TimeoutException:
        return Answer(is_delivered=False, text=f"{host} did not answer within {TIMEOUT_SECONDS:.0f} s.")
    except httpx.HTTPError as error:
        return Answer(is_delivered=False, text=f"{host} was not reached: {type(error).__name__}.")


def _answer(reply: httpx.Response, beginning: str, now: float) -> Answer:
    try:
        phrase = f"{reply.status_code} {HTTPStatus(reply.status_code).phrase}"
    except ValueError:
        phrase = str(reply.status_code)
    if reply.is_redirect:
        return Answer(
            is_delivered=False, is_final=True, text=f"{phrase}: redirects are not followed. Enter its target."
        )
    return Answer(
        is_delivered=reply.is_success,
        is_final=reply.status_code in FINAL,
        text=f"{phrase}: {beginning}" if beginning else f"{phrase}.",
        retry_after=retry_after(reply, now),
    )

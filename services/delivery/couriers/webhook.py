"""Webhooks: a signed POST of JSON, as Standard Webhooks describes it (https://www.standardwebhooks.com)."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from urllib.parse import urlsplit, urlunsplit

import httpx

from services.delivery.addresses import public_addresses
from services.delivery.message import Answer, Message
from services.text import visible

SECRET_PREFIX = "whsec_"
TIMEOUT_SECONDS = 15.0
MAX_REPLY_BYTES = 2000
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
    (address, *_) = await public_addresses(host, port, allow_private=allow_private)
    literal = f"[{address}]" if ":" in address else address
    pinned = urlunsplit((parts.scheme, f"{literal}:{port}", parts.path or "/", parts.query, ""))
    body = json.dumps(message.as_json, ensure_ascii=False).encode()
    timestamp = int(now())
    headers = {
        "host": parts.netloc,
        "content-type": "application/json",
        "user-agent": "Livewatch",
        "webhook-id": delivery_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": signature(secret, delivery_id, timestamp, body),
    }
    try:
        # A proxy of the environment would resolve the name again.
        async with httpx.AsyncClient(timeout=TIMEOUT_SECONDS, trust_env=False) as http:
            sending = http.stream("POST", pinned, content=body, headers=headers, extensions={"sni_hostname": host})
            async with sending as reply:
                return _answer(reply, await _beginning(reply))
    except httpx.TimeoutException:
        return Answer(is_delivered=False, text=f"{host} did not answer within {TIMEOUT_SECONDS:.0f} s.")
    except httpx.HTTPError as error:
        return Answer(is_delivered=False, text=f"{host} was not reached: {type(error).__name__}.")


async def _beginning(reply: httpx.Response) -> str:
    received = b""
    with suppress(httpx.HTTPError):
        async for piece in reply.aiter_bytes():
            received += piece
            if len(received) >= MAX_REPLY_BYTES:
                break
    return " ".join(visible(received[:MAX_REPLY_BYTES].decode(errors="replace")).split())[:SHOWN_REPLY_CHARACTERS]


def _answer(reply: httpx.Response, beginning: str) -> Answer:
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
        retry_after=retry_after(reply.headers.get("retry-after", "")),
    )


def retry_after(header: str) -> float | None:
    """Return the seconds of a header `Retry-After`, which has them or a date; None if it has neither."""
    if header.strip().isdigit():
        return float(header)
    try:
        at = parsedate_to_datetime(header)
    except ValueError:
        return None
    return max(0.0, (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() - datetime.now(UTC).timestamp())

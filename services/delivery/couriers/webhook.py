"""Webhooks: a signed POST of JSON, as Standard Webhooks describes it (https://www.standardwebhooks.com)."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable

from services.delivery.couriers.posting import Reply, post
from services.delivery.message import Answer, Message

SECRET_PREFIX = "whsec_"


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
    body = json.dumps(message.as_json, ensure_ascii=False).encode()
    timestamp = int(now())
    headers = {
        "content-type": "application/json",
        "webhook-id": delivery_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": signature(secret, delivery_id, timestamp, body),
    }
    return await post(url, body, headers, _answer, allow_private=allow_private, now=now)


def _answer(reply: Reply) -> Answer:
    if not reply.is_success:
        return reply.failure()
    text = f"{reply.phrase}: {reply.beginning}" if reply.beginning else f"{reply.phrase}."
    return Answer(is_delivered=True, text=text)

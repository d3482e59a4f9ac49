"""Chat and push providers: sends a message to one, and says what it answered."""

import httpx

from services.delivery.channel_kind import SHAPES, ChannelKind
from services.delivery.couriers import fixed_hosts
from services.delivery.couriers.plugins import settings_of
from services.delivery.couriers.posting import SHOWN_REPLY_CHARACTERS, Reply, post
from services.delivery.couriers.provider_posts import post_of
from services.delivery.message import Answer, Message
from services.text import visible

_REASONS = ("description", "errorDescription", "message", "error", "errors")


def check_address(kind: ChannelKind, address: str) -> None:
    """Raise AddressRefused if an address is none of this kind."""
    if kind in fixed_hosts.KINDS:
        settings_of(kind, address)
    else:
        post_of(kind, address, Message(title="A test"))


async def send_to_provider(
    kind: ChannelKind,
    address: str,
    message: Message,
    *,
    allow_private: bool = False,
    transport: httpx.AsyncBaseTransport | None = None,
) -> Answer:
    """Send a message to a provider.

    A reply of 2xx that is not the provider's own, such as the page of a portal in between, is no delivery.

    Raises:
        AddressRefused: The address is none of this kind, or that of a server that was not found or is private.
    """
    label = SHAPES[kind].label
    if kind in fixed_hosts.KINDS:
        answer = await fixed_hosts.send_by_plugin(kind, address, message)
        return _failure(answer) if isinstance(answer, Reply) else answer
    made = post_of(kind, address, message)

    def read(reply: Reply) -> Answer:
        if not reply.is_success:
            return _failure(reply)
        if made.is_taken(reply):
            return Answer(is_delivered=True, text=f"{label} took it.")
        return reply.failure(f"this is not how {label} answers: {reply.beginning or 'nothing'}")

    return await post(
        made.url,
        made.content,
        made.headers,
        read,
        allow_private=allow_private,
        address=address,
        transport=transport,
    )


def _failure(reply: Reply) -> Answer:
    """Return the failure with the provider's own reason, and the time that it asks for, also those in its JSON."""
    record = reply.record
    reason = next((record[name] for name in _REASONS if record.get(name)), None)
    if isinstance(reason, dict):
        reason = reason.get("message")
    if isinstance(reason, list):
        reason = ", ".join(map(str, reason))
    said = visible(" ".join(reason.split()))[:SHOWN_REPLY_CHARACTERS] if isinstance(reason, str) else None
    parameters = record.get("parameters")
    wait = (parameters if isinstance(parameters, dict) else record).get("retry_after")
    answer = reply.failure(said)
    if reply.retry_after is None and isinstance(wait, int | float) and wait >= 0:
        return Answer(is_delivered=False, is_final=answer.is_final, text=answer.text, retry_after=float(wait))
    return answer

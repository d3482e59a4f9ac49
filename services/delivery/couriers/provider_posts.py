"""Provider posts: what servers of one's own for pushes take at an address, and how they say that they took it."""

import base64
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

from services.delivery.channel_kind import SHAPES, ChannelKind
from services.delivery.couriers.posting import Reply
from services.delivery.couriers.wording import fitted, utf8_bytes
from services.delivery.message import Message
from services.errors import AddressRefused
from services.text import one_line, visible

NTFY_PATH = re.compile(r"/([\w-]{1,64})/?", re.ASCII)
GOTIFY_PATH = re.compile(r"((?:/[\w.~-]+)*)/([\w.-]{8,64})/?", re.ASCII)

_JSON = {"content-type": "application/json"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderPost:
    """A POST to a provider; `is_taken` tells whether a reply of 2xx is one of the provider that took the message."""

    url: str
    content: bytes
    is_taken: Callable[[Reply], bool]
    headers: Mapping[str, str] = field(default_factory=lambda: _JSON)


def post_of(kind: ChannelKind, address: str, message: Message) -> ProviderPost:
    """Return the POST that sends a message to an address; raises AddressRefused if it is none of this kind."""
    made = _POSTS[kind](address, urlsplit(address), message)
    if made is None:
        raise AddressRefused(f"An address of {SHAPES[kind].label} looks like {SHAPES[kind].example}.")
    return made


def _ntfy(_: str, parts: SplitResult, message: Message) -> ProviderPost | None:
    # https://docs.ntfy.sh/publish/#publish-as-json: a message of more than 4096 bytes would become a file.
    found = NTFY_PATH.fullmatch(parts.path)
    if not found:
        return None
    title = fitted(one_line(message.title), 250, size=utf8_bytes)
    body = {"topic": found[1], "title": title, "message": fitted(visible(message.text), 4096, size=utf8_bytes) or title}
    if message.url:
        body["click"] = message.url
    headers = dict(_JSON)
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    if user and parts.password is None:
        headers["authorization"] = f"Bearer {user}"
    elif user:
        headers["authorization"] = f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"
    return ProviderPost(
        url=f"{_web(parts, secure=('https', 'ntfys'))}/",
        content=_json(body),
        headers=headers,
        is_taken=lambda reply: "id" in reply.record,
    )


def _gotify(_: str, parts: SplitResult, message: Message) -> ProviderPost | None:
    # https://gotify.net/api-docs#/message/createMessage
    found = GOTIFY_PATH.fullmatch(parts.path)
    if not found or parts.username is not None:
        return None
    title = one_line(message.title)
    body: dict[str, Any] = {"title": title, "message": visible(message.text) or title, "priority": 5}
    if message.url:
        body["extras"] = {"client::notification": {"click": {"url": message.url}}}
    return ProviderPost(
        url=f"{_web(parts, secure=('gotifys',))}{found[1]}/message",
        content=_json(body),
        headers={**_JSON, "x-gotify-key": found[2]},
        is_taken=lambda reply: "id" in reply.record,
    )


_POSTS: Mapping[ChannelKind, Callable[[str, SplitResult, Message], ProviderPost | None]] = MappingProxyType(
    {
        ChannelKind.NTFY: _ntfy,
        ChannelKind.GOTIFY: _gotify,
    }
)


def _json(body: Mapping[str, Any]) -> bytes:
    return json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")


def _web(parts: SplitResult, *, secure: tuple[str, ...]) -> str:
    return f"{'https' if parts.scheme in secure else 'http'}://{parts.netloc.rpartition('@')[2]}"

"""Provider posts: what each chat and push provider takes at an address, and how it says that it took it."""

import base64
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any
from urllib.parse import SplitResult, unquote, urlencode, urlsplit

from services.delivery.channel_kind import SHAPES, ChannelKind
from services.delivery.couriers.posting import Reply
from services.delivery.couriers.wording import (
    discord_escaped,
    fitted,
    one_line,
    slack_escaped,
    utf8_bytes,
    utf16_units,
    without_mentions,
)
from services.delivery.message import Message
from services.errors import AddressRefused
from services.text import visible

COLOURS = {"success": 0x2EB886, "warning": 0xDAA038, "error": 0xA30200, "info": 0x439FE0}
TELEGRAM_ADDRESS = re.compile(
    r"tgram://(?:bot)?(\d{1,20}:[\w-]{20,100})/(-?\d{1,20}|@\w{4,40})(?::(\d{1,12}))?/?", re.ASCII
)
PUSHOVER_ADDRESS = re.compile(
    r"pover://([A-Za-z0-9]{30})@([A-Za-z0-9]{30})/?([\w-]{1,25}(?:,[\w-]{1,25})*)?/?", re.ASCII
)
SLACK_PATH = re.compile(r"/(?:services/\w+/\w+/\w+|(?:workflows|triggers)(?:/\w+){2,6})/?", re.ASCII)
TEAMS_PATH = re.compile(
    r"(?:/powerautomate/automations/direct(?:/cu/\w+)?)?/workflows/[\w-]+/triggers/[\w-]+/paths/invoke/?", re.ASCII
)
DISCORD_PATH = re.compile(r"/api/(?:v\d+/)?webhooks/\d+/[\w-]+/?", re.ASCII)
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


def _slack(address: str, parts: SplitResult, message: Message) -> ProviderPost | None:
    # https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks
    if not SLACK_PATH.fullmatch(parts.path):
        return None
    title = fitted(one_line(message.title), 300, escape=slack_escaped)
    text = fitted(visible(message.text), 3500, escape=slack_escaped)
    shown = "\n".join(filter(None, (text, slack_escaped(message.url))))
    if not parts.path.startswith("/services/"):
        # A workflow takes the variables that it has, and refuses others.
        content = _json({"text": "\n".join(filter(None, (title, shown)))})
        return ProviderPost(url=address, content=content, is_taken=lambda reply: not _is_html(reply))
    body = {
        "text": title,
        "mrkdwn": False,
        "unfurl_links": False,
        "unfurl_media": False,
        "attachments": [
            {"color": f"#{_colour(message):06x}", "fallback": shown or title, "text": shown, "mrkdwn_in": []}
        ],
    }
    return ProviderPost(url=address, content=_json(body), is_taken=lambda reply: reply.text.strip() == "ok")


def _teams(address: str, parts: SplitResult, message: Message) -> ProviderPost | None:
    # https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors; text runs show no Markdown.
    if not TEAMS_PATH.fullmatch(parts.path) or "sig=" not in parts.query:
        return None
    run: dict[str, Any] = {"type": "TextRun", "text": one_line(message.title), "weight": "bolder", "size": "large"}
    lines = [{"type": "RichTextBlock", "inlines": [run]}]
    lines += [
        {"type": "RichTextBlock", "inlines": [{"type": "TextRun", "text": each}]}
        for each in fitted(visible(message.text), 12_000, size=utf8_bytes).splitlines()
        if each.strip()
    ]
    card: dict[str, Any] = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": lines,
        "msteams": {"width": "full"},
    }
    if message.url:
        card["actions"] = [{"type": "Action.OpenUrl", "title": "Open", "url": message.url}]
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
    content = _json({"type": "message", "attachments": [attachment]})
    return ProviderPost(url=address, content=content, is_taken=lambda reply: not _is_html(reply))


def _discord(address: str, parts: SplitResult, message: Message) -> ProviderPost | None:
    # https://discord.com/developers/docs/resources/webhook#execute-webhook
    if not DISCORD_PATH.fullmatch(parts.path):
        return None
    embed: dict[str, Any] = {
        "title": fitted(one_line(message.title), 256, escape=discord_escaped, size=utf16_units),
        "color": _colour(message),
    }
    if message.text:
        embed["description"] = fitted(visible(message.text), 4096, escape=discord_escaped, size=utf16_units)
    if message.url:
        embed["url"] = message.url
    # Nobody is called, whatever a text says.
    content = _json({"embeds": [embed], "allowed_mentions": {"parse": []}})
    return ProviderPost(
        url=address, content=content, is_taken=lambda reply: reply.status == 204 or "id" in reply.record
    )


def _telegram(address: str, _: SplitResult, message: Message) -> ProviderPost | None:
    # https://core.telegram.org/bots/api#sendmessage; without a parse mode the text is shown as it is.
    found = TELEGRAM_ADDRESS.fullmatch(address)
    if not found:
        return None
    text = "\n".join(filter(None, (one_line(message.title), visible(message.text))))
    room = 4096 - utf16_units(message.url) - 1
    shown = fitted(without_mentions(text), room, size=utf16_units)
    body: dict[str, Any] = {
        "chat_id": found[2],
        "text": "\n".join(filter(None, (shown, message.url))),
        "link_preview_options": {"is_disabled": True},
    }
    if found[3]:
        body["message_thread_id"] = int(found[3])
    return ProviderPost(
        url=f"https://api.telegram.org/bot{found[1]}/sendMessage",
        content=_json(body),
        is_taken=lambda reply: reply.record.get("ok") is True,
    )


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


def _pushover(address: str, _: SplitResult, message: Message) -> ProviderPost | None:
    # https://pushover.net/api
    found = PUSHOVER_ADDRESS.fullmatch(address)
    if not found:
        return None
    title = fitted(one_line(message.title), 250)
    body = {
        "user": found[1],
        "token": found[2],
        "title": title,
        "message": fitted(visible(message.text), 1024) or title,
    }
    if found[3]:
        body["device"] = found[3]
    if message.url and len(message.url) <= 512:
        body |= {"url": message.url, "url_title": "Open"}
    return ProviderPost(
        url="https://api.pushover.net/1/messages.json",
        content=urlencode(body).encode(),
        headers={"content-type": "application/x-www-form-urlencoded"},
        is_taken=lambda reply: reply.record.get("status") == 1,
    )


_POSTS: Mapping[ChannelKind, Callable[[str, SplitResult, Message], ProviderPost | None]] = MappingProxyType(
    {
        ChannelKind.SLACK: _slack,
        ChannelKind.TEAMS: _teams,
        ChannelKind.DISCORD: _discord,
        ChannelKind.TELEGRAM: _telegram,
        ChannelKind.NTFY: _ntfy,
        ChannelKind.GOTIFY: _gotify,
        ChannelKind.PUSHOVER: _pushover,
    }
)


def _colour(message: Message) -> int:
    return COLOURS.get(message.type, COLOURS["info"])


def _json(body: Mapping[str, Any]) -> bytes:
    return json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")


def _web(parts: SplitResult, *, secure: tuple[str, ...]) -> str:
    return f"{'https' if parts.scheme in secure else 'http'}://{parts.netloc.rpartition('@')[2]}"


def _is_html(reply: Reply) -> bool:
    return reply.text.lstrip().startswith("<")

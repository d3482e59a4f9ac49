"""Plugins of Apprise: one for an address of a fixed host, and a message in its format, literally and within limits."""

import html
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from types import MappingProxyType
from typing import Any
from urllib.parse import parse_qs, urlsplit

from services.delivery.channel_kind import SHAPES, ChannelKind
from services.delivery.couriers.wording import (
    discord_escaped,
    fitted,
    slack_escaped,
    teams_escaped,
    utf16_units,
    without_any_at,
    without_mentions,
)
from services.delivery.message import Message
from services.errors import AddressRefused
from services.text import one_line, visible

CONNECT_SECONDS = 5.0
READ_SECONDS = 15.0
SLACK_ADDRESS = re.compile(
    r"[^?#]*/(?:services/(?P<token_a>[A-Za-z0-9]+)/(?P<token_b>[A-Za-z0-9]+)/(?P<token_c>[A-Za-z0-9]+)"
    r"|workflows/(?P<workflow>\w+(?:/\w+){3})|triggers/(?P<trigger>\w+(?:/\w+){2}))/?",
    re.ASCII,
)
TEAMS_PATH = re.compile(
    r"(?P<automate>/powerautomate/automations/direct(?:/cu/(?P<route>\d{1,10}))?)?"
    r"/workflows/(?P<workflow>[\w-]+)/triggers/manual/paths/invoke/?",
    re.ASCII,
)
TEAMS_SIGNATURE = re.compile(r"[\w-]+", re.ASCII)
TEAMS_TRIGGER = "/triggers/manual/run"
DISCORD_PATH = re.compile(r"/api/(?:v\d+/)?webhooks/(?P<webhook_id>\d+)/(?P<webhook_token>[\w-]+)/?", re.ASCII)
TELEGRAM_ADDRESS = re.compile(
    r"tgram://(?:bot)?(?P<token>\d{1,20}:[\w-]{20,100})/(?P<chat>-?\d{1,20}|@[A-Za-z_]\w{3,39})(?::(?P<topic>\d{1,12}))?/?",
    re.ASCII,
)
PUSHOVER_ADDRESS = re.compile(
    r"pover://(?P<user>[A-Za-z0-9]{30})@(?P<token>[A-Za-z0-9]{30})/?(?P<devices>[\w-]{1,25}(?:,[\w-]{1,25})*)?/?",
    re.ASCII,
)

_MODULES = {
    ChannelKind.SLACK: ("slack", "NotifySlack"),
    ChannelKind.TEAMS: ("workflows", "NotifyWorkflows"),
    ChannelKind.DISCORD: ("discord", "NotifyDiscord"),
    ChannelKind.TELEGRAM: ("telegram", "NotifyTelegram"),
    ChannelKind.PUSHOVER: ("pushover", "NotifyPushover"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wording:
    """A message as a plugin takes it; `settings` are those of the plugin that come from the message."""

    title: str
    body: str
    format: str
    settings: Mapping[str, Any] = field(default_factory=dict)


def settings_of(kind: ChannelKind, address: str) -> dict[str, Any]:
    """Return what the plugin of a kind is made of; raises AddressRefused if the address is none of this kind."""
    found = _SETTINGS[kind](address)
    if found is None:
        raise AddressRefused(f"An address of {SHAPES[kind].label} looks like {SHAPES[kind].example}.")
    return found


def wording_of(kind: ChannelKind, message: Message, settings: Mapping[str, Any]) -> Wording:
    """Return a message in the format of a kind, in which no name formats anything or calls anybody."""
    return _WORDINGS[kind](message, settings)


def plugin_of(kind: ChannelKind, settings: Mapping[str, Any]) -> Any:
    """Return Apprise's plugin, which follows no redirect, shows no picture and reads no file."""
    # Apprise takes 0.1 s and 15 MiB, of those who have such a channel.
    from apprise import AppriseAsset  # noqa: PLC0415

    module, name = _MODULES[kind]
    # The plugin itself: Apprise's own choice by the scheme would import 190 of them.
    plugin = getattr(import_module(f"apprise.plugins.{module}"), name)
    asset = AppriseAsset(
        app_id="Livewatch",
        app_desc="Livewatch",
        image_url_mask="",
        image_url_logo="",
        http_redirects=False,
        secure_logging=True,
        async_mode=False,
    )
    made = plugin(**settings, asset=asset)
    made.socket_connect_timeout = CONNECT_SECONDS
    made.socket_read_timeout = READ_SECONDS
    return made


def _slack_settings(address: str) -> dict[str, Any] | None:
    found = SLACK_ADDRESS.fullmatch(address)
    if not found:
        return None
    given: dict[str, Any] = {"include_footer": False, "include_image": False}
    if path := found["workflow"] or found["trigger"]:
        return given | {"mode": "workflow" if found["workflow"] else "trigger", "workflow_path": path}
    return given | {name: found[name] for name in ("token_a", "token_b", "token_c")}


def _teams_settings(address: str) -> dict[str, Any] | None:
    parts = urlsplit(address)
    found = TEAMS_PATH.fullmatch(parts.path)
    query = {name: value for name, [value, *_] in parse_qs(parts.query).items()}
    signature = TEAMS_SIGNATURE.fullmatch(query.get("sig", ""))
    # The plugin always asks for this trigger, whose signature would not fit another.
    if not found or not signature or query.get("sp", TEAMS_TRIGGER) != TEAMS_TRIGGER:
        return None
    return {
        "host": parts.hostname,
        "port": parts.port,
        "workflow": found["workflow"],
        "signature": signature[0],
        "power_automate": bool(found["automate"]),
        "routing_id": found["route"],
        "version": query.get("api-version"),
        "include_image": False,
    }


def _discord_settings(address: str) -> dict[str, Any] | None:
    found = DISCORD_PATH.fullmatch(urlsplit(address).path)
    # The format makes it an embed, in which nobody can be called.
    return found and found.groupdict() | {"format": "markdown", "fields": False, "avatar": False}


def _telegram_settings(address: str) -> dict[str, Any] | None:
    found = TELEGRAM_ADDRESS.fullmatch(address)
    return found and {
        "bot_token": found["token"],
        "targets": [found["chat"]],
        "topic": int(found["topic"]) if found["topic"] else None,
        "detect_owner": False,
    }


def _pushover_settings(address: str) -> dict[str, Any] | None:
    found = PUSHOVER_ADDRESS.fullmatch(address)
    return found and {
        "user_key": found["user"],
        "token": found["token"],
        "targets": found["devices"].split(",") if found["devices"] else None,
    }


def _slack(message: Message, settings: Mapping[str, Any]) -> Wording:
    # https://docs.slack.dev/messaging/formatting-message-text; the plugin escapes all but the title of a workflow.
    def size(text: str) -> int:
        return len(slack_escaped(text))

    title = fitted(one_line(message.title), 300, size=size)
    body = _lines(fitted(visible(message.text), 3500, size=size), message.url)
    if "workflow_path" in settings:
        title, body = "", _lines(title, body)
    return Wording(title=title if body else "", body=body or title, format="text")


def _teams(message: Message, _: Mapping[str, Any]) -> Wording:
    # A card has at most 28 KB, of JSON in ASCII.
    def size(text: str) -> int:
        return len(json.dumps(text))

    title = fitted(one_line(message.title), 4000, escape=teams_escaped, size=size)
    text = fitted(visible(message.text), 20_000, escape=teams_escaped, size=size)
    paragraphs = [each for each in text.splitlines() if each.strip()]
    if message.url:
        paragraphs.append(f"[Open]({message.url.replace('(', '%28').replace(')', '%29')})")
    body = "\n\n".join(paragraphs)
    return Wording(title=title if body else "", body=body or title, format="markdown")


def _discord(message: Message, _: Mapping[str, Any]) -> Wording:
    # https://discord.com/developers/docs/resources/webhook#execute-webhook
    def escape(text: str) -> str:
        # The plugin would call whoever it finds behind an @.
        return without_any_at(discord_escaped(text))

    title = fitted(one_line(message.title), 256, escape=escape, size=utf16_units)
    body = fitted(visible(message.text), 4096, escape=escape, size=utf16_units)
    settings = {"href": message.url} if message.url else {}
    return Wording(
        title=title if body.strip() else "", body=body.strip() or title, format="markdown", settings=settings
    )


def _telegram(message: Message, _: Mapping[str, Any]) -> Wording:
    # https://core.telegram.org/bots/api#html-style; the limit is that of the text without its marks.
    title, text = without_mentions(one_line(message.title)), without_mentions(visible(message.text).strip())
    title = fitted(title, 1024, size=utf16_units)
    room = 4096 - utf16_units(title) - utf16_units(message.url) - 4
    lines = _lines(fitted(text, room - text.count("\n"), size=utf16_units), message.url)
    body = html.escape(lines, quote=False).replace("\n", "<br/>")
    title = html.escape(title, quote=False)
    return Wording(title=title if body else "", body=body or title, format="html")


def _pushover(message: Message, _: Mapping[str, Any]) -> Wording:
    # https://pushover.net/api
    title = fitted(one_line(message.title), 250)
    body = fitted(visible(message.text), 1024)
    settings: dict[str, Any] = {}
    if message.url and len(message.url) <= 512:
        settings = {"supplemental_url": message.url, "supplemental_url_title": "Open"}
    return Wording(title=title, body=body if body.strip() else title, format="text", settings=settings)


def _lines(*texts: str) -> str:
    return "\n".join(each for each in texts if each.strip())


_SETTINGS: Mapping[ChannelKind, Callable[[str], dict[str, Any] | None]] = MappingProxyType(
    {
        ChannelKind.SLACK: _slack_settings,
        ChannelKind.TEAMS: _teams_settings,
        ChannelKind.DISCORD: _discord_settings,
        ChannelKind.TELEGRAM: _telegram_settings,
        ChannelKind.PUSHOVER: _pushover_settings,
    }
)
_WORDINGS: Mapping[ChannelKind, Callable[[Message, Mapping[str, Any]], Wording]] = MappingProxyType(
    {
        ChannelKind.SLACK: _slack,
        ChannelKind.TEAMS: _teams,
        ChannelKind.DISCORD: _discord,
        ChannelKind.TELEGRAM: _telegram,
        ChannelKind.PUSHOVER: _pushover,
    }
)

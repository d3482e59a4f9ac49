"""Kinds of channels, and what an address of each looks like."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from urllib.parse import urlsplit

from services.errors import AddressRefused

MAX_ADDRESS_CHARACTERS = 2000
MAX_MAIL_ADDRESSES = 20
MAIL_ADDRESS = re.compile(r"[^@\s,;<>()\"]{1,64}@[^@\s,;<>()\"]{1,255}")


class ChannelKind(StrEnum):
    """Where a channel leads."""

    WEBHOOK = "webhook"
    EMAIL = "email"
    SLACK = "slack"
    TEAMS = "teams"
    DISCORD = "discord"
    TELEGRAM = "telegram"
    NTFY = "ntfy"
    GOTIFY = "gotify"
    PUSHOVER = "pushover"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """How an address of a kind is written.

    Args:
        label: The kind as people know it.
        example: An address, for the field's placeholder.
        schemes: Schemes that the address may have.
        hosts: Ends of the hosts that it may have; empty for any.
        parameters: Names of parameters that it may have.
        has_host: Whether its host is one to connect to; else it is part of the secret.
    """

    label: str
    example: str
    schemes: frozenset[str]
    hosts: tuple[str, ...] = ()
    parameters: frozenset[str] = frozenset()
    has_host: bool = True


_WEB = frozenset({"https"})
SHAPES: Mapping[ChannelKind, Shape] = MappingProxyType(
    {
        ChannelKind.WEBHOOK: Shape(
            label="Webhook", example="https://example.org/hooks/livewatch", schemes=frozenset({"https", "http"})
        ),
        ChannelKind.EMAIL: Shape(label="E-mail", example="team@example.org, oncall@example.org", schemes=frozenset()),
        ChannelKind.SLACK: Shape(
            label="Slack",
            example="https://hooks.slack.com/services/T…/B…/…",
            schemes=_WEB,
            hosts=("hooks.slack.com",),
        ),
        ChannelKind.TEAMS: Shape(
            label="Microsoft Teams",
            example="https://….logic.azure.com/workflows/…",
            schemes=_WEB,
            hosts=(".logic.azure.com", ".api.powerplatform.com"),
            parameters=frozenset({"api-version", "sp", "sv", "sig"}),
        ),
        ChannelKind.DISCORD: Shape(
            label="Discord",
            example="https://discord.com/api/webhooks/…/…",
            schemes=_WEB,
            hosts=("discord.com", "discordapp.com"),
        ),
        ChannelKind.TELEGRAM: Shape(
            label="Telegram", example="tgram://bot-token/chat-id", schemes=frozenset({"tgram"}), has_host=False
        ),
        ChannelKind.NTFY: Shape(
            label="ntfy", example="https://ntfy.sh/topic", schemes=frozenset({"https", "http", "ntfy", "ntfys"})
        ),
        ChannelKind.GOTIFY: Shape(
            label="Gotify", example="gotifys://push.example.org/token", schemes=frozenset({"gotify", "gotifys"})
        ),
        ChannelKind.PUSHOVER: Shape(
            label="Pushover", example="pover://user-key@app-token", schemes=frozenset({"pover"}), has_host=False
        ),
    }
)


def hint_of(kind: ChannelKind, address: str) -> str:
    """Check the form of an address; returns what one recognises it by, which tells no secret.

    Raises:
        AddressRefused: It is malformed, or has a scheme, a host or a parameter that the kind does not have.
    """
    if kind is ChannelKind.EMAIL:
        return ", ".join(mail_addresses(address))
    shape = SHAPES[kind]
    wanted = f"An address of {shape.label} looks like {shape.example}."
    if not address.isprintable() or " " in address or not 0 < len(address) <= MAX_ADDRESS_CHARACTERS:
        raise AddressRefused(f"The address is empty, too long, or contains spaces. {wanted}")
    try:
        url = urlsplit(address)
        host, _ = (url.hostname or "").lower(), shape.has_host and url.port
    except ValueError as error:
        raise AddressRefused(f"The address is malformed. {wanted}") from error
    if url.scheme not in shape.schemes:
        raise AddressRefused(f"The address begins with {url.scheme or 'no scheme'}:. {wanted}")
    if not host:
        raise AddressRefused(f"The address has no host. {wanted}")
    if shape.hosts and not any(host == end or (end[0] == "." and host.endswith(end)) for end in shape.hosts):
        raise AddressRefused(f"{host} is not a host of {shape.label}. {wanted}")
    names = {part.partition("=")[0] for part in url.query.split("&") if part}
    if kind is not ChannelKind.WEBHOOK and names - shape.parameters:
        raise AddressRefused(f"The address has the parameter {min(names - shape.parameters)!r}. {wanted}")
    if shape.has_host and kind is ChannelKind.WEBHOOK and url.username is not None:
        raise AddressRefused("The address holds a user name. Webhooks are signed; put a token into the path.")
    return host if shape.has_host else shape.label


def mail_addresses(text: str) -> list[str]:
    """Return the e-mail addresses of a text, which are separated by commas or lines; raises AddressRefused."""
    found = list(dict.fromkeys(filter(None, (each.strip() for each in re.split(r"[,;\n]", text)))))
    if not found or len(found) > MAX_MAIL_ADDRESSES:
        raise AddressRefused(f"Enter 1 to {MAX_MAIL_ADDRESSES} e-mail addresses, separated by commas.")
    for each in found:
        if not MAIL_ADDRESS.fullmatch(each):
            raise AddressRefused(f"{each!r} is not an e-mail address.")
    return found

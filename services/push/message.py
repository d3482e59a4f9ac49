"""The message of a push: what a device shows, cut to what a push service takes."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from services.delivery.message import shortened
from services.push.encryption import MAX_PLAIN_BYTES, base64url
from services.text import visible_name

MAX_TITLE_CHARACTERS = 120
MAX_BODY_CHARACTERS = 400
MAX_URL_CHARACTERS = 1000
SMALL_BYTES = 400
"""For a push service that answers that a message is too large."""
TOPIC_BYTES = 24
RANK_URGENCY = ("low", "normal", "high", "high")
NOUNS = {"signal_alerts": ("alert", "alerts"), "notifications": ("notification", "notifications")}
PAGES = {"signal_alerts": "/alerts?show=unread", "notifications": "/notifications?show=unread"}


@dataclass(frozen=True, slots=True, kw_only=True)
class PushMessage:
    """What a service worker gets as JSON.

    Args:
        tag: Group of the message: it takes the place of the one that the device shows for the group.
        org: Organisation of the group.
        title: First line; empty to take the group away.
        body: Text.
        url: Path or URL that a click opens.
        badge: Unread messages of the person, for the icon of the app.
        rank: Severity from 0 to 3.
        is_silent: Whether it only brings up to date what the device shows.
        can_acknowledge: Whether the group is of alerts.
    """

    tag: str
    org: str
    title: str = ""
    body: str = ""
    url: str = "/"
    badge: int = 0
    rank: int = 1
    is_silent: bool = False
    can_acknowledge: bool = False

    @property
    def urgency(self) -> str:
        """The header `Urgency` (RFC 8030, section 5.3): devices that save their battery take `high` at once."""
        return "low" if self.is_silent else RANK_URGENCY[min(self.rank, len(RANK_URGENCY) - 1)]

    @property
    def topic(self) -> str:
        """The header `Topic`: a message that waits at the push service is replaced by the next of the group."""
        return base64url(hashlib.sha256(f"{self.org} {self.tag}".encode()).digest()[:TOPIC_BYTES])

    def encoded(self, *, at_most: int = MAX_PLAIN_BYTES) -> bytes:
        """Return the message as JSON of at most so many bytes; the body is cut first, then the title, with "…"."""
        title, body = shortened(self.title, MAX_TITLE_CHARACTERS), shortened(self.body, MAX_BODY_CHARACTERS)
        url = self.url if len(self.url) <= MAX_URL_CHARACTERS else "/"
        while len(encoded := _json({**asdict(self), "title": title, "body": body, "url": url})) > at_most:
            if body:
                body = shortened(body, len(body) // 2)
            elif len(title) > 1:
                title = shortened(title, len(title) // 2)
            elif url != "/":
                url = "/"
            else:
                break
        return encoded


def message_of(group: Mapping[str, Any], *, is_silent: bool = False) -> PushMessage:
    """Return the message of a group that has unread rows.

    Args:
        group: As `private.claim_pushes` returns it; `newest` has the row that came last.
        is_silent: See `PushMessage`.
    """
    newest, table, unread = group["newest"], group["table_name"], group["unread"]
    title, body = _line(newest["title"]), _line(newest["body"])
    url = newest["url"] or PAGES[table]
    if unread > 1:
        others = f"{unread - 1:,} more"
        body = f"{title} and {others}"
        title = f"{unread:,} new {NOUNS[table][1]}"
        url = newest["url"] if newest["url"] and newest["is_run"] else PAGES[table]
    if group["has_other_organizations"]:
        title = f"{_line(group['org_name'])}: {title}"
    return PushMessage(
        tag=group["tag"],
        org=str(group["org_id"]),
        title=title,
        body=body,
        url=url,
        badge=group["badge"],
        rank=group["rank"],
        is_silent=is_silent,
        can_acknowledge=table == "signal_alerts",
    )


def withdrawal_of(group: Mapping[str, Any]) -> PushMessage:
    """Return the message that takes a group away, since all of it was read."""
    return PushMessage(tag=group["tag"], org=str(group["org_id"]), badge=group["badge"], is_silent=True)


def _line(text: str | None) -> str:
    return visible_name(" ".join((text or "").split())) if text else ""


def _json(values: Mapping[str, Any] | Sequence[Any]) -> bytes:
    return json.dumps(values, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")

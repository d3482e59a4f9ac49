"""Messages: alerts and notifications to members of the organisation."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from typing import Any

from livewatch.delivery.operations import (
    MAX_NAME_CHARACTERS,
    MAX_TEXT_CHARACTERS,
    metadata_of,
    text,
    title_of,
    without_none,
)
from livewatch.reporting.process import PROCESS
from livewatch.runs.activities import current_stream

# The lowest strength of each priority.
STRENGTHS = {"low": 25, "medium": 50, "high": 75, "urgent": 90}
TYPES = ("info", "success", "warning", "error")
MAX_SIGNAL_CHARACTERS = 80
URL_PATTERN = re.compile(r"/|https?://")

logger = logging.getLogger("livewatch")


def alert(
    about: object,
    *,
    signal: str = "alert",
    priority: str = "medium",
    strength: int | None = None,
    company: str | None = None,
    metadata: Mapping[str, Any] | None = None,
    to: Sequence[str] = (),
) -> None:
    """Send an alert, linked to the current stream.

    Args:
        about: Subject, up to 200 characters.
        signal: Kind of signal, up to 80 characters.
        priority: low, medium, high or urgent.
        strength: 0 to 100; determines the priority in place of `priority`.
        company: Company concerned.
        metadata: JSON values to show with the alert.
        to: E-mail addresses of the members to alert; all members if empty.
    """
    try:
        if strength is None and priority not in STRENGTHS:
            logger.warning("Unknown priority %r, using medium. Valid: %s.", priority, ", ".join(STRENGTHS))
        strength = STRENGTHS.get(priority, STRENGTHS["medium"]) if strength is None else max(0, min(100, int(strength)))
        _post(
            "/alerts",
            target_name=title_of(about, "Alert"),
            signal_type=title_of(signal, "alert", MAX_SIGNAL_CHARACTERS),
            signal_strength=strength,
            company_name=None if company is None else text(company, MAX_NAME_CHARACTERS),
            stream=current_stream(),
            metadata=metadata_of(metadata) if metadata else None,
            to=list(to) or None,
        )
    except Exception:
        logger.debug("sending an alert failed", exc_info=True)


def notify(
    title: object, message: object = "", *, type: str = "info", url: str | None = None, to: Sequence[str] = ()
) -> None:
    """Send a notification.

    Args:
        title: Up to 200 characters.
        message: Up to 2,000 characters.
        type: info, success, warning or error.
        url: Link target: a path of Livewatch or a URL.
        to: E-mail addresses of the members to notify; all members if empty.
    """
    try:
        if type not in TYPES:
            logger.warning("Unknown notification type %r, using info. Valid: %s.", type, ", ".join(TYPES))
            type = "info"
        _post(
            "/notifications",
            title=title_of(title, "Notification"),
            message=text(message) or None,
            type=type,
            action_url=_checked_url(url),
            to=list(to) or None,
        )
    except Exception:
        logger.debug("sending a notification failed", exc_info=True)


def _checked_url(url: object) -> str | None:
    if url is None:
        return None
    if isinstance(url, str) and URL_PATTERN.match(url) and len(url) <= MAX_TEXT_CHARACTERS:
        return url
    logger.warning("Livewatch: the link of a notification is left out: it must begin with /, http:// or https://.")
    return None


def _post(path: str, **fields: Any) -> None:
    reporter = PROCESS.reporter()
    if reporter is not None:
        reporter.post(path, without_none(fields))

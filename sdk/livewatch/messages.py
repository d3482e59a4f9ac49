"""Alerts and notifications: what members are told of at once."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from livewatch.activities import stream_here
from livewatch.operations import NAME_LENGTH, plain, text
from livewatch.process import PROCESS

# The least strength of each priority in Livewatch.
STRENGTHS = {"low": 25, "medium": 50, "high": 75, "urgent": 90}
TYPES = ("info", "success", "warning", "error")
SIGNAL_LENGTH = 80

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
    """Alert members, or only those with the e-mail addresses in `to`, in the stream around here.

    `strength` is 0 to 100 and decides the priority; without it, `priority` (low, medium, high, urgent) decides it.
    """
    try:
        if strength is None and priority not in STRENGTHS:
            logger.warning("%r is no priority; medium is meant. They are %s.", priority, ", ".join(STRENGTHS))
        strength = STRENGTHS.get(priority, STRENGTHS["medium"]) if strength is None else max(0, min(100, int(strength)))
        _post(
            "/alerts",
            target_name=text(about, NAME_LENGTH),
            signal_type=text(signal, SIGNAL_LENGTH),
            signal_strength=strength,
            company_name=None if company is None else text(company, NAME_LENGTH),
            stream=stream_here(),
            metadata=plain(metadata) if metadata else None,
            to=list(to) or None,
        )
    except Exception:
        logger.debug("an alert could not be told", exc_info=True)


def notify(
    title: object, message: object = "", *, type: str = "info", url: str | None = None, to: Sequence[str] = ()
) -> None:
    """Send members, or only those with the e-mail addresses in `to`, a message: info, success, warning or error."""
    try:
        if type not in TYPES:
            logger.warning("%r is no type of notification; info is meant. They are %s.", type, ", ".join(TYPES))
            type = "info"
        _post(
            "/notifications",
            title=text(title, NAME_LENGTH),
            message=text(message) or None,
            type=type,
            action_url=url,
            to=list(to) or None,
        )
    except Exception:
        logger.debug("a notification could not be told", exc_info=True)


def _post(path: str, **fields: Any) -> None:
    reporter = PROCESS.reporter()
    if reporter is not None:
        reporter.post(path, {name: value for name, value in fields.items() if value is not None})

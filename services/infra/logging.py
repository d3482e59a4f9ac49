"""The app's own log: structured, with the request and the user that a line is about, and without secrets."""

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

from services.settings import LogFormat

HIDDEN = "***"
# By the name of a field, and by what a secret looks like wherever it stands: a JWT, a key of the ingest API or of the
# platform, a password within a URL, a parameter of a query by its name.
SECRET_NAME = re.compile(
    r"password|secret|token|authorization|cookie|apikey|api_key|anon_key|database_url", re.IGNORECASE
)
SECRET_VALUE = re.compile(
    r"eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*"
    r"|\blw_[a-z0-9]{8,32}_[\w-]{16,}"
    r"|\bsb_(?:secret|publishable)_[\w-]{8,}"
    r"|(?<=://)(?:[^\s/:@]*):[^\s/@]+(?=@)"
    r"|(?<=[?&])[\w-]*(?:token|key|secret|password)[\w-]*=[^&\s\"']+",
    re.IGNORECASE,
)


def configure(format: LogFormat = LogFormat.AUTO) -> None:
    """Send everything that is logged, by libraries too, to standard error, one line each.

    On a terminal a person watches what the app does; there a line for each request would be in the way.
    """
    is_console = format is LogFormat.CONSOLE or (format is LogFormat.AUTO and sys.stderr.isatty())
    shared: list[structlog.typing.Processor] = [
        *([_without_requests] if is_console else []),
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
        hide_secrets,
    ]
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
        if is_console
        else structlog.processors.JSONRenderer(ensure_ascii=False, default=str)
    )
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *shared],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)


def hide_secrets(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A processor: what is a secret by its name or by its looks is not written."""
    for name, value in event.items():
        event[name] = HIDDEN if SECRET_NAME.search(name) else _hidden(value)
    return event


def _without_requests(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    if event.get("event") == "request":
        raise structlog.DropEvent
    return event


def _hidden(value: Any) -> Any:
    if isinstance(value, str):
        return SECRET_VALUE.sub(HIDDEN, value)
    if isinstance(value, dict):
        return {key: HIDDEN if SECRET_NAME.search(str(key)) else _hidden(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_hidden(each) for each in value]
    return value if isinstance(value, bool | int | float | None) else SECRET_VALUE.sub(HIDDEN, str(value))

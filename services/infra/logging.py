"""Structured logging, with the request and user of each event, and with secrets redacted."""

import asyncio
import contextvars
import logging
import re
import sys
from collections.abc import Coroutine, MutableMapping
from typing import Any, TypeVar

import structlog

from services.settings import LogFormat

T = TypeVar("T")

REDACTED = "***"
# Secrets are recognized by the field's name, and in any text by their format: a JWT, an ingest or Supabase key, a
# password in a URL, a query parameter with a telling name.
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
    """Configure structlog and the standard library's logging to write one line per event to standard error.

    Console output omits the events of single requests.
    """
    is_console = format is LogFormat.CONSOLE or (format is LogFormat.AUTO and sys.stderr.isatty())
    shared: list[structlog.typing.Processor] = [
        *([_without_requests] if is_console else []),
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
        redact_secrets,
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


def create_shared_task(work: Coroutine[Any, Any, T], *, name: str) -> "asyncio.Task[T]":
    """Start a task for many users: its log events do not carry the request and the user that happened to start it."""
    context = contextvars.copy_context()
    context.run(structlog.contextvars.clear_contextvars)
    return asyncio.create_task(work, name=name, context=context)


def redact_secrets(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Replace secrets in an event, recognized by their name or format; a structlog processor."""
    for name, value in event.items():
        event[name] = REDACTED if SECRET_NAME.search(name) else _redacted(value)
    return event


def _without_requests(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    if event.get("event") == "request":
        raise structlog.DropEvent
    return event


def _redacted(value: Any) -> Any:
    if isinstance(value, str):
        return SECRET_VALUE.sub(REDACTED, value)
    if isinstance(value, dict):
        return {key: REDACTED if SECRET_NAME.search(str(key)) else _redacted(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_redacted(each) for each in value]
    return value if isinstance(value, bool | int | float | None) else SECRET_VALUE.sub(REDACTED, str(value))

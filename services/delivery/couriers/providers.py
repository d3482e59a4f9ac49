"""Chat and push providers, by Apprise: in a thread with a time limit, with no files, redirects or settings by URL."""

import asyncio
import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from typing import Any
from urllib.parse import urlsplit

from services.delivery.addresses import public_addresses
from services.delivery.channel_kind import SHAPES, ChannelKind
from services.delivery.message import Answer, Message
from services.errors import AddressRefused
from services.text import visible

TIMEOUT_SECONDS = 30.0
CONNECT_SECONDS = 5.0
READ_SECONDS = 15.0
MAX_THREADS = 8
_PLUGINS = {
    ChannelKind.SLACK: ("slack", "NotifySlack"),
    ChannelKind.TEAMS: ("workflows", "NotifyWorkflows"),
    ChannelKind.DISCORD: ("discord", "NotifyDiscord"),
    ChannelKind.TELEGRAM: ("telegram", "NotifyTelegram"),
    ChannelKind.NTFY: ("ntfy", "NotifyNtfy"),
    ChannelKind.GOTIFY: ("gotify", "NotifyGotify"),
    ChannelKind.PUSHOVER: ("pushover", "NotifyPushover"),
}
_SCHEMES = {"http": "ntfy", "https": "ntfys"}
_PORTS = {"http": 80, "ntfy": 80, "gotify": 80}


class Providers:
    """Sends to the providers that Apprise knows. Close with `close`."""

    def __init__(self, *, allow_private: bool = False) -> None:
        self._allow_private = allow_private
        self._threads = ThreadPoolExecutor(MAX_THREADS, thread_name_prefix="providers")

    def close(self) -> None:
        """Stop taking messages; idempotent. What is under way ends by its own time limits."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def send(self, kind: ChannelKind, address: str, message: Message) -> Answer:
        """Send a message.

        Raises:
            AddressRefused: The address is none of this kind, was not found, or is private.
        """
        parts = urlsplit(address)
        if SHAPES[kind].has_host:
            port = parts.port or _PORTS.get(parts.scheme, 443)
            await public_addresses(parts.hostname or "", port, allow_private=self._allow_private)
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                return await loop.run_in_executor(self._threads, _send, kind, address, message)
        except TimeoutError:
            return Answer(is_delivered=False, text=f"No answer within {TIMEOUT_SECONDS:.0f} s.")


def provider_of(kind: ChannelKind, address: str) -> Any:
    """Return Apprise's object for an address; raises AddressRefused if it is none of this kind."""
    # Apprise takes 0.1 s and 15 MiB, of those who have such a channel.
    from apprise import AppriseAsset  # noqa: PLC0415

    scheme, _, rest = address.partition("://")
    if kind is ChannelKind.NTFY:
        address = f"{_SCHEMES.get(scheme, scheme)}://{rest}"
    module, name = _PLUGINS[kind]
    # The plugin itself: Apprise's own choice by the scheme would import 190 of them.
    plugin = getattr(import_module(f"apprise.plugins.{module}"), name)
    given = plugin.parse_native_url(address) or plugin.parse_url(address)
    try:
        provider = plugin(**given, asset=AppriseAsset(http_redirects=False, secure_logging=True, async_mode=False))
    except TypeError as error:
        # Also of Apprise's own error, and of an address in which it finds nothing.
        raise AddressRefused(f"An address of {SHAPES[kind].label} looks like {SHAPES[kind].example}.") from error
    provider.socket_connect_timeout = CONNECT_SECONDS
    provider.socket_read_timeout = READ_SECONDS
    provider.redirects = False
    provider.verify_certificate = True
    return provider


def _send(kind: ChannelKind, address: str, message: Message) -> Answer:
    from apprise import NotifyFormat, NotifyType  # noqa: PLC0415

    body = "\n".join(filter(None, (message.text or message.title, message.url)))
    types = {"success": NotifyType.SUCCESS, "warning": NotifyType.WARNING, "error": NotifyType.FAILURE}
    said = _Said()
    log = logging.getLogger("apprise")
    log.addHandler(said)
    try:
        is_delivered = provider_of(kind, address).notify(
            body=body,
            title=message.title,
            notify_type=types.get(message.type, NotifyType.INFO),
            body_format=NotifyFormat.TEXT,
        )
    finally:
        log.removeHandler(said)
    if is_delivered:
        return Answer(is_delivered=True, text=f"{SHAPES[kind].label} took it.")
    return Answer(is_delivered=False, text=visible(said.text) or f"{SHAPES[kind].label} did not take it.")


class _Said(logging.Handler):
    """The last warning of Apprise in this thread: it returns no more than whether it succeeded."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.text = ""
        self._thread = threading.get_ident()

    def emit(self, record: logging.LogRecord) -> None:
        if record.thread == self._thread:
            self.text = record.getMessage()

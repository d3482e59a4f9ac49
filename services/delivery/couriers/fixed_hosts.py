"""Fixed hosts: sends by Apprise to providers whose hosts are known, and hears what each answered."""

import ast
import asyncio
import logging
import re
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

from services.delivery.channel_kind import SHAPES, ChannelKind
from services.delivery.couriers.plugins import plugin_of, settings_of, wording_of
from services.delivery.couriers.posting import MAX_REPLY_BYTES, Reply, masked
from services.delivery.message import Answer, Message

TIMEOUT_SECONDS = 30.0
MAX_THREADS = 4
KINDS = (ChannelKind.SLACK, ChannelKind.TEAMS, ChannelKind.DISCORD, ChannelKind.TELEGRAM, ChannelKind.PUSHOVER)
BUSY = 429

_THREADS = {kind: ThreadPoolExecutor(MAX_THREADS, thread_name_prefix=kind.value) for kind in KINDS}
"""A pool for each provider, so that one that answers without end holds up no other."""
_STATUS = re.compile(r"error=(\d{3})\.?$")
_BODY = "Response Details:\r\n"
_TYPES = {"success": "success", "warning": "warning", "error": "failure"}
_TROUBLES = {
    "timed out": "did not answer in time",
    "CERTIFICATE_VERIFY_FAILED": "was not reached: its certificate could not be verified",
    "Failed to resolve": "was not reached: its name was not found",
}


async def send_by_plugin(kind: ChannelKind, address: str, message: Message) -> Answer | Reply:
    """Send a message by Apprise, in a thread.

    Returns:
        What the provider replied if it refused, as far as Apprise tells: without headers; else what became of it.

    Raises:
        AddressRefused: The address is none of this kind.
    """
    settings = settings_of(kind, address)
    loop = asyncio.get_running_loop()
    try:
        # One that has not begun by then never begins.
        async with asyncio.timeout(TIMEOUT_SECONDS):
            return await loop.run_in_executor(_THREADS[kind], _send, kind, settings, address, message)
    except TimeoutError:
        text = f"{SHAPES[kind].label} did not answer within {TIMEOUT_SECONDS:g} s."
        return Answer(is_delivered=False, text=text)


def _send(kind: ChannelKind, settings: dict[str, Any], address: str, message: Message) -> Answer | Reply:
    from apprise import NotifyFormat, NotifyType  # noqa: PLC0415

    wording, label = wording_of(kind, message, settings), SHAPES[kind].label
    plugin, heard = plugin_of(kind, {**settings, **wording.settings}), _Heard()
    # Its records hold addresses and messages, and are for nobody else.
    plugin.logger = heard.log
    plugin.throttle = heard.rest
    try:
        is_delivered = plugin.notify(
            body=wording.body,
            title=wording.title,
            notify_type=NotifyType(_TYPES.get(message.type, "info")),
            body_format=NotifyFormat(wording.format),
        )
    except _AskedAgain as error:
        return Reply(status=BUSY, text="", retry_after=error.wait)
    if is_delivered:
        return Answer(is_delivered=True, text=f"{label} took it.")
    if heard.status is None:
        return Answer(is_delivered=False, text=f"{label} {heard.trouble}.")
    text = heard.body[:MAX_REPLY_BYTES].decode("utf-8", "replace")
    return Reply(status=heard.status, text=masked(text, address, {}, ""))


class _AskedAgain(Exception):
    """A plugin wants to rest and ask again, which is the outbox's to do."""

    def __init__(self, wait: float | None) -> None:
        super().__init__()
        self.wait = wait


class _Heard(logging.Handler):
    """What a plugin logs of one try: it returns no more than whether it succeeded."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.log = logging.Logger("provider", logging.DEBUG)
        self.log.addHandler(self)
        self.status: int | None = None
        self.body = b""
        self.trouble = "was not reached"
        self._asked = 0

    def rest(self, last_io: object = None, wait: float | None = None) -> None:
        """Stand in for the plugin's pause between two requests."""
        self._asked += 1
        if self._asked > 1:
            raise _AskedAgain(wait)

    def emit(self, record: logging.LogRecord) -> None:
        said = record.getMessage()
        if found := _STATUS.search(said):
            self.status = int(found[1])
        elif said.startswith(_BODY):
            with suppress(ValueError, SyntaxError, MemoryError, RecursionError):
                body = ast.literal_eval(said.removeprefix(_BODY))
                self.body = body if isinstance(body, bytes) else b""
        else:
            self.trouble = next((text for mark, text in _TROUBLES.items() if mark in said), self.trouble)

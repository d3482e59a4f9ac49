"""The default transport: Broadcast from Database on a private channel."""

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any
from uuid import UUID

import structlog
from pydantic import SecretStr
from realtime import AsyncRealtimeChannel
from realtime.types import BroadcastPayload

from services.entities import Topic
from services.feed_kind import FeedKind
from services.realtime.transports.change import Operation, decode_change
from services.realtime.transports.link import LinkOpener
from services.realtime.transports.notes_signal import SIGNALS, decode_notes_signal
from services.realtime.transports.transport import Link, Sink
from services.realtime.transports.typing_signal import TYPING, decode_typing

logger = structlog.get_logger(__name__)

TRUNCATE = "TRUNCATE"
EVENTS = {*Operation, TRUNCATE}
READY = "Replication connection established"


class SupabaseBroadcast(LinkOpener):
    """Opens one socket with one private channel per topic."""

    kind = FeedKind.BROADCAST

    def open(self, topic: Topic, token: SecretStr, sink: Sink) -> AbstractAsyncContextManager[Link]:
        """See `Transport.open`."""
        return self._open(topic, token, bind=lambda channel: _listen(channel, sink), ready=READY)


def _listen(channel: AsyncRealtimeChannel, sink: Sink) -> None:
    channel.on_broadcast("*", lambda payload: deliver(payload, sink))


def deliver(payload: BroadcastPayload, sink: Sink) -> None:
    """Hand an event to the sink without raising: an exception would silently end the client's listener."""
    try:
        body: Mapping[str, Any] = payload["payload"]
        if payload["event"] == "probe":
            sink.probe(UUID(str(body["nonce"])))
        elif payload["event"] == TYPING:
            sink.typing(decode_typing(body))
        elif payload["event"] in SIGNALS:
            sink.notes(decode_notes_signal(payload["event"], body))
        elif payload["event"] not in EVENTS:
            return
        elif body.get("table") == "org_members":
            sink.membership()
        elif payload["event"] == TRUNCATE:
            sink.resync_required(str(body["table"]))
        elif body.get("table") == "profiles":
            sink.profile()
        elif body.get("table") == "team":
            sink.team(UUID(body["org_id"]))
        elif body.get("key_only") and body["operation"] != Operation.DELETE:
            sink.row_left_out(str(body["table"]), UUID(body["record"]["id"]))
        else:
            sink.change(decode_change(body))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        sink.malformed(payload.get("payload") or {}, str(error))
    except Exception:
        logger.exception("event not delivered")

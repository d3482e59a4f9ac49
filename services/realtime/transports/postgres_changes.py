"""The alternative transport: postgres_changes, for projects that enable tables for Realtime in the dashboard.

It is slower than broadcasts and silently drops changes above about 100 per second; its deletes bypass row-level
security and hold only the key. The reconcile and the reducer compensate for that.
"""

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any, cast
from uuid import UUID

import structlog
from pydantic import SecretStr
from realtime import AsyncRealtimeChannel
from realtime.types import PostgresChangesPayload, RealtimePostgresChangesListenEvent

from services.entities import LIVE_TABLES, Scope, Topic
from services.feed_kind import FeedKind
from services.realtime.transports.broadcast import deliver
from services.realtime.transports.change import Change, Operation
from services.realtime.transports.link import LinkOpener
from services.realtime.transports.notes_signal import SIGNALS
from services.realtime.transports.transport import Link, Sink
from services.realtime.transports.typing_signal import TYPING

logger = structlog.get_logger(__name__)

READY = "Subscribed to PostgreSQL"
PROBES = "livewatch_probes"
MEMBERS = "org_members"
COLUMNS = {
    each.table: frozenset(column.name for column in each.model.__table__.columns if column.computed is None)
    for each in LIVE_TABLES
}
"""Columns of each table that an event has; logical decoding leaves out computed ones."""
PROFILES = "profiles"


class SupabaseChanges(LinkOpener):
    """Opens one socket with one private channel per topic, bound to the tables of its scope and filtered by it."""

    kind = FeedKind.POSTGRES_CHANGES

    def open(self, topic: Topic, token: SecretStr, sink: Sink) -> AbstractAsyncContextManager[Link]:
        """See `Transport.open`."""

        def bind(channel: AsyncRealtimeChannel) -> None:
            def listen(event: RealtimePostgresChangesListenEvent, table: str, only: str | None) -> None:
                channel.on_postgres_changes(
                    event, lambda payload: _deliver(payload, topic, sink), table=table, schema="public", filter=only
                )

            tables = [each.table for each in LIVE_TABLES if each.scope is topic.scope]
            if topic.scope is Scope.USER:
                tables += [MEMBERS, PROFILES]
            for table in tables:
                mine = f"{topic.scope}_id=eq.{topic.id}"
                listen(RealtimePostgresChangesListenEvent.Insert, table, mine)
                listen(RealtimePostgresChangesListenEvent.Update, table, mine)
                # With a filter the server sends no deletes: of a deleted row it knows only the key.
                listen(RealtimePostgresChangesListenEvent.Delete, table, None)
            listen(RealtimePostgresChangesListenEvent.All, PROBES, f"topic=eq.{topic}")
            # No table has what is only a signal.
            for signal in (TYPING, *SIGNALS):
                channel.on_broadcast(signal, lambda payload: deliver(payload, sink))

        return self._open(topic, token, bind=bind, ready=READY)


def _deliver(payload: PostgresChangesPayload, topic: Topic, sink: Sink) -> None:
    """Hand an event to the sink without raising: an exception would silently end the client's listener."""
    data = cast(Mapping[str, Any], payload.get("data") or {})
    try:
        table, operation = str(data["table"]), Operation(data["type"])
        gone = operation is Operation.DELETE
        row: Mapping[str, Any] = data["old_record" if gone else "record"]
        if table == PROBES:
            if not gone:
                sink.probe(UUID(row["nonce"]))
        elif table == MEMBERS:
            if row.get("user_id") == str(topic.id):
                sink.membership()
        elif table == PROFILES:
            sink.profile()
        elif data.get("errors") or (not gone and not COLUMNS.get(table, frozenset()) <= row.keys()):
            # The row is too large, some columns may not be read, or a large value did not change: the event does not
            # hold the row.
            if isinstance(row, Mapping) and "id" in row and not gone:
                sink.row_left_out(table, UUID(row["id"]))
            else:
                sink.resync_required(table)
        else:
            version = 0 if gone else int(row["version"])
            sink.change(
                Change(
                    table=table,
                    operation=operation,
                    id=UUID(row["id"]),
                    version=version,
                    record=None if gone else row,
                )
            )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        sink.malformed(data, str(error))
    except Exception:
        logger.exception("event not delivered")

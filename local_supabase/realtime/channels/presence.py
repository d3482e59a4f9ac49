"""Presence: which channels are present on a topic, and with which metadata."""

import base64
import secrets
from dataclasses import dataclass

from local_supabase.realtime.channels.topics import Listener, Topics
from local_supabase.realtime.protocol.frames import JsonObject, Outgoing
from local_supabase.web.json_text import compact


@dataclass(frozen=True, slots=True)
class _Entry:
    key: str
    meta: JsonObject


class Presence:
    """The presences of all topics, at most one per channel."""

    def __init__(self, topics: Topics) -> None:
        self._topics = topics
        self._entries: dict[tuple[str, bool], dict[Listener, _Entry]] = {}

    def track(self, channel: Listener, key: str, payload: JsonObject) -> None:
        """Add or update a channel's presence and publish the difference."""
        entries = self._entries.setdefault((channel.name, channel.private), {})
        previous = entries.pop(channel, None)
        meta: JsonObject = {"phx_ref": _reference()}
        if previous:
            meta["phx_ref_prev"] = previous.meta["phx_ref"]
        entry = entries[channel] = _Entry(key, {**meta, **payload, **meta})
        self._publish(channel, joins=entry, leaves=previous)

    def untrack(self, channel: Listener) -> None:
        """Remove a channel's presence and publish the difference; idempotent."""
        topic = (channel.name, channel.private)
        entries = self._entries.get(topic, {})
        if entry := entries.pop(channel, None):
            if not entries:
                del self._entries[topic]
            self._publish(channel, joins=None, leaves=entry)

    def state(self, name: str, private: bool) -> JsonObject:
        """Return the presences of a topic by key, as in `presence_state`."""
        state: JsonObject = {}
        for entry in self._entries.get((name, private), {}).values():
            state.setdefault(entry.key, {"metas": []})["metas"].append(entry.meta)
        return state

    def _publish(self, channel: Listener, *, joins: _Entry | None, leaves: _Entry | None) -> None:
        diff = {"joins": _metas(joins), "leaves": _metas(leaves)}
        message = Outgoing(channel.topic, "presence_diff", compact(diff))
        self._topics.publish(channel.name, channel.private, message, presence=True)


def _metas(entry: _Entry | None) -> JsonObject:
    return {entry.key: {"metas": [entry.meta]}} if entry else {}


def _reference() -> str:
    return base64.urlsafe_b64encode(secrets.token_bytes(12)).decode()

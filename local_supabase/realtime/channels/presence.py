"""Who is present on which topic, with what each tells about itself."""

import base64
import secrets
from dataclasses import dataclass
from typing import Protocol

from local_supabase.http.json_text import compact
from local_supabase.realtime.channels.topics import Listener, Topics
from local_supabase.realtime.protocol.frames import JsonObject, Outgoing


class Present(Listener, Protocol):
    """A channel that can be present."""

    topic: str
    sees_presence: bool


@dataclass(frozen=True, slots=True)
class _Entry:
    key: str
    meta: JsonObject


class Presence:
    """The presences of all topics; a channel has at most one."""

    def __init__(self, topics: Topics) -> None:
        self._topics = topics
        self._entries: dict[tuple[str, bool], dict[Present, _Entry]] = {}

    def track(self, channel: Present, key: str, payload: JsonObject) -> None:
        """Make a channel present, or change what it tells; every listener hears of it."""
        entries = self._entries.setdefault((channel.name, channel.private), {})
        previous = entries.pop(channel, None)
        meta: JsonObject = {"phx_ref": _reference()}
        if previous:
            meta["phx_ref_prev"] = previous.meta["phx_ref"]
        entry = entries[channel] = _Entry(key, {**meta, **payload, **meta})
        self._publish(channel, joins=entry, leaves=previous)

    def untrack(self, channel: Present) -> None:
        """End a presence; idempotent."""
        place = (channel.name, channel.private)
        entries = self._entries.get(place, {})
        if entry := entries.pop(channel, None):
            if not entries:
                del self._entries[place]
            self._publish(channel, joins=None, leaves=entry)

    def state(self, name: str, private: bool) -> JsonObject:
        """All presences of a topic by key."""
        state: JsonObject = {}
        for entry in self._entries.get((name, private), {}).values():
            state.setdefault(entry.key, {"metas": []})["metas"].append(entry.meta)
        return state

    def _publish(self, channel: Present, *, joins: _Entry | None, leaves: _Entry | None) -> None:
        diff = {"joins": _shown(joins), "leaves": _shown(leaves)}
        message = Outgoing(channel.topic, "presence_diff", compact(diff))
        self._topics.publish(channel.name, channel.private, message, presence=True)


def _shown(entry: _Entry | None) -> JsonObject:
    return {entry.key: {"metas": [entry.meta]}} if entry else {}


def _reference() -> str:
    return base64.urlsafe_b64encode(secrets.token_bytes(12)).decode()

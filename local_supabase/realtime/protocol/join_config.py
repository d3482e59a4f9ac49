"""The parameters of a `phx_join`."""

import uuid
from dataclasses import dataclass
from typing import Any, Self

from local_supabase.realtime.protocol.frames import JsonObject


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinConfig:
    """The `config` object; absent or mistyped options are off."""

    ack: bool
    to_self: bool
    replication_ready: bool
    private: bool
    presence: bool
    presence_key: str
    replay: JsonObject | None
    bindings: list[JsonObject]

    @classmethod
    def parse(cls, payload: JsonObject) -> Self:
        """Read the configuration from the join's payload; never raises."""
        config = as_object(payload.get("config"))
        broadcast, presence = as_object(config.get("broadcast")), as_object(config.get("presence"))
        bindings = config.get("postgres_changes")
        return cls(
            ack=broadcast.get("ack") is True,
            to_self=broadcast.get("self") is True,
            replication_ready=broadcast.get("replication_ready") is True,
            private=config.get("private") is True,
            presence=presence.get("enabled") is True,
            presence_key=str(presence.get("key") or "") or str(uuid.uuid1()),
            replay=as_object(broadcast["replay"]) if broadcast.get("replay") is not None else None,
            bindings=[as_object(binding) for binding in bindings] if isinstance(bindings, list) else [],
        )


def as_object(value: Any) -> JsonObject:
    """Return `value` if it is a JSON object, else an empty one."""
    return value if isinstance(value, dict) else {}

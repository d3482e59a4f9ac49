"""Audiences: whom a rule tells, and of them those whom an earlier rule tells of the same event."""

import json
from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, TypeVar

_R = TypeVar("_R")
MAX_EXCLUDED = 500
"""People and channels that one message is kept from; further ones may be told twice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Audience:
    """People and channels by their ids, and roles by their names."""

    people: frozenset[str] = frozenset()
    roles: frozenset[str] = frozenset()
    channels: frozenset[str] = frozenset()

    @classmethod
    def of_record(cls, record: Mapping[str, Any]) -> "Audience":
        """Return the audience of a stored record."""
        return cls(**{name: frozenset(record.get(name) or ()) for name in cls.__slots__})

    @property
    def as_json(self) -> dict[str, list[str]]:
        """The audience as a record; empty for nobody."""
        parts = {name: sorted(getattr(self, name))[:MAX_EXCLUDED] for name in self.__slots__}
        return {name: ids for name, ids in parts.items() if ids}

    @property
    def key(self) -> str:
        """Text that is the same for the same audience; empty for nobody."""
        record = self.as_json
        return sha256(json.dumps(record, sort_keys=True).encode()).hexdigest() if record else ""

    def has(self, person: str, role: str) -> bool:
        """Whether a member is in it."""
        return person in self.people or role in self.roles

    def joined(self, other: "Audience") -> "Audience":
        """Return both."""
        return Audience(**{name: getattr(self, name) | getattr(other, name) for name in self.__slots__})

    def is_within(self, other: "Audience") -> bool:
        """Whether everybody in it is in another one, whoever has which role."""
        return all(getattr(self, name) <= getattr(other, name) for name in self.__slots__)

    def part_of(self, told: "Audience") -> "Audience":
        """Return whom of it an earlier audience may have: without roles of its own, nobody but its people."""
        return Audience(
            people=told.people if self.roles else told.people & self.people,
            roles=told.roles if self.roles or self.people else frozenset(),
            channels=told.channels & self.channels,
        )


def excluded(rules: Iterable[tuple[_R, Hashable, Audience]]) -> list[tuple[_R, Audience | None]]:
    """Return for each rule of one event whom an earlier one with the same rhythm tells; None if that is everybody.

    Args:
        rules: The rules in their order, each with when it tells and whom.
    """
    told: dict[Hashable, Audience] = defaultdict(Audience)
    found: list[tuple[_R, Audience | None]] = []
    for rule, rhythm, audience in rules:
        earlier = told[rhythm]
        if audience.is_within(earlier):
            found.append((rule, None))
            continue
        found.append((rule, audience.part_of(earlier)))
        told[rhythm] = earlier.joined(audience)
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """Who gets the same part of what a rule tells: the places of the gatherings, and the people and channels."""

    gatherings: tuple[int, ...]
    people: tuple[str, ...]
    channels: tuple[str, ...]


def shares(audience: Audience, kept_from: list[Audience], members: Mapping[str, str]) -> list[Share]:
    """Return who gets which of the gatherings of a rule.

    Args:
        audience: Whom the rule tells.
        kept_from: Of each gathering, whom an earlier rule tells.
        members: Roles of the members of the organisation by their ids.
    """
    people: dict[tuple[int, ...], list[str]] = defaultdict(list)
    channels: dict[tuple[int, ...], list[str]] = defaultdict(list)
    for person, role in sorted(members.items()):
        if audience.has(person, role):
            people[tuple(n for n, each in enumerate(kept_from) if not each.has(person, role))].append(person)
    for channel in sorted(audience.channels):
        channels[tuple(n for n, each in enumerate(kept_from) if channel not in each.channels)].append(channel)
    keys = dict.fromkeys([*people, *channels])
    return [
        Share(gatherings=key, people=tuple(people.get(key, ())), channels=tuple(channels.get(key, ())))
        for key in keys
        if key
    ]

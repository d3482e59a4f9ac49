"""Who looks at which row, in few bytes: it changes with every page that anybody opens."""

from collections.abc import Mapping
from uuid import UUID

from components.window.batch import Looking


class RowViewers:
    """The people at each row, by numbers: a person has one from their first row on, the inverse (`~n`) where idle.

    A payload has `people`, ids in the order of their numbers, and `rows`: the numbers of those who look at a row, by
    its id. A full one has all; a patch the new people, and the changed rows, with nobody where the last one has left.
    """

    def __init__(self) -> None:
        self._numbers: dict[UUID, int] = {}
        self._sent: dict[str, list[int]] = {}

    def full(self, rows: Mapping[str, Mapping[UUID, bool]]) -> Looking:
        """Return all rows.

        Args:
            rows: By row the people who look at it, and whether they are idle there.
        """
        self._sent = self._numbered(rows)
        return {"people": self._people(), "rows": self._sent}

    def patch(self, rows: Mapping[str, Mapping[UUID, bool]]) -> Looking | None:
        """Return what changed; None without any change."""
        known = len(self._numbers)
        before, self._sent = self._sent, self._numbered(rows)
        changed = {row: numbers for row, numbers in self._sent.items() if before.get(row) != numbers}
        changed |= {row: [] for row in before if row not in self._sent}
        return {"people": self._people()[known:], "rows": changed} if changed else None

    def _numbered(self, rows: Mapping[str, Mapping[UUID, bool]]) -> dict[str, list[int]]:
        return {row: [self._number(*each) for each in viewers.items()] for row, viewers in rows.items()}

    def _number(self, person: UUID, is_idle: bool) -> int:
        number = self._numbers.setdefault(person, len(self._numbers))
        return ~number if is_idle else number

    def _people(self) -> list[str]:
        return [str(person) for person in self._numbers]

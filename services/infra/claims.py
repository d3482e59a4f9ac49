"""On whose behalf a database transaction runs."""

from collections.abc import Mapping
from typing import Any, Protocol


class Claimant(Protocol):
    """On whose behalf a transaction runs; PostgreSQL's row-level security decides by the `claims`."""

    @property
    def name(self) -> str:
        """How messages name them."""
        ...

    @property
    def claims(self) -> Mapping[str, Any]:
        """The JWT claims that PostgreSQL gets as `request.jwt.claims`."""
        ...


class Anonymous:
    """A claimant without a user and without a key: no policy shows them a row."""

    name = "nobody"
    claims: Mapping[str, Any] = {"role": "authenticated"}

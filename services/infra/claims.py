"""Principal of a database transaction, and its JWT claims."""

from collections.abc import Mapping
from typing import Any, Protocol


class Claimant(Protocol):
    """Principal under which a transaction runs; row-level security evaluates its `claims`."""

    @property
    def name(self) -> str:
        """Display name for messages."""
        ...

    @property
    def claims(self) -> Mapping[str, Any]:
        """JWT claims that PostgreSQL receives as `request.jwt.claims`."""
        ...


class Anonymous:
    """A claimant without user and key, to whom no policy grants any row."""

    name = "an anonymous session"
    claims: Mapping[str, Any] = {"role": "authenticated"}

"""Request bodies in general: strict ones, those of runs, and an empty one."""

from typing import ClassVar

from pydantic import BaseModel, ConfigDict


class Body(BaseModel):
    """Request body; unknown fields are rejected, since they are most likely misspelled."""

    model_config = ConfigDict(extra="forbid")


class RunBody(Body):
    """A report of a run: its good fields are applied also if others are invalid; the response names those.

    A report without any good field is rejected, and so is one whose `essential_fields` are invalid.
    """

    essential_fields: ClassVar[frozenset[str]] = frozenset()


class Empty(Body):
    """Body of an operation without fields."""

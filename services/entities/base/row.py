"""Columns that every monitored row has, and helpers that declare further columns."""

from collections.abc import Callable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Self, TypeVar
from uuid import UUID, uuid4

from pydantic import AfterValidator, AwareDatetime
from sqlalchemy import Column, Computed, DateTime, Enum
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeEngine
from sqlmodel import Field, SQLModel


def has_length(maximum: int) -> AfterValidator:
    """Validate the length of a name as the tables' CHECK does: 1 to `maximum` characters between spaces at its ends."""

    def check(text: str) -> str:
        if not 1 <= len(text.strip(" ")) <= maximum:
            raise ValueError(f"should have 1 to {maximum} characters, without the spaces at its ends")
        return text

    return AfterValidator(check)


Name = Annotated[str, has_length(200)]


def timestamp_field(default: Callable[[], datetime] | None = None) -> Any:
    """Declare a `timestamptz` column; aware in Python, None for a new row unless `default` makes a value."""
    kind = DateTime(timezone=True)
    return Field(default_factory=default, sa_type=kind) if default else Field(default=None, sa_type=kind)


def status_field(default: StrEnum) -> Any:
    """Declare a text column that holds the values of `default`'s enum, as the table's CHECK does."""
    kind = Enum(type(default), native_enum=False, values_callable=lambda members: [member.value for member in members])
    return Field(default=default, sa_type=kind)


def json_field(default: Callable[[], Any], *, column: str | None = None) -> Any:
    """Declare a `jsonb` column.

    Args:
        default: Makes the value of a new row.
        column: Name in the table, where the attribute must have another one.
    """
    if column is None:
        return Field(default_factory=default, sa_type=JSONB)
    return Field(default_factory=default, sa_column=Column(column, JSONB), validation_alias=column)


def generated_field(name: str, kind: TypeEngine[Any], **constraints: Any) -> Any:
    """Declare a column that the database computes; it is read and never written."""
    return Field(default=None, sa_column=Column(name, kind, Computed("", persisted=True)), **constraints)


class Row(SQLModel):
    """Base of the models of monitored tables.

    `version` grows with every write, so of two states of a row the one with the higher version is the newer. A trigger
    sets it and both times; a writer's values are ignored.
    """

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    org_id: UUID
    version: int = Field(default=0, ge=0)
    created_at: AwareDatetime | None = timestamp_field()
    updated_at: AwareDatetime | None = timestamp_field()

    @classmethod
    def read(cls, record: Mapping[str, Any]) -> Self:
        """Validate a record of PostgreSQL or Realtime into a read-only row.

        Costs a fraction of `model_validate`, since SQLAlchemy does not track the values; such a row belongs to no
        session. Raises pydantic's ValidationError.
        """
        row: Self = cls.__new__(cls)
        cls.__pydantic_validator__.validate_python(record, self_instance=row)
        return row

    @property
    def discussed_id(self) -> UUID:
        """The id under which people talk about what the row tells of."""
        return self.id

    # Reading generated columns back would need RETURNING, which the policies deny to the sender of an alert.
    __mapper_args__ = {"eager_defaults": False}


R = TypeVar("R", bound=Row)

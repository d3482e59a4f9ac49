"""What every monitored row has in common, and how its columns are declared."""

from collections.abc import Callable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, Self
from uuid import UUID, uuid4

from pydantic import AwareDatetime
from sqlalchemy import Column, Computed, DateTime, Enum
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeEngine
from sqlmodel import Field, SQLModel


def timestamp_field(default: Callable[[], datetime] | None = None) -> Any:
    """A `timestamptz`, aware in Python; None for a new row unless `default` makes one."""
    kind = DateTime(timezone=True)
    return Field(default_factory=default, sa_type=kind) if default else Field(default=None, sa_type=kind)


def status_field(default: StrEnum) -> Any:
    """A text column that holds the values of `default`'s enum, as the table's CHECK does."""
    kind = Enum(type(default), native_enum=False, values_callable=lambda members: [member.value for member in members])
    return Field(default=default, sa_type=kind)


def json_field(default: Callable[[], Any], *, column: str | None = None) -> Any:
    """A `jsonb` column, named `column` where Python must call it otherwise; `default` is called for a new row."""
    if column is None:
        return Field(default_factory=default, sa_type=JSONB)
    return Field(default_factory=default, sa_column=Column(column, JSONB), validation_alias=column)


def generated_field(name: str, kind: TypeEngine[Any], **constraints: Any) -> Any:
    """A column that only the database computes; it is read and never written."""
    return Field(default=None, sa_column=Column(name, kind, Computed("", persisted=True)), **constraints)


class Row(SQLModel):
    """A row of an organisation that the dashboard watches.

    `version` grows with every write of the row, so of two states of one row the one with the higher version is the
    newer. The database's trigger sets it and the two times; what a writer puts there is ignored.
    """

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    org_id: UUID
    version: int = Field(default=0, ge=0)
    created_at: AwareDatetime | None = timestamp_field()
    updated_at: AwareDatetime | None = timestamp_field()

    @classmethod
    def read(cls, record: Mapping[str, Any]) -> Self:
        """A row to look at, from a record as PostgreSQL and Realtime give it; raises pydantic's ValidationError.

        As `model_validate`, for a fraction of what that costs: SQLAlchemy is not told of each value, so that such a row
        is for no session.
        """
        row: Self = cls.__new__(cls)
        cls.__pydantic_validator__.validate_python(record, self_instance=row)
        return row

    # Reading generated columns back would need RETURNING, which the policies deny to the sender of an alert.
    __mapper_args__ = {"eager_defaults": False}

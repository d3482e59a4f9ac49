"""Groups of like rows, by which the database counts what a feed does not hold."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic
from uuid import UUID

from services.entities.base.row import R

LONG_AGO = "'epoch'::timestamptz"
"""Stands for any time in the past: rows are alike whenever it was."""
ARCHIVING = {"archived_at": f"case when archived_at is not null then {LONG_AGO} end"}
INCIDENTS = {"incidents": "incidents"}
"""Tells the rows of which the watcher found the same."""
MARKING = {"read_at": f"case when read_at is not null then {LONG_AGO} end"}
PLACEHOLDERS = {str: "-", UUID: UUID(int=0), int: 0, float: 0.0}
"""Values by type for the required fields that no facet and no counter reads."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RowGroup(Generic[R]):
    """Rows that are alike in all that chips and counters ask.

    Args:
        example: A row like them; its other fields say nothing.
        count: How many there are.
    """

    example: R
    count: int


def grouped(grouping: Mapping[str, str], rows: str) -> str:
    """Return the statement that counts rows by groups, for `read_groups`.

    Args:
        grouping: SQL expressions by field.
        rows: What follows `from`.
    """
    columns = "".join(f', {sql} as "{field}"' for field, sql in grouping.items())
    numbers = ", ".join(str(number + 2) for number in range(len(grouping)))
    return f"select count(*) as count{columns} from {rows}" + (f" group by {numbers}" if numbers else "")


def read_groups(
    model: type[R], grouping: Mapping[str, str], records: Sequence[Mapping[str, Any]]
) -> tuple[RowGroup[R], ...]:
    """Read what a `grouped` statement returned.

    Args:
        model: The model of the rows.
        grouping: SQL expressions by the field that holds their value in an example.
        records: One mapping per group, by field, with `count`.

    Raises:
        pydantic.ValidationError: A group has a value that the model refuses.
    """
    filler: dict[str, Any] = {
        name: PLACEHOLDERS[_type(field.annotation)]
        for name, field in model.model_fields.items()
        if field.is_required() and name not in grouping
    }
    return tuple(
        RowGroup(
            example=model.read(filler | {name: value for name, value in record.items() if name != "count"}),
            count=record["count"],
        )
        for record in records
    )


def _type(annotation: Any) -> Any:
    return annotation if annotation in PLACEHOLDERS else str

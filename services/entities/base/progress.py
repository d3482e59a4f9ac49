"""Progress of a run: rate and estimated completion."""

from datetime import datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

from pydantic import AfterValidator, AwareDatetime
from sqlalchemy import DateTime, Dialect, Float
from sqlalchemy.types import TypeDecorator
from sqlmodel import Field, SQLModel

from services.entities.base.row import timestamp_field

MIN_RATE_WINDOW_SECONDS = 1.0
"""History below which a rate is not reported."""
ESTIMATE = (
    f"case when rate > 0 and rate_window >= {MIN_RATE_WINDOW_SECONDS:g} and {{remaining}} > 0 and {{active}} "
    "then extract(epoch from last_progress_at)::float8 + {remaining} / rate end"
)
"""SQL expression of `Progress.done_at` in seconds since 1970."""
MAX_AMOUNT = 2**53
"""Largest amount; a double holds every integer up to it exactly."""


def plain_amount(value: float) -> float:
    """Return an integral amount as an int, which is shown without a fraction."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


class AmountColumn(TypeDecorator[float]):
    """A column of amounts, read as `plain_amount` returns them."""

    impl = Float
    cache_ok = True

    def process_result_value(self, value: float | None, dialect: Dialect) -> float | None:
        """Return the amount of a row."""
        return None if value is None else plain_amount(value)


Amount = Annotated[float, AfterValidator(plain_amount)]
"""Units done or to do: an int where it is integral, for instance 0.5, 12 or 2**53."""


def amount_field() -> Any:
    """Declare a column of an amount, 0 by default."""
    return Field(default=0, ge=0, le=MAX_AMOUNT, sa_type=AmountColumn)


class Progress(SQLModel):
    """Progress columns that database triggers maintain.

    `rate` is in units per second, averaged over the last `rate_window` seconds with exponentially decreasing weights.
    `progress_interval` is the usual time between two steps in seconds. The unit of a stream is one of `completed`, of a
    scan a percentage point.
    """

    last_progress_at: AwareDatetime | None = timestamp_field()
    rate: float | None = None
    rate_window: float | None = None
    progress_interval: float | None = None

    @property
    def remaining(self) -> float:
        """Units still to do."""
        raise NotImplementedError

    @property
    def is_active(self) -> bool:
        """Whether progress is expected now."""
        raise NotImplementedError

    @property
    def speed(self) -> float | None:
        """Units per second; None while there is too little history."""
        return self.rate if self.rate and (self.rate_window or 0) >= MIN_RATE_WINDOW_SECONDS else None

    @property
    def done_at(self) -> datetime | None:
        """Estimated time of completion at the current rate; None when unknown or not running."""
        if not self.is_active or self.remaining <= 0 or not self.speed or not self.last_progress_at:
            return None
        try:
            return self.last_progress_at + timedelta(seconds=self.remaining / self.speed)
        except OverflowError:
            return None


class ProgressPoint(SQLModel, table=True):
    """One point of a progress history: `done` of `whole` units at a time."""

    __tablename__ = "progress_points"

    subject_id: UUID = Field(primary_key=True)
    at: AwareDatetime = Field(primary_key=True, sa_type=DateTime(timezone=True))
    org_id: UUID
    done: float
    whole: float

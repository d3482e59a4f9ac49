"""Models of the endpoints for metrics: reports of points, with their limits, and their results."""

import math
import re
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, ConfigDict, Field, PlainValidator, WithJsonSchema, model_validator

from pages.api.fields import Count, RunPath, check_log_time, check_not_blank
from pages.api.models import Body
from pages.api.responses import WriteResult

MAX_METRIC_POINTS = 500
MAX_METRIC_VALUES = 10_000
MAX_METRIC_NAMES = 1_000
MAX_METRIC_NAME_CHARACTERS = 200
NOT_FINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
"""How JSON spells the values that it lacks."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def check_name(value: str) -> str:
    """Check the name of a metric or an artefact."""
    if _CONTROL.search(value):
        raise ValueError("it must not contain control characters")
    return check_not_blank(value)


def _value(value: Any) -> float | str:
    """Return a number, or the spelling of one that is not finite, which the database reads."""
    if isinstance(value, str) and value in NOT_FINITE:
        return value
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError('it must be a number, "NaN", "Infinity" or "-Infinity"')
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise ValueError('it is beyond the range of a 64-bit float: send "Infinity" or "-Infinity"')
    return number


MetricName = Annotated[str, Field(min_length=1, max_length=MAX_METRIC_NAME_CHARACTERS), AfterValidator(check_name)]
MetricValue = Annotated[
    float | str,
    PlainValidator(_value),
    WithJsonSchema({"anyOf": [{"type": "number"}, {"enum": [*NOT_FINITE]}]}),
]


class MetricPoint(Body):
    """Values at one step."""

    step: Count | None = Field(None, description="Number of the step; the one after the highest of the run by default.")
    at: Annotated[AwareDatetime, AfterValidator(check_log_time)] | None = Field(
        None, description="Time in ISO 8601 with a UTC offset, within the last 366 days; now by default."
    )
    values: Annotated[dict[MetricName, MetricValue], Field(min_length=1, max_length=MAX_METRIC_NAMES)] = Field(
        description='Values by the name of the metric. Not a number and infinities are "NaN", "Infinity", "-Infinity".',
        examples=[{"loss": 0.31, "val/accuracy": 0.87}],
    )


class MetricReport(Body):
    """Points of a run's metrics; accepted even after the run has finished. A point at a known step replaces it."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"run": "streams/training", "points": [{"step": 10, "values": {"loss": 0.31}}]}]
        }
    )
    run: RunPath = Field(description="Path of the run.")
    points: list[MetricPoint] = Field(
        min_length=1,
        max_length=MAX_METRIC_POINTS,
        description=f"At most {MAX_METRIC_POINTS}, with {MAX_METRIC_VALUES:,} values in all.",
    )

    @model_validator(mode="after")
    def _fits(self) -> "MetricReport":
        count = sum(len(point.values) for point in self.points)
        if count > MAX_METRIC_VALUES:
            raise ValueError(f"points: they have {count:,} values; the maximum is {MAX_METRIC_VALUES:,}. Send several")
        return self


class MetricResult(WriteResult):
    """Result of adding points."""

    points: int = Field(description="Number of values that were stored.")

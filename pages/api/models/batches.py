"""Request models of logs, heartbeats and batches."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AwareDatetime, ConfigDict, Field, WithJsonSchema

from pages.api.fields import MAX_LINES, MAX_OPERATIONS, MAX_RUNS, Reporter, RunPath, check_log_time
from pages.api.models.bodies import Body


class LogLine(Body):
    """One line of a log."""

    message: Annotated[str, Field(max_length=2000)] = Field(description="At most 2,000 characters.")
    level: Literal["debug", "info", "warning", "error", "critical"] | None = Field(
        None, description="`info` by default."
    )
    at: Annotated[AwareDatetime, AfterValidator(check_log_time)] | None = Field(
        None, description="Time in ISO 8601 with a UTC offset, within the last 366 days; now by default."
    )


class LogReport(Body):
    """Lines of a run's log, oldest first; accepted even after the run has finished."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"run": "streams/nightly-import", "lines": [{"message": "Page 3 of 40"}]}]}
    )
    run: RunPath = Field(description="Path of the run.")
    lines: list[LogLine] = Field(min_length=1, max_length=MAX_LINES, description="At most 500 lines.")


class HeartbeatReport(Body):
    """Heartbeats of runs; every other write to a run counts as a heartbeat too."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"runs": ["streams/nightly-import"], "interval": 15}]})
    runs: list[RunPath] = Field(min_length=1, max_length=MAX_RUNS, description="Paths of the runs, at most 500.")
    interval: Annotated[float, Field(strict=True, ge=1, le=86_400)] | None = Field(
        None,
        description="Seconds until the next heartbeat, 15 by default. An active run that sends no heartbeat for three "
        "intervals shows as unreachable until its next report.",
    )
    reporter: Reporter | None = None


class BatchOperation(Body):
    """One request within a batch."""

    method: Literal["PUT", "POST", "DELETE"] = Field(examples=["PUT"])
    path: Annotated[str, Field(max_length=200)] = Field(
        description="Path relative to /api/v1.", examples=["/streams/nightly-import"]
    )
    body: Any = Field(None, description="Body of the single request.", examples=[{"advance": 1}])
    idempotency_key: Annotated[str, Field(min_length=1, max_length=200)] | None = Field(
        None, description="Value of the header `Idempotency-Key` of the single request."
    )
    age: Annotated[float, Field(strict=True, ge=0)] | None = Field(
        None,
        description="Seconds since the report was made, for reports that waited; at most 7 days count. It dates what "
        "the report changes: creation, start, end, progress.",
    )
    made_at: AwareDatetime | None = Field(
        None, description="Time by the program's clock when it was made; corrects the times of log lines."
    )


class Batch(Body):
    """Requests that are applied in order, in one transaction; a failed one does not affect the others."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "operations": [
                        {"method": "PUT", "path": "/streams/nightly-import", "body": {"advance": 1}},
                        {"method": "POST", "path": "/streams/nightly-import/finish", "body": {}},
                    ]
                }
            ]
        }
    )
    operations: list[Annotated[Any, WithJsonSchema(BatchOperation.model_json_schema())]] = Field(
        min_length=1,
        max_length=MAX_OPERATIONS,
        description="At most 500. Only invalid operations are rejected.",
    )

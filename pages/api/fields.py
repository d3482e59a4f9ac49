"""Types of the fields of the ingest API's request models, with their limits."""

import json
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, PlainValidator, ValidationInfo, WithJsonSchema

from services.entities import MAX_AMOUNT
from services.entities.base.progress import plain_amount
from services.text import is_blank

MAX_BARS = 50
MAX_LINES = 500
MAX_OPERATIONS = 500
MAX_RUNS = 500
MAX_JSON_CHARACTERS = 16_000
MAX_TAGS = 20
MAX_TAG_CHARACTERS = 40
MAX_JOB_SLUG_CHARACTERS = 120
MAX_SLUG_CHARACTERS = 185
# At least one character that is not a dot: clients resolve "." and ".." in a path.
SLUG = r"^\.{0,119}[A-Za-z0-9_:-][A-Za-z0-9._:-]{0,119}(@[A-Za-z0-9._:-]{1,64})?$"
RUN = rf"^(streams|scans|agents)/{SLUG[1:]}"
MAX_ATTEMPTS = 1000
MAX_LOG_AGE = timedelta(days=366)
MAX_LOG_LEAD = timedelta(days=1)
"""How far the time of a log line may be ahead: a clock may be wrong, or set to another zone."""


def check_not_blank(value: str) -> str:
    if is_blank(value):
        raise ValueError("it must not be blank")
    return value


def check_job_slug(value: str) -> str:
    """Check the part of a slug that names the job."""
    if len(value.partition("@")[0]) > MAX_JOB_SLUG_CHARACTERS:
        raise ValueError(f"it has more than {MAX_JOB_SLUG_CHARACTERS} characters before the @")
    return value


def _check_size(value: dict[str, Any]) -> dict[str, Any]:
    size = len(json.dumps(value, separators=(",", ":")))
    if size > MAX_JSON_CHARACTERS:
        raise ValueError(f"it has {size:,} characters as JSON; the maximum is {MAX_JSON_CHARACTERS:,}")
    return value


def check_log_time(value: datetime, info: ValidationInfo) -> datetime:
    """Check the time of a log line; the context may be the error of the clock by which it was taken."""
    now = datetime.now(UTC)
    try:
        corrected = value + (info.context or timedelta())
    except OverflowError:
        corrected = datetime.min.replace(tzinfo=UTC)
    if not now - MAX_LOG_AGE <= corrected <= now + MAX_LOG_LEAD:
        raise ValueError("it must be within the last 366 days, or omitted")
    return value


def _check_unit(value: str) -> str:
    return value if value == "" else check_not_blank(value)


def _integral(value: Any) -> Any:
    """Accept 10.0 for 10, as programs without integers write it."""
    return plain_amount(value) if isinstance(value, float) else value


def _amount(value: Any) -> float:
    # Compared as it was given: as a double, 2**53 + 1 would be 2**53.
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("it must be a number")
    if not 0 <= value <= MAX_AMOUNT:
        raise ValueError(f"it must be between 0 and {MAX_AMOUNT:,}")
    return plain_amount(value)


Slug = Annotated[
    str,
    Field(pattern=SLUG, max_length=MAX_SLUG_CHARACTERS, examples=["nightly-import"]),
    AfterValidator(check_job_slug),
]
RunPath = Annotated[str, Field(pattern=RUN, examples=["streams/nightly-import"])]
Name = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(check_not_blank)]
Count = Annotated[int, BeforeValidator(_integral), Field(strict=True, ge=0, le=MAX_AMOUNT)]
Amount = Annotated[
    float, PlainValidator(_amount), WithJsonSchema({"type": "number", "minimum": 0, "maximum": MAX_AMOUNT})
]
Percent = Annotated[float, Field(strict=True, ge=0, le=100)]
Unit = Annotated[str, Field(max_length=20), AfterValidator(_check_unit)]
Reporter = Annotated[
    str,
    Field(
        min_length=1,
        max_length=64,
        description="Id of the process, where several report one run: the run ends when its last process finishes it.",
    ),
]
Program = Annotated[
    str,
    Field(
        min_length=1,
        max_length=64,
        description="Id of the process that starts the stream; lists fold those of one process that are over.",
    ),
]
Attempt = Annotated[
    int,
    BeforeValidator(_integral),
    Field(
        strict=True,
        ge=1,
        le=MAX_ATTEMPTS,
        description="Number of the try, from 1. A later one continues the run, also after its end, and counts anew.",
    ),
]
Begins = Annotated[
    bool,
    Field(
        strict=True,
        description="False for a report that only continues a run: after its end it is rejected, where another would "
        "begin the next run of the job.",
    ),
]
Text = Annotated[str, Field(max_length=4000)]
Error = Annotated[str, Field(max_length=8000, description="Cause of the failure.")]
JsonObject = Annotated[dict[str, Any], AfterValidator(_check_size)]
Tags = Annotated[
    list[Annotated[str, Field(min_length=1, max_length=MAX_TAG_CHARACTERS), AfterValidator(check_not_blank)]],
    Field(
        max_length=MAX_TAGS,
        description="Tags of 1 to 40 characters, added to those that the run has; a run has at most 20.",
        examples=[["nightly", "eu"]],
    ),
]
Environment = Annotated[
    JsonObject,
    Field(
        description="What the run runs in, as a JSON object of at most 16,000 characters; the latest counts. The page "
        "shows `host`, `user`, `command`, `python`, `platform`, `git` (`commit`, `branch`, `is_dirty`, `remote`), "
        "`container` and `packages` (name to version).",
        examples=[{"host": "w3", "python": "3.12.4", "git": {"commit": "3f2a9c0", "branch": "main"}}],
    ),
]
Recipients = Annotated[
    list[Annotated[str, Field(max_length=320)]],
    Field(min_length=1, max_length=200, description="E-mail addresses of members; all members by default."),
]

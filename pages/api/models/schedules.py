"""Request model of when the runs of a job are expected."""

from typing import Annotated, Any

from pydantic import ConfigDict, Field, model_serializer, model_validator

from pages.api.models.bodies import Body
from services.errors import NotAccepted
from services.schedules.plan import MAX_CRON_CHARACTERS, Plan


class ScheduleReport(Body):
    """When the runs of a job are expected. One that a person wrote is not changed by reports."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"expect": "0 2 * * 1-5", "zone": "Europe/Berlin", "grace": "30m", "max": "2h"}]
        }
    )
    expect: Annotated[str, Field(min_length=1, max_length=MAX_CRON_CHARACTERS)] = Field(
        description="Cron line of five fields, or an interval such as `15m`.", examples=["0 2 * * 1-5"]
    )
    zone: Annotated[str, Field(max_length=60)] | None = Field(
        None, description="IANA name of the time zone; UTC by default.", examples=["Europe/Berlin"]
    )
    grace: Annotated[str, Field(max_length=40)] | None = Field(
        None, description="Time after which a run that is due is late; 10m by default, at most the interval."
    )
    max: Annotated[str, Field(max_length=40)] | None = Field(
        None, description="Longest time that a run may take; any by default."
    )

    @property
    def plan(self) -> Plan:
        """The plan that it says."""
        return Plan.parse(self.__dict__)

    @model_validator(mode="after")
    def _is_a_plan(self) -> "ScheduleReport":
        try:
            Plan.parse(self.__dict__)
        except NotAccepted as error:
            raise ValueError(str(error).rstrip(".")) from error
        return self

    @model_serializer
    def _as_plan(self) -> dict[str, Any]:
        return self.plan.as_json

"""Request models of alerts and notifications."""

from typing import Annotated

from pydantic import AfterValidator, ConfigDict, Field, model_validator

from pages.api.fields import JsonObject, Name, Recipients, Slug, Text, check_not_blank
from pages.api.models.bodies import Body
from services.entities import NotificationType, Priority
from services.entities.alerts import priority_of


class AlertReport(Body):
    """A detected signal; each recipient gets an alert of their own."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"target_name": "requests 2.0", "signal_type": "unusually_large", "signal_strength": 80}]
        }
    )
    target_name: Name = Field(description="Subject of the alert.", examples=["requests 2.0"])
    signal_type: Annotated[str, Field(min_length=1, max_length=80), AfterValidator(check_not_blank)] = Field(
        description="Kind of signal that was detected.", examples=["unusually_large"]
    )
    signal_strength: Annotated[int, Field(strict=True, ge=0, le=100)] = Field(
        description="Strength from 0 to 100: urgent from 90, high from 75, medium from 50."
    )
    priority: Priority | None = Field(None, description="Derived from `signal_strength`; if given, it must match.")
    company_name: Annotated[str, Field(max_length=200)] | None = Field(
        None, description="Company that the target belongs to."
    )
    stream: Slug | None = Field(None, description="Slug of the stream in which the signal was detected.")
    metadata: JsonObject | None = Field(None, description="Further data, stored unchanged.")
    to: Recipients | None = None

    @model_validator(mode="after")
    def _fits(self) -> "AlertReport":
        if self.priority is not None and self.priority != (fits := priority_of(self.signal_strength)):
            raise ValueError(
                f"priority: {self.priority.value!r} does not match a signal_strength of {self.signal_strength}, which "
                f"is {fits.value!r}; omit it"
            )
        return self


class NotificationReport(Body):
    """A message; each recipient gets a notification of their own."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"title": "The import has ended", "type": "success"}]})
    title: Name = Field(description="One line.", examples=["The import has ended"])
    message: Text | None = Field(None, description="Text below the title.")
    type: NotificationType | None = Field(None, description="Kind of notification; `info` by default.")
    action_url: Annotated[str, Field(max_length=2000, pattern=r"^(/|https?://)")] | None = Field(
        None, description="Link of the title: a path of Livewatch or an http(s) URL."
    )
    to: Recipients | None = None

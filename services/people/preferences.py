"""Preferences of a user, as stored in the profile."""

from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, ValidatorFunctionWrapHandler, field_validator
from pydantic_core.core_schema import ValidationInfo

ThemeName = Literal["auto", "light", "dark"]
Density = Literal["comfortable", "compact"]


class Preferences(BaseModel):
    """Appearance and notification preferences; the theme `auto` follows the operating system.

    `online` says whether others see that the person is online, what they look at and that they are typing; the database
    reads it, too. `quiet` are the hours in which devices do not ring, such as 22:00-07:00, in the zone `quiet_zone`.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    theme: ThemeName = "auto"
    density: Density = "comfortable"
    toasts: bool = True
    sound: bool = False
    shortcuts: bool = True
    online: bool = True
    quiet: str = ""
    quiet_zone: str = ""

    @classmethod
    def read(cls, stored: object) -> Self:
        """Parse stored preferences: unknown names are ignored, and each invalid value becomes its default."""
        return cls.model_validate(stored) if isinstance(stored, Mapping) else cls()

    @field_validator("*", mode="wrap")
    @classmethod
    def _tolerate(cls, value: Any, handler: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:
        try:
            return handler(value)
        except ValueError:
            return cls.model_fields[info.field_name or ""].default

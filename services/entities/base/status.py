"""Statuses: enums whose members carry their colour, icon and label."""

from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Literal, Self, TypedDict

Tone = Literal["neutral", "active", "positive", "caution", "critical"]


@dataclass(frozen=True, slots=True)
class StatusStyle:
    """How a status is shown.

    `tone` names the colour tokens `--lw-<tone>`, `-text` and `-soft`; `icon` is a Material icon; `pulse` marks work
    that is going on.
    """

    tone: Tone
    icon: str
    label: str
    pulse: bool = False


class StatusStyleJson(TypedDict):
    """A `StatusStyle` as a prop of a browser element; not to be changed."""

    tone: Tone
    icon: str
    label: str
    pulse: bool


class StyledStatus(StrEnum):
    """Base of the status enums: each member is declared with its value, tone, icon and label.

    The values equal the CHECK of the table's column. A member without a style cannot be declared.
    """

    style: StatusStyle

    def __new__(cls, value: str, tone: Tone, icon: str, label: str, pulse: bool = False) -> Self:
        member = str.__new__(cls, value)
        member._value_ = value
        member.style = StatusStyle(tone, icon, label, pulse)
        return member

    @classmethod
    @cache
    def styles(cls) -> dict[str, StatusStyleJson]:
        """The styles of all members by value, as a prop of a browser element; not to be changed."""
        return {
            status.value: StatusStyleJson(
                tone=status.style.tone, icon=status.style.icon, label=status.style.label, pulse=status.style.pulse
            )
            for status in cls
        }

"""Every status has its own style, with legible colours."""

import re
from pathlib import Path

import pytest
from sqlalchemy import Enum
from sqlmodel import SQLModel

from services.entities import ENTITIES, LIVE_TABLES, ConnectionStatus, MessageKind, StyledStatus, Subject, Topical
from services.entities.activities import IncidentStatus
from services.rules.rule import RuleEvent

THEME = (Path(__file__).parents[3] / "components" / "shell" / "theme" / "theme.css").read_text(encoding="utf-8")
STATUS_ENUMS = StyledStatus.__subclasses__()
TONES = sorted({status.style.tone for kind in STATUS_ENUMS for status in kind})
AA_TEXT = 4.5
AA_GRAPHIC = 3.0


def test_every_status_enum_of_the_models_carries_styles() -> None:
    columns = [column for each in LIVE_TABLES for column in SQLModel.metadata.tables[each.table].columns]
    enums = {column.type.enum_class for column in columns if isinstance(column.type, Enum)}
    styled = (enums - {Subject, Topical, MessageKind}) | {entity.statuses for entity in ENTITIES}
    assert styled == set(STATUS_ENUMS) - {ConnectionStatus, IncidentStatus, RuleEvent}
    assert len(STATUS_ENUMS) >= 7


def test_a_member_without_a_style_cannot_be_declared() -> None:
    with pytest.raises(TypeError):
        StyledStatus("Incomplete", {"WORKING": "working"})  # type: ignore[arg-type, call-arg]


@pytest.mark.parametrize("kind", STATUS_ENUMS)
def test_every_member_has_a_colour_an_icon_and_a_label_of_its_own(kind: type[StyledStatus]) -> None:
    styles = [status.style for status in kind]
    assert all(each.tone and each.icon for each in styles)
    assert len({each.label for each in styles}) == len(kind)
    assert len({each.icon for each in styles}) == len(kind)


@pytest.mark.parametrize("kind", STATUS_ENUMS)
def test_the_browser_gets_every_member_by_its_database_value(kind: type[StyledStatus]) -> None:
    assert set(kind.styles()) == {status.value for status in kind}


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("tone", TONES)
def test_status_colours_are_legible(tone: str, theme: str) -> None:
    colours = tokens(theme)
    text = colours[f"--lw-{tone}-text"]
    assert contrast(text, colours[f"--lw-{tone}-soft"]) >= AA_TEXT
    assert contrast(text, colours["--lw-surface"]) >= AA_TEXT
    assert contrast(colours[f"--lw-{tone}"], colours["--lw-surface"]) >= AA_GRAPHIC


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_and_buttons_are_legible(theme: str) -> None:
    colours = tokens(theme)
    for text in ("--lw-text", "--lw-text-2", "--lw-text-3", "--lw-accent"):
        for ground in ("--lw-page", "--lw-surface", "--lw-sunken", "--lw-hover"):
            assert contrast(colours[text], colours[ground]) >= AA_TEXT, (text, ground)
    assert contrast(colours["--lw-on-accent"], colours["--lw-accent"]) >= AA_TEXT
    assert contrast(colours["--lw-accent"], colours["--lw-accent-soft"]) >= AA_TEXT


def tokens(theme: str) -> dict[str, str]:
    """Return the colour tokens of a theme, read from the stylesheet."""
    light, dark = THEME.split("body.body--dark {", 1)
    found = dict(re.findall(r"(--lw-[\w-]+): (#[0-9a-f]{6});", light))
    if theme == "dark":
        found |= dict(re.findall(r"(--lw-[\w-]+): (#[0-9a-f]{6});", dark))
    return found


def contrast(one: str, other: str) -> float:
    """Return the contrast ratio of two colours, according to WCAG 2.2."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def luminance(colour: str) -> float:
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue

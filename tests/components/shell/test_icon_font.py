"""Icon font: the icons that the sources name, and no others."""

import io
import subprocess
import sys

import pytest
from fontTools.ttLib import TTFont

from components.shell.navigation import NAVIGATION
from components.shell.theme import icon_font
from components.shell.theme.icon_font import font_faces, named_words, subset
from components.shell.theme.icon_subset import icons_of
from services.entities import ENTITIES

MAX_BYTES = 16_000


def icons_in(font: bytes) -> set[str]:
    return set(icons_of(TTFont(io.BytesIO(font))))


def declared_icons() -> set[str]:
    """The icons that entities and the navigation declare as objects."""
    places = {place.icon for place in NAVIGATION} - {"activity"}
    empty = {entity.empty.icon for entity in ENTITIES}
    statuses = {style["icon"] for entity in ENTITIES for style in entity.statuses.styles().values()}
    options = {
        option.icon for entity in ENTITIES for facet in entity.listing.facets for option in facet.options if option.icon
    }
    return places | empty | statuses | options


def test_every_declared_icon_is_in_the_font_and_most_others_are_not() -> None:
    font = icon_font.icon_font()
    assert declared_icons() <= icons_in(font)
    assert {"search", "download", "close", "check", "unfold_more", "content_copy"} <= icons_in(font)
    assert "zoom_out_map" not in icons_in(font)
    assert len(font) < MAX_BYTES


def test_an_icon_that_the_sources_begin_to_name_is_in_the_font_under_another_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    more = named_words() | {"zoom_out_map"}
    before = icon_font.icon_font_name()
    monkeypatch.setattr(icon_font, "named_words", lambda: more)
    assert icon_font.icon_font_name.__wrapped__() != before
    assert "zoom_out_map" in icons_in(icon_font.icon_font.__wrapped__())


def test_words_that_are_no_icons_change_nothing() -> None:
    whole = icon_font._whole_font()
    assert icons_in(subset(whole, {"check", "no_such_icon", "x"})) == {"check"}


def test_pages_keep_their_icons_when_the_font_cannot_be_reduced(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> bytes:
        raise ValueError("another kind of font")

    monkeypatch.setattr(icon_font, "subset", broken)
    assert "check" in icons_in(icon_font.icon_font.__wrapped__())


def test_a_font_that_is_none_says_what_is_wrong_with_it() -> None:
    with pytest.raises(RuntimeError, match="Not a TrueType or OpenType font"):
        subset(b"no font at all", {"check"})


def test_the_app_does_not_keep_what_only_the_font_needs() -> None:
    """fontTools takes 15 MiB, for as long as a process runs."""
    lines = "import sys, pages.app\nfrom components.shell.theme.icon_font import icon_font\nicon_font()"
    check = f"{lines}\nprint([name for name in sys.modules if name.startswith('fontTools')])"
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, cwd=icon_font.ROOT, check=True)
    assert done.stdout.strip() == "[]"


def test_the_fonts_lie_beside_the_styles_so_that_a_prefix_keeps_them() -> None:
    faces = font_faces()
    assert 'url("/' not in faces
    assert icon_font.icon_font_name() in faces

"""Text from strangers: what is visible of it, what is blank, and what a search finds."""

import unicodedata

import pytest

from services.text import NAMELESS, folded, is_blank, shown_line, storable, visible, visible_name


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Nightly import", "Nightly import"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07name", "name"),
        ("a\x1bcb", "ab"),
        ("never ends\x1b[38;5", "never ends"),
        ("\x1bPq#0\x1b\\a\x9b31mb\x1b", "ab"),
        ("\x1b]8;;https://evil.example\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("a\u202egnp.exe", "agnp.exe"),
        ("\u2066a\u2069\u200eb\ufeff", "ab"),
        ("line\nnext\tcell", "line\nnext\tcell"),
        ("\x00\x07bell\x7f\x9b", "bell"),
        ("\u0645\u06cc\u200c\u0631\u0648\u0645", "\u0645\u06cc\u200c\u0631\u0648\u0645"),
        ("👩\u200d🔬", "👩\u200d🔬"),
        ("u\u0308ber", "über"),
        ("", ""),
    ],
)
def test_control_and_format_characters_are_not_shown(text: str, shown: str) -> None:
    assert visible(text) == unicodedata.normalize("NFC", shown)


@pytest.mark.parametrize(
    "blank",
    ["", " ", "\u200b\u200b", "\u2800\u2800", "\u3164", "\u202e\u2066", "\u00a0\u3000\u2028", "\x1b[0m", "\u200d"],
)
def test_a_name_without_a_visible_character_is_blank(blank: str) -> None:
    assert is_blank(blank)
    assert visible_name(blank) == NAMELESS


@pytest.mark.parametrize("name", ["a", ".", "\u200bx", "日本", "🚀", "-", "\u0627"])
def test_a_name_with_a_visible_character_is_not(name: str) -> None:
    assert not is_blank(name)
    assert visible_name(name) == visible(name)


@pytest.mark.parametrize(
    ("name", "search"),
    [
        ("Über-Straße", "uber-strasse"),
        (unicodedata.normalize("NFD", "Café"), unicodedata.normalize("NFC", "café")),
        ("Cafe", "CAFÉ"),
        ("ﬁle", "FILE"),
        ("a\u200bb", "ab"),
        ("ΟΔΟΣ", "οδος"),
    ],
)
def test_a_search_ignores_case_accents_and_composition(name: str, search: str) -> None:
    assert folded(name) == folded(search)


def test_a_storable_text_has_no_nul_and_no_half_of_a_character() -> None:
    assert storable("a\0b") == "ab"
    assert storable("\ud83d!") == "\ufffd!"
    assert storable("\U0001f600 \u202e") == "\U0001f600 \u202e"


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("10 %\r50 %\r100 %", "100 %"),
        ("50 %\r", "50 %"),
        ("50 %\r\x1b[K", "50 %"),
        ("one\r\ntwo\rthree", "one\nthree"),
        ("\x1b[31mred\x1b[2J", "red"),
        ("", ""),
    ],
)
def test_a_line_that_is_drawn_over_shows_its_last_state(line: str, shown: str) -> None:
    assert shown_line(line) == shown

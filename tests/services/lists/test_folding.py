"""Folding: the database and Python make the same of every character."""

import unicodedata

import pytest

from services.text import folded
from tests.world import World

pytestmark = pytest.mark.integration
LAST = 0x10FFFF
SURROGATES = range(0xD800, 0xE000)


async def test_every_character_is_folded_alike(world: World) -> None:
    """Characters of a Unicode that one of them does not know yet are left out."""
    rows = await world.sql(
        "select n, private.folded('a' || chr(n) || 'b') from generate_series(1, %s) as n where n not between %s and %s",
        LAST, SURROGATES[0], SURROGATES[-1],
    )  # fmt: skip
    different = [
        f"U+{number:04X}"
        for number, text in rows
        if unicodedata.category(chr(number)) != "Cn" and folded(f"a{chr(number)}b") != text
    ]
    assert len(rows) == LAST - len(SURROGATES)
    assert different == []


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("Nightly IMPORT", "nightly import"),
        ("\u001b[1;31mNightly\u001b[0m\u001b]8;;https://example.org\u0007link\u001b]8;;\u0007", "nightlylink"),
        ("\N{MATHEMATICAL BOLD CAPITAL A} ﬁ Ⅳ ½", "a fi iv 1\N{FRACTION SLASH}2"),
        ("ΛΌΓΟΣ λόγος", "λογο\N{GREEK SMALL LETTER SIGMA} λογο\N{GREEK SMALL LETTER SIGMA}"),
        ("e\u0301 é", "e e"),
        ("a\u0001b", "ab"),
        ("GROSS groß ẞ", "gross gross ss"),
    ],
)
async def test_texts_are_compared_without_what_readers_do_not_see(world: World, given: str, wanted: str) -> None:
    assert folded(given) == wanted
    assert await world.sql("select private.folded(%s)", given) == [(wanted,)]

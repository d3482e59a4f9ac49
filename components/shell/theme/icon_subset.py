"""Reduces an icon font to some icons: `python -m components.shell.theme.icon_subset NAME ... < whole > reduced`."""

import io
import sys
from collections.abc import Iterable
from typing import Any

from fontTools.subset import Options, Subsetter
from fontTools.ttLib import TTFont

LIGATURES = 4
EXTENSION = 7


def subset(whole: bytes, words: Iterable[str]) -> bytes:
    """Return the font with only those icons whose names are among the words."""
    font = TTFont(io.BytesIO(whole))
    icons = icons_of(font)
    names = sorted(icons.keys() & set(words))
    # By its name's letters every icon could be reached; hence exactly these glyphs, and no closure over the ligatures.
    options = Options(layout_closure=False, layout_features=["*"], hinting=False, flavor="woff2", notdef_outline=True)
    subsetter = Subsetter(options)
    subsetter.populate(glyphs=[icons[name] for name in names], unicodes={ord(each) for name in names for each in name})
    subsetter.subset(font)
    font.flavor = "woff2"
    file = io.BytesIO()
    font.save(file)
    return file.getvalue()


def icons_of(font: TTFont) -> dict[str, str]:
    """Return the glyphs of a font's icons by name; a name is the ligature of its letters."""
    letters = {glyph: chr(code) for code, glyph in font.getBestCmap().items()}
    icons = {}
    for table in _ligature_tables(font):
        for first, ligatures in table.ligatures.items():
            for ligature in ligatures:
                spelled = [letters.get(glyph, "") for glyph in (first, *ligature.Component)]
                if all(spelled):
                    icons["".join(spelled)] = ligature.LigGlyph
    return icons


def _ligature_tables(font: TTFont) -> Iterable[Any]:
    for lookup in font["GSUB"].table.LookupList.Lookup:
        for table in lookup.SubTable:
            inner = table.ExtSubTable if table.LookupType == EXTENSION else table
            if inner.LookupType == LIGATURES:
                yield inner


if __name__ == "__main__":
    sys.stdout.buffer.write(subset(sys.stdin.buffer.read(), sys.argv[1:]))

"""Icon font of all pages: the icons that the sources name, out of the font that NiceGUI brings."""

import hashlib
import io
import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

import nicegui
import structlog
from fontTools.subset import Options, Subsetter
from fontTools.ttLib import TTFont

logger = structlog.get_logger(__name__)

ROOT = Path(__file__).parents[3]
NAMING = ("components", "pages", "services")
"""Folders whose sources name icons."""
STATIC = Path(nicegui.__file__).parent / "static"
FAMILY = "Material Icons Outlined"
OF_QUASAR = "Material Icons"
"""Family of the icons that Quasar's own components show, such as the arrow of a select."""
FACE = """
@font-face {{
  font-display: block;
  font-family: "{family}";
  font-style: normal;
  font-weight: 400;
  src: url("{source}") format("woff2");
}}
"""
QUOTED = re.compile(r"""(?<=["'`>])[a-z][a-z0-9_]+(?=["'`<])""")
"""Words that may be the name of an icon: those between quotes or tags."""
LIGATURES = 4
EXTENSION = 7


def font_faces() -> str:
    """Return the style sheet's fonts: the named icons, and Quasar's, which browsers load only where one is shown."""
    quasar = f"../_nicegui/{nicegui.__version__}/static/{_file_of(OF_QUASAR)}"
    return FACE.format(family=FAMILY, source=icon_font_name()) + FACE.format(family=OF_QUASAR, source=quasar)


@cache
def icon_font_name() -> str:
    """Return the file name of the font, which contains a hash of what it is made of."""
    digest = hashlib.sha256(_whole_font())
    digest.update(" ".join(sorted(named_words())).encode())
    return f"icons-{digest.hexdigest()[:16]}.woff2"


@cache
def icon_font() -> bytes:
    """Return the font with the named icons, made at the first call in about 0.1 s; the whole font if that fails."""
    try:
        return subset(_whole_font(), named_words())
    except Exception:
        # Whatever is new about a later NiceGUI's font, pages keep their icons.
        logger.exception("the icon font could not be reduced")
        return _whole_font()


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


@cache
def named_words() -> frozenset[str]:
    """Return all words of the sources that may name an icon."""
    sources = (path for folder in NAMING for path in (ROOT / folder).rglob("*") if path.suffix in (".py", ".js"))
    return frozenset(word for path in sources for word in QUOTED.findall(path.read_text(encoding="utf-8")))


def _ligature_tables(font: TTFont) -> Iterable[Any]:
    for lookup in font["GSUB"].table.LookupList.Lookup:
        for table in lookup.SubTable:
            inner = table.ExtSubTable if table.LookupType == EXTENSION else table
            if inner.LookupType == LIGATURES:
                yield inner


@cache
def _whole_font() -> bytes:
    return (STATIC / _file_of(FAMILY)).read_bytes()


def _file_of(family: str) -> str:
    """The file of a family, which NiceGUI's own style sheet names."""
    sheet = (STATIC / "fonts.css").read_text(encoding="utf-8")
    found = re.search(rf'font-family:\s*"{family}";[^}}]*?url\(["\']?([^"\')]+)', sheet, re.DOTALL)
    if found is None:
        raise RuntimeError(f"NiceGUI's fonts.css has no font {family}")
    return found[1]

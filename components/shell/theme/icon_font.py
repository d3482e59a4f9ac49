"""Icon font of all pages: the icons that the sources name, out of the font that NiceGUI brings."""

import hashlib
import re
import subprocess
import sys
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import nicegui
import structlog

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
SUBSET_SECONDS = 30.0
"""Timeout of reducing the font, which takes half a second on an idle machine."""


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
    """Return the font with the named icons, made at the first call in about 0.5 s; the whole font if that fails."""
    try:
        return subset(_whole_font(), named_words())
    except Exception:
        # Whatever is new about a later NiceGUI's font, pages keep their icons.
        logger.exception("the icon font could not be reduced")
        return _whole_font()


def subset(whole: bytes, words: Iterable[str]) -> bytes:
    """Return the font with only those icons whose names are among the words.

    A process of its own does it: fontTools would take 15 MiB of this one for as long as it runs.
    """
    module = "components.shell.theme.icon_subset"
    command = [sys.executable, "-m", module, *sorted(words)]
    done = subprocess.run(command, input=whole, capture_output=True, cwd=ROOT, timeout=SUBSET_SECONDS, check=False)
    if done.returncode:
        raise RuntimeError(f"{module} ended with {done.returncode}: {done.stderr.decode(errors='replace')[-500:]}")
    return done.stdout


@cache
def named_words() -> frozenset[str]:
    """Return all words of the sources that may name an icon."""
    sources = (path for folder in NAMING for path in (ROOT / folder).rglob("*") if path.suffix in (".py", ".js"))
    return frozenset(word for path in sources for word in QUOTED.findall(path.read_text(encoding="utf-8")))


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

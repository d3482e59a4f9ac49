"""Text from strangers: what a reader can see of it, and how it is searched.

Categories are Unicode's, https://www.unicode.org/reports/tr44/#General_Category_Values.
"""

import re
import unicodedata
from uuid import UUID

NAMELESS = "(no visible name)"
"""Shown in place of a name without a visible character."""
JOINERS = "\u200c\u200d"
"""Zero-width format characters that words of some scripts and emoji need."""
LAYOUT = "\n\t"
BLANKS = frozenset("\u034f\u115f\u1160\u2800\u3164\uffa0")
"""Characters that count as letters, marks or symbols, and show nothing."""
ESCAPE_SEQUENCES = re.compile(
    r"(?:\u001b\[|\u009b)[0-?]*[ -/]*[@-~]?"
    r"|(?:\u001b[\]PX^_]|[\u0090\u0098\u009d-\u009f])[^\u0007\u001b\u009c]*(?:\u0007|\u001b\\|\u009c)?"
    r"|\u001b[ -/]*[0-~]?"
)
"""Terminal sequences of ECMA-48: control sequences, strings such as titles and links, and short ones, also unfinished.

PostgreSQL and browsers read the pattern alike.
"""


def visible(text: str) -> str:
    """Return a text without terminal sequences, control and format characters, in Unicode's composed form (NFC).

    Newlines, tabs and joiners stay. Format characters include those that reorder the text around them.
    """
    if text.isascii() and text.isprintable():
        return text
    text = unicodedata.normalize("NFC", ESCAPE_SEQUENCES.sub("", text))
    return "".join(
        each
        for each in text
        if each in LAYOUT or each in JOINERS or unicodedata.category(each) not in ("Cc", "Cf", "Cs")
    )


def shown_line(text: str) -> str:
    """Return a line of a log as `visible` text; of a line that was drawn over and over, its last state."""
    lines = ESCAPE_SEQUENCES.sub("", text).split("\n")
    return visible("\n".join(next((part for part in reversed(line.split("\r")) if part.strip()), "") for line in lines))


def one_line(text: str) -> str:
    """Return a text as one line that shows nothing hidden."""
    return " ".join(visible(text).split())


def visible_name(text: str) -> str:
    """Return the visible part of a name, and `NAMELESS` for a name that shows nothing."""
    return NAMELESS if is_blank(text) else visible(text)


def storable(text: str) -> str:
    """Return a text that PostgreSQL stores: without NUL, and with U+FFFD for halves of characters, as of cut emoji."""
    return text.replace("\0", "").encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def is_blank(text: str) -> bool:
    """Whether a reader sees nothing of a text."""
    return not any(
        unicodedata.category(each) not in ("Cc", "Cf", "Cs", "Cn", "Zs", "Zl", "Zp") and each not in BLANKS
        for each in visible(text)
        if each not in JOINERS
    )


def uuid_of(text: object) -> UUID | None:
    """Return the UUID that a text is; None if it is none."""
    try:
        return UUID(str(text))
    except ValueError:
        return None


def folded(text: str) -> str:
    """Return a text for comparison: without case, accents, and differences in how characters are composed.

    The database's `private.folded` returns the same.
    """
    if text.isascii() and text.isprintable():
        return text.lower()
    decomposed = unicodedata.normalize("NFKD", visible(text))
    lowered = "".join(each for each in decomposed if not unicodedata.combining(each)).lower()
    final, sigma = "\N{GREEK SMALL LETTER FINAL SIGMA}", "\N{GREEK SMALL LETTER SIGMA}"
    return lowered.replace("ß", "ss").replace(final, sigma)

"""Texts and changes for the tests of notes, as hypothesis draws them."""

from typing import Any

from hypothesis import strategies as st

from services.notes.changes import ChangeSet, DocumentText, parse_changes

ALPHABET = "ab\n \u00e4\u202e\u05d0\u0301\U0001f680\U0001f469\u200d\U0001f4bb"
texts = st.text(alphabet=ALPHABET, max_size=12)


def replacement(text: str, start: int, end: int, insert: str) -> list[Any]:
    """Return the JSON of one replacement; positions are indexes of Python."""
    before, gone, after = (len(DocumentText(each)) for each in (text[:start], text[start:end], text[end:]))
    changed: list[Any] = [gone, *insert.split("\n")] if insert else [gone]
    return [*([before] if before else []), changed, *([after] if after else [])]


@st.composite
def raw_changes(draw: st.DrawFn, text: str) -> list[Any] | None:
    """Draw a change of a text with up to three replacements; None for one that changes nothing."""
    parts: list[Any] = []
    at = 0
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(at, len(text)))
        end = draw(st.integers(start, len(text)))
        insert = draw(st.text(alphabet=ALPHABET, max_size=4))
        if (start, end, insert) == (start, start, "") or (parts and start == at):
            continue
        if start > at:
            parts.append(len(DocumentText(text[at:start])))
        gone = len(DocumentText(text[start:end]))
        parts.append([gone, *insert.split("\n")] if insert else [gone])
        at = end
    if at < len(text):
        parts.append(len(DocumentText(text[at:])))
    return parts if any(isinstance(part, list) for part in parts) else None


@st.composite
def changes(draw: st.DrawFn, text: str) -> ChangeSet:
    """Draw a change of a text."""
    raw = draw(raw_changes(text))
    return parse_changes(raw if raw is not None else replacement(text, 0, 0, "x"))

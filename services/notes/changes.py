"""Changes of a document in the form of CodeMirror's ChangeSet: validated, applied, and mapped over others' changes.

A change set is a list of sections of the whole document. Lengths and positions count UTF-16 units, as in JavaScript.
The mapping is that of https://github.com/codemirror/state/blob/main/src/change.ts, section by section: server and
browsers compute the same, to the last unit.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from services.errors import NotAccepted

MAX_LENGTH = 220_000
"""UTF-16 units of a document. Browsers stop at 200,000; the rest is for what several people type at the limit."""
MAX_SECTIONS = 10_000
"""Sections of one change set, whose mapping takes some 20 ms then."""
UNCHANGED = -1
"""Length of what replaces a section that is kept."""


class DocumentText:
    """The text of a document, immutable, as its UTF-16 code units."""

    __slots__ = ("_units",)

    def __init__(self, text: str = "") -> None:
        self._units = text.encode("utf-16-le")

    @classmethod
    def of_units(cls, units: bytes) -> "DocumentText":
        """Return the text of UTF-16 units in little-endian order."""
        text = cls()
        text._units = units
        return text

    def __len__(self) -> int:
        return len(self._units) // 2

    def __str__(self) -> str:
        return self._units.decode("utf-16-le")

    def between(self, start: int, end: int) -> bytes:
        """Return some of the units."""
        return self._units[2 * start : 2 * end]

    def splits_character(self, position: int) -> bool:
        """Whether a position is between the two halves of a surrogate pair."""
        return 0 < position < len(self) and 0xDC <= self._units[2 * position + 1] <= 0xDF


@dataclass(frozen=True, slots=True)
class ChangeSet:
    """One change of a document.

    `sections` are the lengths before and after of each part of the document, in order; `UNCHANGED` as the latter keeps
    the part. `inserted` has the texts that replace parts, by index of the section; it may be shorter.
    """

    sections: tuple[tuple[int, int], ...]
    inserted: tuple[str, ...]

    @property
    def length(self) -> int:
        """Length of the document before the change."""
        return sum(length for length, _ in self.sections)

    @property
    def new_length(self) -> int:
        """Length of the document after the change."""
        return sum(length if after == UNCHANGED else after for length, after in self.sections)

    @property
    def is_empty(self) -> bool:
        """Whether the change keeps everything."""
        return all(after == UNCHANGED for _, after in self.sections)

    def text(self, index: int) -> str:
        """Return the text that replaces a section."""
        return self.inserted[index] if index < len(self.inserted) else ""

    def to_json(self) -> list[Any]:
        """Return the form of CodeMirror's `ChangeSet.toJSON`."""
        parts: list[Any] = []
        for index, (length, after) in enumerate(self.sections):
            if after == UNCHANGED:
                parts.append(length)
            else:
                parts.append([length, *self.text(index).split("\n")] if after else [length])
        return parts

    def apply(self, text: DocumentText) -> DocumentText:
        """Return the changed text.

        Raises:
            NotAccepted: The change is of another length, or it splits a character.
        """
        if self.length != len(text):
            raise NotAccepted(f"The change is of a text of {self.length:,} units; the notes have {len(text):,}.")
        parts: list[bytes] = []
        position = 0
        for index, (length, after) in enumerate(self.sections):
            end = position + length
            if after == UNCHANGED:
                parts.append(text.between(position, end))
            elif text.splits_character(position) or text.splits_character(end):
                raise NotAccepted("The change splits a character into halves.")
            else:
                parts.append(self.text(index).encode("utf-16-le"))
            position = end
        return DocumentText.of_units(b"".join(parts))

    def map(self, other: "ChangeSet", *, before: bool = False) -> "ChangeSet":
        """Return this change for the document after `other`; both are of the same document.

        Insertions at the same position: this one comes after the other's, or before it if `before`. For two changes,
        `a` then `b.map(a)` and `b` then `a.map(b, before=True)` give the same text.

        Raises:
            NotAccepted: The two are of documents of different lengths.
        """
        if self.length != other.length:
            raise NotAccepted("The change is of a text of another length.")
        return self if other.is_empty else _mapped(self, other, before)


def parse_changes(raw: object, *, is_stored: bool = False) -> ChangeSet:
    """Read a change set of a browser, or one of the database, which may be of more parts after it was rebased.

    It may keep everything: what it deletes may have been deleted by others first.

    Raises:
        NotAccepted: It is none, or too large, or it inserts what no text has.
    """
    if not isinstance(raw, list) or (len(raw) > MAX_SECTIONS and not is_stored):
        raise NotAccepted("That is no change of a text, or one of too many parts.")
    sections: list[tuple[int, int]] = []
    inserted: list[str] = []
    total = 0
    for part in raw:
        lines = part[1:] if isinstance(part, list) else ()
        length = part[0] if isinstance(part, list) and part else part
        if type(length) is not int or not 0 <= length <= MAX_LENGTH:
            raise NotAccepted("That is no change of a text: a part has no length.")
        after = UNCHANGED if not isinstance(part, list) else 0
        text = _joined(lines)
        if text:
            after = units_in(text)
        elif length == 0:
            raise NotAccepted("That is no change of a text: a part is empty.")
        total += max(after, length)
        if total > 2 * MAX_LENGTH:
            raise NotAccepted(f"Notes have at most {MAX_LENGTH:,} characters.")
        sections.append((length, after))
        inserted.append(text)
    return ChangeSet(tuple(sections), tuple(inserted))


def units_in(text: str) -> int:
    """Return the number of UTF-16 units of a text."""
    return len(text) if text.isascii() else len(text) + sum(1 for each in text if each > "\uffff")


def _joined(lines: Iterable[object]) -> str:
    """Return the text of lines; raises NotAccepted for what is no line."""
    texts = []
    for line in lines:
        if not isinstance(line, str) or len(line) > MAX_LENGTH:
            raise NotAccepted(f"That is no text, or one of more than {MAX_LENGTH:,} characters.")
        if "\n" in line or "\r" in line:
            raise NotAccepted("That is no change of a text: a line has a line break.")
        if "\0" in line or (not line.isascii() and any("\ud800" <= each <= "\udfff" for each in line)):
            raise NotAccepted("The text holds halves of characters, or characters that cannot be stored.")
        texts.append(line)
    return "\n".join(texts)


class _Sections:
    """Builds a change set; `addSection` and `addInsert` of CodeMirror."""

    def __init__(self) -> None:
        self._sections: list[tuple[int, int]] = []
        self._inserted: list[str] = []

    def add(self, length: int, after: int) -> None:
        if length == 0 and after <= 0:
            return
        last = self._sections[-1] if self._sections else None
        if last and after <= 0 and after == last[1]:
            self._sections[-1] = (last[0] + length, after)
        elif last and length == 0 and last[0] == 0:
            self._sections[-1] = (0, last[1] + after)
        else:
            self._sections.append((length, after))

    def insert(self, text: str) -> None:
        if not text:
            return
        index = len(self._sections) - 1
        if index < len(self._inserted):
            self._inserted[-1] += text
        else:
            self._inserted += [""] * (index - len(self._inserted))
            self._inserted.append(text)

    def build(self) -> ChangeSet:
        return ChangeSet(tuple(self._sections), tuple(self._inserted))


class _Cursor:
    """Walks over the sections of a change set; `SectionIter` of CodeMirror."""

    def __init__(self, changes: ChangeSet) -> None:
        self._changes = changes
        self.index = -1
        self.next()

    def next(self) -> None:
        self.index += 1
        self.is_done = self.index >= len(self._changes.sections)
        self.length, self.after = (0, -2) if self.is_done else self._changes.sections[self.index]
        self.offset = 0

    @property
    def text(self) -> str:
        return self._changes.text(self.index)

    def forward(self, length: int) -> None:
        if length == self.length:
            self.next()
        else:
            self.length -= length
            self.offset += length


def _mapped(mine: ChangeSet, other: ChangeSet, before: bool) -> ChangeSet:
    """`mapSet` of CodeMirror. `done` is the section of mine whose text has been inserted already."""
    built = _Sections()
    a, b = _Cursor(mine), _Cursor(other)
    done = -1
    while True:
        if a.after == UNCHANGED and b.after == UNCHANGED:
            piece = min(a.length, b.length)
            built.add(piece, UNCHANGED)
            a.forward(piece)
            b.forward(piece)
        elif b.after >= 0 and (
            a.after < 0
            or done == a.index
            or (a.offset == 0 and (b.length < a.length or (b.length == a.length and not before)))
        ):
            done = _skip_other(built, a, b, done)
        elif a.after >= 0:
            done = _take_mine(built, a, b, done)
        else:
            # Both are done: they are of the same length.
            return built.build()


def _skip_other(built: _Sections, a: _Cursor, b: _Cursor, done: int) -> int:
    """Skip a change of the other that comes first, and insert what mine has within it."""
    left = b.length
    built.add(b.after, UNCHANGED)
    while left:
        piece = min(a.length, left)
        if a.after >= 0 and done < a.index and a.length <= piece:
            built.add(0, a.after)
            built.insert(a.text)
            done = a.index
        a.forward(piece)
        left -= piece
    b.next()
    return done


def _take_mine(built: _Sections, a: _Cursor, b: _Cursor, done: int) -> int:
    """Take a change of mine up to the next replacement of the other."""
    length, left = 0, a.length
    while left:
        if b.after == UNCHANGED:
            piece = min(left, b.length)
            length += piece
            left -= piece
            b.forward(piece)
        elif b.after == 0 and b.length < left:
            left -= b.length
            b.next()
        else:
            break
    built.add(length, a.after if done < a.index else 0)
    if done < a.index:
        built.insert(a.text)
    done = a.index
    a.forward(a.length - left)
    return done

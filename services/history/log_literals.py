"""Literal texts of a search in logs: what a line must contain to match."""

import re
from collections.abc import Sequence

from services.history.log_filter import LogFilter

MAX_ALTERNATIVES = 10
_QUANTIFIER = re.compile(r"(?:\*|\+|\?|\{(\d+)(?:,\d*)?\})\??")
_CLASSES = frozenset("dswDSWmMyYAZ")
"""Escapes that stand for a kind of character or a place."""
_GROUP_BEGINS = re.compile(r"\((?:\?(?::|<?[=!]))?(?!\?)")
_MIN_LITERAL_CHARACTERS = 1


class _NotKnownError(Exception):
    """Raised at what this module does not read in an expression, so that nothing is concluded from it."""


def required_literals(filter: LogFilter) -> Sequence[Sequence[str]]:
    """Return alternatives, of which a line that matches has all texts of at least one, without regard to case.

    Empty if nothing is known to be required, as of most expressions that begin with options.
    """
    if not filter.is_regex:
        return [filter.terms] if filter.terms else []
    try:
        return _Expression(filter.query).alternatives()
    except _NotKnownError:
        return []


class _Expression:
    """Reads an advanced regular expression of PostgreSQL, its top level alone: what a group holds is not required.

    https://www.postgresql.org/docs/current/functions-matching.html#POSIX-SYNTAX-DETAILS
    """

    def __init__(self, expression: str) -> None:
        if expression.startswith("***") or re.match(r"\(\?[a-zA-Z]", expression):
            raise _NotKnownError
        self._text = expression
        self._place = 0

    def alternatives(self) -> list[list[str]]:
        found: list[list[str]] = [[]]
        literal = ""
        while self._place < len(self._text):
            letter = self._atom()
            is_repeated, may_be_absent = self._quantifier()
            if letter == "|":
                found[-1].append(literal)
                found.append([])
                literal = ""
            elif not letter or may_be_absent:
                found[-1].append(literal)
                literal = ""
            else:
                literal += letter
                if is_repeated:
                    found[-1].append(literal)
                    literal = ""
        found[-1].append(literal)
        found = [[each for each in texts if len(each) >= _MIN_LITERAL_CHARACTERS] for texts in found]
        return found if all(found) and len(found) <= MAX_ALTERNATIVES else []

    def _atom(self) -> str:
        """Read one atom; returns its character, `|` between alternatives, and nothing for any other one."""
        begin = self._text[self._place]
        self._place += 1
        if begin == "\\":
            return self._escape()
        if begin == "[":
            self._skip_bracket()
        elif begin == "(":
            self._place -= 1
            self._skip_group()
        elif begin in "*+?{":
            # Something else, or an error, where no quantifier may stand.
            raise _NotKnownError
        elif begin not in ".^$)":
            return begin
        return ""

    def _escape(self) -> str:
        letter = self._text[self._place : self._place + 1]
        self._place += 1
        if letter in _CLASSES and letter:
            return ""
        if not letter or letter.isalnum() or letter == "|":
            # A character by its number, a reference back; and the character that alternatives stand for here.
            raise _NotKnownError
        return letter

    def _quantifier(self) -> tuple[bool, bool]:
        """Read quantifiers; returns whether there was one, and whether it allows for none of the atom."""
        found = _QUANTIFIER.match(self._text, self._place)
        if found is None:
            return False, False
        self._place = found.end()
        return True, found[0][0] in "*?{"

    def _skip_bracket(self) -> None:
        """Skip what follows a `[`, to its end."""
        if self._text.startswith("^", self._place):
            self._place += 1
        if self._text.startswith("]", self._place):
            self._place += 1
        while (letter := self._next()) != "]":
            if letter == "\\":
                self._next()
            elif letter == "[" and (kind := self._text[self._place : self._place + 1]) in (":", ".", "="):
                end = self._text.find(f"{kind}]", self._place + 1)
                if end < 0:
                    raise _NotKnownError
                self._place = end + 2

    def _skip_group(self) -> None:
        """Skip a group, with those in it."""
        depth = 0
        while True:
            if begins := _GROUP_BEGINS.match(self._text, self._place):
                self._place = begins.end()
                depth += 1
            else:
                letter = self._next()
                if letter == "(":
                    raise _NotKnownError
                if letter == "\\":
                    self._next()
                elif letter == "[":
                    self._skip_bracket()
                elif letter == ")":
                    depth -= 1
                    if depth == 0:
                        return

    def _next(self) -> str:
        if self._place >= len(self._text):
            raise _NotKnownError
        self._place += 1
        return self._text[self._place - 1]

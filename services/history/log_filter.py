"""Filter of log lines: text or regular expression, level and range of time; from URL parameters to SQL."""

import shlex
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from psycopg import Error as PostgresError
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from services.errors import DatabaseTimeLimit, NotAccepted
from services.infra.claims import Claimant
from services.infra.database import Database
from services.period import time_of
from services.text import ESCAPE_SEQUENCES, storable

LEVELS = ("debug", "info", "warning", "error", "critical")
"""Levels of lines, the least first."""
MAX_QUERY_CHARACTERS = 500
MAX_TERMS = 20
SEARCH_SECONDS = 4.0
"""Time that PostgreSQL may spend on one search."""
PARAMETERS = ("q", "regex", "level", "from", "to")
"""Names of a filter's URL parameters."""

_HIDDEN = (
    f"{ESCAPE_SEQUENCES.pattern}"
    r"|[\u0001-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]"
)
"""What a page does not show of a line."""
_SHOWN = "case when message ~ :hidden then regexp_replace(message, :hidden, '', 'g') else message end"
_SET_TIMEOUT = text("select set_config('statement_timeout', :timeout, true)")
_INVALID_EXPRESSION = "2201B"
_LITERAL = "***="
"""Prefix by which PostgreSQL takes the rest of an expression as text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogFilter:
    """Which lines are wanted; a line must meet each condition.

    Args:
        query: Words, each of which a line must contain; words in double quotes are one. Or a regular expression, as
            PostgreSQL knows them. Case does not matter, nor do escape sequences.
        is_regex: Whether `query` is a regular expression.
        is_marking: Whether lines that do not match the query are wanted, too; those that do are marked.
        level: Least level.
        start: Earliest time.
        end: Time before which lines were written.
    """

    query: str = ""
    is_regex: bool = False
    is_marking: bool = False
    level: str = LEVELS[0]
    start: datetime | None = None
    end: datetime | None = None

    @classmethod
    def parse(cls, params: Mapping[str, Any], *, now: datetime | None = None) -> "LogFilter":
        """Read `q`, `regex`, `level`, `from` and `to`; the latter two are times, or a period before now such as `1h`.

        Raises:
            NotAccepted: The query is too long, or a time is none.
        """
        query = storable(str(params.get("q") or "")).strip()
        if len(query) > MAX_QUERY_CHARACTERS:
            raise NotAccepted(f"The search has {len(query):,} characters. Search for at most {MAX_QUERY_CHARACTERS}.")
        level = str(params.get("level") or "")
        now = now or datetime.now(UTC)
        return cls(
            query=query,
            is_regex=str(params.get("regex") or "") == "1",
            level=level if level in LEVELS else LEVELS[0],
            start=time_of(params.get("from"), now),
            end=time_of(params.get("to"), now),
        )

    @property
    def is_active(self) -> bool:
        """Whether it leaves out any line."""
        is_searched = bool(self.query) and not self.is_marking
        return is_searched or self.level != LEVELS[0] or self.start is not None or self.end is not None

    @property
    def terms(self) -> list[str]:
        """The texts that a line must contain; empty for a regular expression."""
        if self.is_regex or not self.query:
            return []
        lexer = shlex.shlex(self.query, posix=True)
        lexer.quotes, lexer.escape, lexer.commenters, lexer.whitespace_split = '"', "", "", True
        try:
            words = [word for word in lexer if word]
        except ValueError:
            # A quotation mark without its pair is text.
            words = self.query.split()
        return list(dict.fromkeys(words))[:MAX_TERMS]

    @property
    def expressions(self) -> list[str]:
        """Regular expressions of PostgreSQL that a line must match."""
        if self.is_regex:
            return [self.query] if self.query else []
        return [_LITERAL + term for term in self.terms]

    def conditions(self, values: dict[str, Any]) -> str:
        """Return what follows `where true` for level and time; adds the values."""
        parts = []
        if self.level != LEVELS[0]:
            # As literals, so that the planner sees which partial index holds them.
            parts.append(f"and level in ({', '.join(map(repr, LEVELS[LEVELS.index(self.level) :]))})")
        if self.start is not None:
            parts.append("and at >= :start")
            values["start"] = self.start
        if self.end is not None:
            parts.append("and at < :end")
            values["end"] = self.end
        return " ".join(parts)

    def search(self, values: dict[str, Any]) -> str:
        """Return what follows `where true` for the query; adds the values."""
        return f"and {self.match(values)}" if self.expressions and not self.is_marking else ""

    def match(self, values: dict[str, Any]) -> str:
        """Return the condition that a line matches the query; adds the values."""
        expressions = self.expressions
        if not expressions:
            return "true"
        values["hidden"] = _HIDDEN
        values.update({f"expression_{n}": each for n, each in enumerate(expressions)})
        return " and ".join(f"{_SHOWN} ~* :expression_{n}" for n in range(len(expressions)))

    def spans(self, values: dict[str, Any]) -> str:
        """Return an array of the first matches' starts and ends, in characters of what is shown; empty for a text."""
        if not self.is_regex or not self.query:
            return "array[]::integer[]"
        self.match(values)
        return (
            f"array(select unnest(array[regexp_instr({_SHOWN}, :expression_0, 1, n, 0, 'i') - 1,"
            f" regexp_instr({_SHOWN}, :expression_0, 1, n, 1, 'i') - 1])"
            f" from generate_series(1, least(4, regexp_count({_SHOWN}, :expression_0, 1, 'i'))) as n)"
        )


@asynccontextmanager
async def searching(
    database: Database, identity: Claimant, *, seconds: float = SEARCH_SECONDS
) -> AsyncIterator[AsyncConnection]:
    """Yield a connection in a transaction of the user whose statements may take `seconds` each.

    Raises:
        NotAccepted: The regular expression is not one; the message has PostgreSQL's reason.
        DatabaseTimeLimit: A statement took longer.
        DatabaseUnavailable: PostgreSQL did not respond.
    """
    try:
        async with database.as_user(identity) as session:
            connection = await session.connection()
            await connection.execute(_SET_TIMEOUT, {"timeout": f"{max(1, round(seconds * 1000))}ms"})
            yield connection
    except DatabaseTimeLimit as error:
        raise DatabaseTimeLimit(
            f"The search took longer than {SEARCH_SECONDS:.0f} s and was cancelled. Use a simpler expression, a higher "
            "level or a shorter range of time."
        ) from error
    except DBAPIError as error:
        if isinstance(error.orig, PostgresError) and error.orig.sqlstate == _INVALID_EXPRESSION:
            reason = str(error.orig.diag.message_primary).rpartition(": ")[2]
            raise NotAccepted(f"The regular expression is not valid: {reason}.") from error
        raise

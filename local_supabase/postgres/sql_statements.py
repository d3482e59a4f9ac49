"""Splits SQL text into statements, for the record that the Supabase CLI keeps of a migration."""

import re

# What may hide a semicolon: strings (also E'' with escapes), quoted identifiers, dollar quotes, comments.
_TOKEN = r"""
      (?P<comment> --[^\n]* )
    | (?P<block> /\* )
    | (?P<escaped> \b[eE]'(?:[^'\\]|\\.|'')*' )
    | (?P<string> '(?:[^']|'')*' )
    | (?P<identifier> "(?:[^"]|"")*" )
    | (?P<dollar> \$(?:[A-Za-z_\u0080-\uffff][\w\u0080-\uffff]*)?\$ )
    | (?P<begin> \bbegin\s+atomic\b )
    | (?P<end> ; )
"""
_ATOMIC = re.compile(r"\b(begin\s+atomic|case|end)\b", re.IGNORECASE)


def split(text: str) -> list[str]:
    """Return the statements of `text` in order, trimmed, without their semicolons; comments stay with what follows."""
    # Compiled here: it takes a while, and most starts have nothing to split.
    token = re.compile(_TOKEN, re.VERBOSE | re.DOTALL | re.IGNORECASE)
    statements: list[str] = []
    start = position = 0
    while match := token.search(text, position):
        position = match.end()
        if match["block"]:
            position = _end_of_block_comment(text, position)
        elif match["dollar"]:
            closing = text.find(match["dollar"], position)
            position = len(text) if closing < 0 else closing + len(match["dollar"])
        elif match["begin"]:
            position = _end_of_atomic(text, position)
        elif match["end"]:
            _add(statements, text[start : match.start()])
            start = position
    _add(statements, text[start:])
    return statements


def _add(statements: list[str], text: str) -> None:
    if trimmed := text.strip():
        statements.append(trimmed)


def _end_of_block_comment(text: str, position: int) -> int:
    depth = 1
    while depth and (match := re.compile(r"/\*|\*/").search(text, position)):
        depth += 1 if match[0] == "/*" else -1
        position = match.end()
    return len(text) if depth else position


def _end_of_atomic(text: str, position: int) -> int:
    depth = 1
    while depth and (match := _ATOMIC.search(text, position)):
        depth += -1 if match[0].lower() == "end" else 1
        position = match.end()
    return len(text) if depth else position

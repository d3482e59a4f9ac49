"""Secrets in command lines and URLs, which are replaced before anything is reported."""

import re
import shlex
from collections.abc import Sequence

MASK = "***"
_NAME = r"[\w.-]*(?:pass|pwd|token|secret|key|credential|auth|signature)[\w.-]*"
# `--token=x`, `API_KEY=x`: the rest of the argument is the value, with its spaces.
_ASSIGNED = re.compile(rf"({_NAME})=.+", re.IGNORECASE | re.DOTALL)
_OPTION = re.compile(rf"--?{_NAME}", re.IGNORECASE)
_USER_OPTIONS = ("-u", "--user", "--proxy-user")
# The same within one argument, as in `sh -c "…"`, in headers and in the queries of URLs.
_URL_USER = re.compile(r"([a-z][a-z0-9+.-]*://)[^/?#\s'\"]*@", re.IGNORECASE)
_VALUE = r"(?:\"[^\"]*\"|'[^']*'|[^\s&;'\"]+)"
_WITHIN = re.compile(rf"({_NAME}(?:\s*[=:]\s*|\s+)(?:(?:bearer|basic)\s+)?){_VALUE}", re.IGNORECASE)


def masked_command(words: Sequence[str]) -> str:
    """Return a command line for a shell in which the values of arguments that look like secrets are masked."""
    shown: list[str] = []
    option = ""
    for word in words:
        if _OPTION.fullmatch(option) and not word.startswith("--"):
            shown.append(MASK)
        elif option in _USER_OPTIONS and ":" in word and "://" not in word:
            shown.append(f"{word.partition(':')[0]}:{MASK}")
        else:
            shown.append(_masked_word(word))
        option = word
    # A mask needs no quotes, which shells would want for its asterisks.
    return " ".join(word if MASK in word and not re.search(r"[\s'\"]", word) else shlex.quote(word) for word in shown)


def masked_url(url: str) -> str:
    """Return an address of a repository without user and password, query and fragment."""
    return _URL_USER.sub(r"\1", url).partition("?")[0].partition("#")[0]


def _masked_word(word: str) -> str:
    if match := _ASSIGNED.fullmatch(word):
        return f"{match[1]}={MASK}"
    return _WITHIN.sub(rf"\1{MASK}", _URL_USER.sub(rf"\1{MASK}@", word))

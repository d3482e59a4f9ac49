"""Wording: texts of strangers as a provider shows them: literally, within its limits, and without calling anybody."""

import re
from collections.abc import Callable

ELLIPSIS = "…"
_MENTION = re.compile(r"(?<!\w)@(?=\w)")
_TAG = re.compile(r"(?<!\\)>")
_MARKDOWN = re.compile(r"[\\*_~`|<\[\]]|^(?:[ \t]*)(?:[-#>]|\d+(?=\.))", re.MULTILINE)


def fitted(text: str, limit: int, *, escape: Callable[[str], str] = str, size: Callable[[str], int] = len) -> str:
    """Return the escaped text; if its size is above `limit`, the longest beginning with an ellipsis that is not."""
    whole = escape(text)
    if size(whole) <= limit:
        return whole

    def beginning(length: int) -> str:
        return escape(text[:length].rstrip() + ELLIPSIS)

    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if size(beginning(middle)) <= limit else (low, middle - 1)
    return beginning(low)


def utf16_units(text: str) -> int:
    """Return the length of a text in UTF-16 code units, as Telegram and Discord count."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def utf8_bytes(text: str) -> int:
    """Return the length of a text in bytes."""
    return len(text.encode("utf-8", "surrogatepass"))


def slack_escaped(text: str) -> str:
    """Escape what Slack takes for links, mentions and channels: https://docs.slack.dev/messaging/formatting-message-text."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def discord_escaped(text: str) -> str:
    """Escape Discord's Markdown: a backslash before punctuation shows it as it is."""

    def shown(found: re.Match[str]) -> str:
        mark = found[0].lstrip(" \t")
        blank = found[0][: len(found[0]) - len(mark)]
        return f"{blank}{mark}\\" if mark.isdigit() else f"{blank}\\{mark}"

    return _MARKDOWN.sub(shown, text)


def teams_escaped(text: str) -> str:
    """Escape the Markdown of Teams, also what is within <>: a plugin calls who is between two tags."""
    return _TAG.sub(r"\\>", discord_escaped(text))


def without_any_at(text: str) -> str:
    """Put a word joiner behind each @."""
    return text.replace("@", "@\u2060")


def without_mentions(text: str) -> str:
    """Put a word joiner behind each @ that begins a name: Telegram makes mentions of names without being asked."""
    return _MENTION.sub("@\u2060", text)

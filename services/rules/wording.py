"""Wording: the message that a rule sends of what it gathered."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from services.delivery.message import MAX_TEXT_CHARACTERS, MAX_TITLE_CHARACTERS, Message, shortened
from services.rules.occurrence import RECOVERED
from services.rules.rule import RuleEvent

MAX_LINES = 20
_LOUDEST = ("error", "warning", "success", "info")
_NAMES = {
    RuleEvent.FAILED: ("run failed", "runs failed"),
    RuleEvent.UNREACHABLE: ("run is unreachable", "runs are unreachable"),
    RuleEvent.LATE: ("job is late", "jobs are late"),
    RuleEvent.STALLED: ("run makes no progress", "runs make no progress"),
    RuleEvent.OVERDUE: ("run is overdue", "runs are overdue"),
    RuleEvent.SLOW: ("run takes longer than usual", "runs take longer than usual"),
    RuleEvent.AT_RISK: ("stream is at risk", "streams are at risk"),
    RuleEvent.FINISHED: ("run finished", "runs finished"),
    RuleEvent.OVERLONG: ("run takes too long", "runs take too long"),
    RuleEvent.BEHIND: ("run is behind", "runs are behind"),
    RuleEvent.ABSENT: ("job has had no run", "jobs have had no run"),
    RuleEvent.ALERT: ("alert", "alerts"),
    RECOVERED: ("is back", "are back"),
}


def message_of(rule: str, lines: Sequence[dict[str, Any]], count: int, *, address: str) -> tuple[Message, str]:
    """Return the message of a rule, and the path of the page that it leads to.

    Args:
        rule: Name of the rule.
        lines: The first of what it tells, at least one.
        count: The number of all.
        address: URL at which people reach the app, without a slash at its end.
    """
    first = lines[0]
    kinds = Counter(line["event"] for line in lines)
    types = {line["type"] for line in lines}
    path = first["path"] if count == 1 else "/monitoring"
    if count == 1:
        title, text = first["title"], first["text"]
    else:
        # Beyond the lines that are kept, what they were of is not known.
        said = [f"{number} {_NAMES[event][number > 1]}" for event, number in kinds.most_common()]
        title = ", ".join(said) if count == len(lines) else f"{count:,} events, of them {', '.join(said)}"
        shown = [f"• {line['title']}" + (f": {line['text']}" if line["text"] else "") for line in lines[:MAX_LINES]]
        left = count - len(shown)
        text = "\n".join([*shown, f"and {left:,} more"] if left else shown)
    message = Message(
        title=shortened(title, MAX_TITLE_CHARACTERS),
        text=shortened(text, MAX_TEXT_CHARACTERS),
        type=next(each for each in _LOUDEST if each in types),
        url=f"{address}{path}",
        rule=rule,
        event=first["event"] if len(kinds) == 1 else "several",
        count=count,
        events=[
            {**line, "text": shortened(line["text"], 100), "url": f"{address}{line['path']}"}
            for line in lines[:MAX_LINES]
        ],
    )
    return message, path

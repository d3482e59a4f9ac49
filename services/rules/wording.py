"""Wording: the message that a rule sends of what it gathered."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from services.delivery.message import MAX_TEXT_CHARACTERS, MAX_TITLE_CHARACTERS, Message, shortened
from services.entities import ALERTS, RUNS, Subject
from services.rules.occurrence import RECOVERED, Occurrence
from services.rules.rule import Rule, RuleEvent
from services.rules.saying import as_told
from services.rules.terms.audience import Audience, Share, shares
from services.text import one_line

MAX_LINES = 20
MAX_KEPT = 50
"""Events that a message is made of, of more their number."""
MAX_NAMES = 3
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


def messages_of(told: Mapping[str, Any], rule: Rule, *, address: str) -> list[dict[str, Any]]:
    """Return the messages for `private.send_messages` of what `private.take_gatherings` returned of a rule."""
    gatherings, members = told["gatherings"], told["members"]
    everybody = Share(gatherings=tuple(range(len(gatherings))), people=(), channels=())
    kept_from = [Audience.of_record(each["kept_from"]) for each in gatherings]
    found = []
    for share in [everybody] if members is None else shares(rule.audience, kept_from, members):
        parts = [gatherings[place] for place in share.gatherings]
        lines = sorted((line for part in parts for line in part["events"]), key=lambda line: str(line["at"]))
        message, path = message_of(
            rule,
            lines[:MAX_KEPT],
            sum(part["count"] for part in parts),
            address=address,
            organization=told["organization"],
        )
        audience = rule.audience.as_json if members is None else {"people": share.people, "channels": share.channels}
        found.append(
            {
                "id": parts[0]["id"],
                "org_id": told["rule"]["org_id"],
                "people": [],
                "roles": [],
                "channels": [],
                **audience,
                "content": message.as_json | {"path": path},
            }
        )
    return found


def message_of(
    rule: Rule, lines: Sequence[dict[str, Any]], count: int, *, address: str, organization: str
) -> tuple[Message, str]:
    """Return the message of a rule, and the path of the page that it leads to.

    Args:
        rule: The rule.
        lines: The first of what it tells, at least one.
        count: The number of all.
        address: URL at which people reach the app, without a slash at its end.
        organization: Name of the organisation.
    """
    first = lines[0]
    kinds = Counter(line["event"] for line in lines)
    types = {line["type"] for line in lines}
    path = first["path"] if count == 1 else "/monitoring"
    # Beyond the lines that are kept, what they were of is not known.
    said = ", ".join(f"{number} {_NAMES[event][1]}" if number > 1 else _one(event) for event, number in kinds.items())
    title, text = (first["title"], first["text"]) if count == 1 else _several(kinds, lines, count)
    values = {
        "run": one_line(_first_of(lines, "run", count)),
        "job": one_line(_first_of(lines, "job", count)),
        "event": said,
        "error": next((line["error"] for line in lines if line.get("error")), ""),
        "count": str(count),
        "url": f"{address}{path}",
        "organization": one_line(organization),
        "rule": one_line(rule.name),
        "title": shortened(title, MAX_TITLE_CHARACTERS),
        "text": shortened(text, MAX_TEXT_CHARACTERS),
    }
    title, text = rule.template.fill(values)
    message = Message(
        title=title,
        text=text,
        type=next(each for each in _LOUDEST if each in types),
        url=values["url"],
        rule=rule.name,
        event=first["event"] if len(kinds) == 1 else "several",
        count=count,
        events=[_told(line, address) for line in lines[:MAX_LINES]],
    )
    return message, path


def _several(kinds: Mapping[str, int], lines: Sequence[dict[str, Any]], count: int) -> tuple[str, str]:
    said = [f"{number} {_NAMES[event][number > 1]}" for event, number in Counter(kinds).most_common()]
    title = ", ".join(said) if count == len(lines) else f"{count:,} events, of them {', '.join(said)}"
    shown = [f"• {line['title']}" + (f": {line['text']}" if line["text"] else "") for line in lines[:MAX_LINES]]
    left = count - len(shown)
    return title, "\n".join([*shown, f"and {left:,} more"] if left else shown)


def _one(event: str) -> str:
    return _NAMES[event][0]


def _first_of(lines: Sequence[dict[str, Any]], field: str, count: int) -> str:
    """Return the first different values of a field, and that there are more; lines of an earlier version have none."""
    found = list(dict.fromkeys(filter(None, (line.get(field) for line in lines))))
    more = len(found) > MAX_NAMES or (count > len(lines) and bool(found))
    return ", ".join(found[:MAX_NAMES]) + (" and others" if more else "")


def _told(line: dict[str, Any], address: str) -> dict[str, Any]:
    return {
        name: shortened(value, 100) if name == "text" else value
        for name, value in line.items()
        if name not in ("run", "job", "error")
    } | {"url": f"{address}{line['path']}"}


def sample_of(rule: Rule, *, address: str, organization: str) -> Message:
    """Return the message of a rule as an invented event makes it."""
    event = next(each for each in RuleEvent if each in rule.events)
    kind = next(iter(rule.filter.queries))
    is_job = event in (RuleEvent.LATE, RuleEvent.ABSENT)
    table = Subject.JOB.value if is_job else ALERTS.table if event is RuleEvent.ALERT else RUNS[kind].table
    subject, now = str(UUID(int=0)), datetime.now(UTC).isoformat()
    row = {
        "name": "Nightly import",
        "slug": rule.filter.job or "nightly-import",
        "kind": kind,
        "number": 7,
        "error": "No space left on device" if event is RuleEvent.FAILED else "",
    }
    record = {"event": event.value, "subject_table": table, "subject_id": subject, "source": subject, "org_id": subject}
    occurrence = Occurrence.of_record({**record, "at": now, "detail": {}, "row": row})
    return message_of(rule, [as_told(occurrence, rule).line], 1, address=address, organization=organization)[0]

"""Rules as people write them, and when they tell."""

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

from services.delivery.message import Message
from services.errors import NotAccepted
from services.rules import listener
from services.rules.rule import Rule, RuleEvent
from services.rules.terms.pace import Pace, QuietHours, due_at
from services.rules.wording import message_of

VALID: dict[str, Any] = {"name": "Nightly", "events": ["failed"], "roles": ["operator"]}


def test_a_rule_is_read_back_as_it_was_stored() -> None:
    given = VALID | {
        "kinds": ["streams"], "job": "nightly", "tag": "prod", "search": "Größe", "priority": "high",
        "people": [str(uuid4())], "channels": [str(uuid4())], "pace": "daily", "repeat": "1h",
        "quiet": "22:00 \u2013 07:00",
        "zone": "Europe/Berlin", "tells_recovery": False,
    }  # fmt: skip
    rule = Rule.parse(given)
    assert Rule.parse({**rule.definition, "name": rule.name, "events": list(rule.events)}) == rule
    assert rule.filter.queries["streams"].words == ("grosse",)
    assert rule.repeat_seconds == 3600
    assert str(rule.quiet) == "22:00-07:00"


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": ""},
        {"name": "\u200b \u202e"},
        {"name": "x" * 121},
        {"events": []},
        {"events": ["exploded"]},
        {"kinds": ["alerts"]},
        {"roles": []},
        {"roles": ["king"]},
        {"people": ["ada"]},
        {"channels": ["1; drop table rules"]},
        {"channels": [str(uuid4()) for _ in range(101)]},
        {"priority": "dire"},
        {"pace": "never"},
        {"repeat": "1s"},
        {"repeat": "1y"},
        {"quiet": "22-7"},
        {"quiet": "25:00-07:00"},
        {"quiet": "07:00-07:00"},
        {"quiet": "22:00-07:00", "zone": "Mars/Phobos"},
    ],
)
def test_what_is_wrong_is_said(wrong: dict[str, Any]) -> None:
    with pytest.raises(NotAccepted) as refused:
        Rule.parse(VALID | wrong)
    assert str(refused.value).endswith(".")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("pace", "quiet", "zone", "now", "due"),
    [
        (Pace.AT_ONCE, "", "", "2026-07-01T10:00", "2026-07-01T10:00"),
        (Pace.GROUPED, "", "", "2026-07-01T10:00", "2026-07-01T10:00:30"),
        (Pace.HOURLY, "", "", "2026-07-01T10:00", "2026-07-01T11:00"),
        (Pace.DAILY, "", "", "2026-07-01T07:59", "2026-07-01T08:00"),
        (Pace.DAILY, "", "", "2026-07-01T08:00", "2026-07-02T08:00"),
        (Pace.DAILY, "22:00-06:00", "Europe/Berlin", "2026-07-01T10:00", "2026-07-02T06:00"),
        (Pace.AT_ONCE, "22:00-07:00", "Europe/Berlin", "2026-07-01T19:59", "2026-07-01T19:59"),
        (Pace.AT_ONCE, "22:00-07:00", "Europe/Berlin", "2026-07-01T20:00", "2026-07-02T05:00"),
        (Pace.AT_ONCE, "22:00-07:00", "Europe/Berlin", "2026-07-02T04:59", "2026-07-02T05:00"),
        (Pace.AT_ONCE, "22:00-07:00", "Europe/Berlin", "2026-07-02T05:00", "2026-07-02T05:00"),
        (Pace.AT_ONCE, "12:00-14:00", "UTC", "2026-07-02T13:00", "2026-07-02T14:00"),
        # The night in which clocks go forward, and the one in which they go back.
        (Pace.AT_ONCE, "22:00-07:00", "Europe/Berlin", "2026-03-28T22:00", "2026-03-29T05:00"),
        (Pace.AT_ONCE, "22:00-07:00", "Europe/Berlin", "2026-10-24T22:00", "2026-10-25T06:00"),
        (Pace.AT_ONCE, "01:00-02:30", "Europe/Berlin", "2026-03-29T00:30", "2026-03-29T01:30"),
    ],
)
def test_it_is_told_when_it_is_due_and_not_in_quiet_hours(
    pace: Pace, quiet: str, zone: str, now: str, due: str
) -> None:
    assert due_at(pace, QuietHours.parse(quiet, zone), at(now)) == at(due)


def line(event: str = "failed", **more: Any) -> dict[str, Any]:
    return {"event": event, "title": "Nightly failed", "text": "No disk", "type": "error", "path": "/streams/1"} | more


def said(lines: list[dict[str, Any]], count: int, *, address: str = "", **more: Any) -> tuple[Message, str]:
    return message_of(Rule.parse(VALID | more), lines, count, address=address, organization="Acme")


def test_one_event_is_told_as_it_is() -> None:
    message, path = said([line()], 1, address="https://live.example.org")
    assert (message.title, message.text, message.type, path) == ("Nightly failed", "No disk", "error", "/streams/1")
    assert message.url == "https://live.example.org/streams/1"


def test_several_are_counted_by_kind_and_the_loudest_decides() -> None:
    lines = [line("finished", type="success"), *[line() for _ in range(3)], line("stalled", type="warning")]
    message, path = said(lines, 5, address="")
    assert message.title == "3 runs failed, 1 run finished, 1 run makes no progress"
    assert (message.type, message.event, path) == ("error", "several", "/monitoring")
    assert message.text.splitlines()[1] == "• Nightly failed: No disk"


def test_more_than_are_kept_are_counted_and_not_invented() -> None:
    message, _ = said([line()] * 50, 3000, address="")
    assert message.title == "3,000 events, of them 50 runs failed"
    assert message.text.splitlines()[-1] == "and 2,980 more"


def test_a_message_of_the_longest_names_is_cut() -> None:
    message, _ = said([line(title="\U0001f600" * 400, text="x" * 9999)] * 50, 50, address="")
    assert len(message.text) <= 3000
    assert message.text.endswith("…")
    message, _ = said([line(title="\U0001f600" * 400)], 1, address="")
    assert len(message.title) == 200


def test_every_event_has_words() -> None:
    for event in RuleEvent:
        for count in (1, 2):
            assert said([line(event.value)] * count, count, address="")[0].title


def test_rules_that_were_deleted_are_not_kept_for_good(monkeypatch: pytest.MonkeyPatch) -> None:
    parsed: list[str] = []
    monkeypatch.setattr(listener, "MAX_KNOWN", 3)
    monkeypatch.setattr(listener, "_parsed", lambda record: parsed.append(record["id"]))
    known = listener.Listeners()
    for id in "abcadab":
        known.of_record({"id": id, "updated_at": "2026-01-01"})
    assert "".join(parsed) == "abcdab", "a fourth rule lets go of all, and those in use are parsed again"

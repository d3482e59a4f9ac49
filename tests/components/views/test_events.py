"""Events that the realtime inspector records."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from components.views.events import MAX_EVENTS, MAX_TEXT, EventsView, present_event
from services.entities import STREAMS, GoalStatus, Stream
from services.realtime import Delta

ORG = uuid4()


def stream(id: UUID | None = None, **fields: Any) -> Stream:
    return Stream(id=id or uuid4(), org_id=ORG, name="Nightly", total=10, **fields)


def inserted(row: Stream | None = None) -> Delta[Stream]:
    row = row or stream()
    return Delta(id=row.id, old=None, new=row)


def updated(**fields: Any) -> Delta[Stream]:
    old = stream(completed=1)
    return Delta(id=old.id, old=old, new=old.model_copy(update={"version": 2, **fields}))


def noted(view: EventsView, *deltas: Delta[Stream]) -> int:
    told: list[Delta[Stream]] = []
    view.listener(STREAMS, told.extend)(list(deltas))
    return len(told)


def test_an_update_names_the_fields_that_changed_with_both_values() -> None:
    event = present_event(STREAMS, updated(completed=4, goal_status=GoalStatus.ON_TRACK))
    assert event["event"] == "UPDATE"
    assert event["name"] == "Nightly"
    assert ["completed", "1", "4"] in event["changed"]
    assert ["goal_status", "not_started", "on_track"] in event["changed"]
    assert not {"version", "updated_at"} & {name for name, _, _ in event["changed"]}


def test_an_insert_and_a_delete_are_told_apart_and_name_no_field() -> None:
    row = stream()
    assert present_event(STREAMS, inserted(row))["event"] == "INSERT"
    gone = present_event(STREAMS, Delta(id=row.id, old=row, new=None))
    assert (gone["event"], gone["changed"], gone["lag_ms"]) == ("DELETE", [], None)


def test_the_lag_is_the_age_of_the_rows_last_change() -> None:
    event = present_event(STREAMS, inserted(stream(updated_at=datetime.now(UTC) - timedelta(seconds=2))))
    assert 2000 <= event["lag_ms"] < 3000


def test_long_values_are_cut() -> None:
    event = present_event(STREAMS, updated(description="x" * 5000))
    ((_, _, value),) = [each for each in event["changed"] if each[0] == "description"]
    assert len(value) == MAX_TEXT


def test_what_is_there_at_the_beginning_is_no_event() -> None:
    view = EventsView()
    assert noted(view, inserted()) == 0
    assert view.full() == {"set": {"events": {"all": []}}}
    view.begin(STREAMS)
    assert noted(view, inserted()) == 1


def test_each_event_is_sent_once_and_all_that_are_kept_to_who_has_just_come() -> None:
    view = EventsView()
    view.begin(STREAMS)
    noted(view, inserted(), inserted())
    first = view.patch(())
    assert first is not None
    assert [event["n"] for event in first["set"]["events"]["more"]] == [1, 2]
    assert view.patch(()) is None
    noted(view, inserted())
    second = view.patch(())
    assert second is not None
    assert [event["n"] for event in second["set"]["events"]["more"]] == [3]
    whole = view.full()
    assert whole is not None
    assert [event["n"] for event in whole["set"]["events"]["all"]] == [1, 2, 3]


def test_what_came_too_fast_to_be_kept_is_counted() -> None:
    view = EventsView()
    view.begin(STREAMS)
    noted(view, *(inserted() for _ in range(MAX_EVENTS + 30)))
    batch = view.patch(())
    assert batch is not None
    assert len(batch["set"]["events"]["more"]) == MAX_EVENTS
    assert batch["set"]["events"]["missed"] == 30

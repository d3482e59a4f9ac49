"""A thread as a window is sent it: nothing is lost between what was read and what came meanwhile."""

from typing import Any, cast
from uuid import UUID, uuid4

from components.views.chat.linked_runs import LinkedRuns
from components.views.chat.thread import ThreadView
from services.entities import Message
from services.realtime import Delta

ORG, THREAD, ADA = UUID(int=1), UUID(int=2), UUID(int=3)


def message(number: int, version: int = 0) -> Message:
    return Message.read(
        {
            **{"id": str(uuid4()), "org_id": str(ORG), "thread_id": str(THREAD), "number": number},
            **{"version": version or number, "author_id": str(ADA), "author_name": "Ada", "body": f"m{number}"},
        }
    )


def deltas(*messages: Message) -> list[Delta[Message]]:
    return [Delta(id=each.id, old=None, new=each) for each in messages]


def numbers(batch: Any, key: str) -> list[int]:
    return [each["n"] for each in batch["set"]["thread"][key]]


def test_what_came_while_the_thread_was_read_is_sent_with_it() -> None:
    view = ThreadView(origin="", runs=cast(LinkedRuns, None))
    first, later = message(1), [message(number) for number in range(2, 6)]
    view.load([first], has_older=False)
    view.full()
    view.changed(deltas(*later))
    # Read before they were written, and known to the feed by now.
    view.load([first], has_older=False)
    view.changed(deltas(first, *later))
    assert numbers(view.full(), "all") == [1, 2, 3, 4, 5]


def test_an_older_version_and_what_left_the_feed_change_nothing() -> None:
    view = ThreadView(origin="", runs=cast(LinkedRuns, None))
    view.load([message(1, version=9)], has_older=False)
    view.full()
    view.changed(deltas(message(1, version=8)))
    view.changed([Delta(id=uuid4(), old=message(1), new=None)])
    assert view.patch(()) is None
    view.changed(deltas(message(1, version=10), message(2)))
    assert numbers(view.patch(()), "changed") == [1, 2]

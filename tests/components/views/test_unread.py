"""What is unread, counted by what changes, and equal to a count of everything."""

from random import Random
from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID, uuid4

from components.views.chat.unread import UnreadCountView, UnreadThreads
from components.window.window import Window
from services.entities import THREADS, LiveTable, ReadPosition, Thread, Topical
from services.realtime import Delta

ORG = UUID(int=1)
ME = UUID(int=2)


class FakeWindow:
    """Keeps what was subscribed to."""

    def __init__(self) -> None:
        self.handlers: dict[str, Any] = {}
        self.is_loaded = False
        self.closed = 0

    def subscribe(self, table: LiveTable[Any], *, on_change: Any) -> Any:
        self.handlers[table.table] = on_change
        window = self

        class Held(SimpleNamespace):
            @property
            def is_loaded(self) -> bool:
                return window.is_loaded

            def close(self) -> None:
                window.closed += 1

        return Held()


def thread(id: UUID, last: int, table: Topical = Topical.STREAM) -> Thread:
    return Thread.read(
        {"id": str(id), "org_id": str(ORG), "version": last + 1, "subject_table": table.value, "subject_id": str(id),
         "subject_name": "n", "last_number": last, "last_at": f"2026-01-01T00:{last % 60:02}:00Z"}
    )  # fmt: skip


def position(id: UUID, of: UUID, number: int) -> ReadPosition:
    return ReadPosition.read(
        {
            "id": str(id),
            "org_id": str(ORG),
            "version": number,
            "user_id": str(ME),
            "thread_id": str(of),
            "number": number,
        }
    )


def followed() -> tuple[FakeWindow, UnreadThreads]:
    window = FakeWindow()
    return window, UnreadThreads(cast(Window, window))


def change(window: FakeWindow, table: str, new: Any = None, old: Any = None) -> None:
    window.handlers[table]([Delta(id=(new or old).id, old=old, new=new)])


def test_only_threads_in_which_one_was_and_everybody_s_chat_count() -> None:
    window, unread = followed()
    everybody, mine, other = uuid4(), uuid4(), uuid4()
    change(window, "threads", thread(everybody, 3, Topical.ORGANIZATION))
    change(window, "threads", thread(mine, 5))
    change(window, "threads", thread(other, 9))
    change(window, "read_positions", position(uuid4(), mine, 4))
    assert unread.total == 4
    change(window, "read_positions", position(uuid4(), everybody, 3))
    assert unread.total == 1
    change(window, "threads", old=thread(mine, 5))
    assert unread.total == 0
    assert [each.id for each, _ in unread.latest(1)] == [other]


def test_nothing_is_shown_before_it_is_known() -> None:
    window, unread = followed()
    view = UnreadCountView(unread, "chat")
    assert view.full() is None
    window.is_loaded = True
    assert view.full() == {"set": {"chat": {"value": 0, "at_least": False}}}
    assert view.patch(()) is None
    change(window, "threads", thread(uuid4(), 3, Topical.ORGANIZATION))
    assert view.patch(()) == {"set": {"chat": {"value": 3, "at_least": False}}}
    unread.close()
    assert window.closed == 2


def test_the_sum_equals_a_count_of_everything_after_any_changes() -> None:
    chance = Random(7)
    window, unread = followed()
    threads: dict[UUID, Thread] = {}
    read: dict[UUID, ReadPosition] = {}
    ids = [uuid4() for _ in range(8)]
    for _ in range(2000):
        id = chance.choice(ids)
        table = Topical.ORGANIZATION if id == ids[0] else Topical.STREAM
        if chance.random() < 0.5:
            old, new = threads.get(id), thread(id, chance.randrange(50), table) if chance.random() < 0.8 else None
            if new:
                threads[id] = new
            else:
                threads.pop(id, None)
            if new or old:
                change(window, THREADS.table, new, old)
        else:
            before, after = read.get(id), position(uuid4(), id, chance.randrange(50)) if chance.random() < 0.8 else None
            if after:
                read[id] = after
            else:
                read.pop(id, None)
            if after or before:
                change(window, "read_positions", after, before)
        counted = sum(
            max(0, each.last_number - (read[key].number if key in read else 0))
            for key, each in threads.items()
            if key in read or each.subject_table is Topical.ORGANIZATION
        )
        assert unread.total == counted

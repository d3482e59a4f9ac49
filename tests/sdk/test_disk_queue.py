"""The disk queue: order, bounds, acknowledgements, and recovery from locked, corrupt and missing files."""

import sqlite3
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from livewatch.delivery.clock import Moment
from livewatch.delivery.disk_queue import DiskQueue
from livewatch.delivery.operations import Operation, encode, new_idempotency_key

from tests.speed import deadline


@pytest.fixture
def queue(tmp_path: Path) -> Iterator[DiskQueue]:
    queue = DiskQueue(tmp_path / "s.sqlite", "d", max_entries=100)
    yield queue
    queue.close()


def updates(path: str, count: int) -> list[Operation]:
    return [
        Operation("PUT", path, encode({"completed": n}), new_idempotency_key(), coalescable=True) for n in range(count)
    ]


def test_a_full_queue_gives_up_what_is_overtaken_first(queue: DiskQueue) -> None:
    queue.append([Operation("PUT", f"/streams/{n}", "{}", new_idempotency_key()) for n in range(40)])
    for n in range(40):
        queue.append(updates(f"/streams/{n}", 3))
    kept = Counter(entry.operation.path for entry in queue.peek(1_000, 10**9))
    assert sum(kept.values()) <= 100
    assert len(kept) == 40, "of every run, where it began and where it is"
    newest = {entry.operation.path: entry.operation.body for entry in queue.peek(1_000, 10**9)}
    assert all(body == '{"completed":2}' for body in newest.values())
    queue.append([Operation("POST", "/alerts", "{}", new_idempotency_key()) for _ in range(150)])
    entries = queue.peek(1_000, 10**9)
    assert 80 <= len(entries) <= 100
    assert {entry.operation.path for entry in entries} == {"/alerts"}
    assert queue.dropped_count


def test_a_queue_that_is_damaged_is_put_aside(tmp_path: Path) -> None:
    file = tmp_path / "s.sqlite"
    file.write_bytes(b"this is no database, though it is long enough to be one" * 100)
    queue = DiskQueue(file, "d")
    assert queue.append(updates("/streams/a", 3))
    assert queue.pending_count() == 3
    assert file.with_name("s.sqlite.damaged").exists()
    queue.close()
    again = DiskQueue(file, "d")
    assert again.pending_count() == 3
    again.close()


def test_where_no_file_can_be_had_updates_are_kept_in_memory(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    queue = DiskQueue(tmp_path / "file" / "s.sqlite", "d")
    assert queue.append(updates("/streams/a", 3))
    assert queue.pending_count() == 3
    queue.close()


def test_updates_for_one_destination_are_not_delivered_to_another(tmp_path: Path) -> None:
    first, second = (DiskQueue(tmp_path / "s.sqlite", name) for name in ("first", "second"))
    first.append(updates("/streams/a", 2))
    second.append(updates("/streams/b", 3))
    assert (first.pending_count(), second.pending_count()) == (2, 3)
    assert {entry.operation.path for entry in second.peek(10, 10**6)} == {"/streams/b"}
    first.close()
    second.close()


def test_the_queue_is_for_its_user_only_and_forgets_what_is_a_week_old(tmp_path: Path) -> None:
    file = tmp_path / "cache" / "s.sqlite"
    queue = DiskQueue(file, "d")
    queue.append(updates("/streams/a", 2))
    queue.close()
    assert file.stat().st_mode & 0o077 == 0
    assert file.parent.stat().st_mode & 0o077 == 0
    with sqlite3.connect(file) as connection:
        connection.execute("update entries set uptime = uptime - 8 * 86400 where seq = 1")
    connection.close()
    assert queue.pending_count() == 1
    queue.close()


def operation(path: str = "/alerts", body: str = "{}", *, coalescable: bool = False) -> Operation:
    return Operation("POST", path, body, new_idempotency_key(), coalescable)


def bodies(queue: DiskQueue) -> list[str]:
    return [entry.operation.body for entry in queue.peek(1_000, 10**9)]


def test_operations_come_out_as_they_went_in_and_in_order(tmp_path: Path) -> None:
    operations = [
        Operation("PUT", "/streams/a", '{"n":1}', "k1", coalescable=True),
        Operation("POST", "/alerts", "{}", "k2"),
    ]
    first = DiskQueue(tmp_path / "s.sqlite", "d")
    assert first.append(operations)
    assert first.append([])
    first.close()
    second = DiskQueue(tmp_path / "s.sqlite", "d")
    entries = second.peek(10, 10**6)
    assert [entry.operation for entry in entries] == operations
    assert [entry.attempts for entry in entries] == [0, 0]
    assert entries[0].seq < entries[1].seq
    assert (second.pending_count(), second.pending_count(own=True)) == (2, 0)
    second.append([operation()])
    assert (second.pending_count(), second.pending_count(own=True)) == (3, 1)
    assert second.dropped_count == 0
    second.close()


def test_peek_returns_as_many_as_fit_and_one_at_least(queue: DiskQueue) -> None:
    queue.append([operation("/alerts", "x" * 73) for _ in range(5)])
    each = 73 + len("/alerts") + 120
    assert len(queue.peek(3, 10**6)) == 3
    assert len(queue.peek(10, 3 * each)) == 3
    assert len(queue.peek(10, 3 * each - 1)) == 2
    assert len(queue.peek(10, 1)) == 1
    assert len(queue.peek(10, 10**6)) == 5, "peeking removes nothing"


def test_an_acknowledgement_removes_what_was_delivered_or_rejected_and_counts_what_failed(tmp_path: Path) -> None:
    now = 1_000_000.0
    queue = DiskQueue(tmp_path / "s.sqlite", "d", clock=lambda: now)
    queue.append([operation("/a"), operation("/b"), operation("/c"), operation("/d")])
    a, b, c, d = queue.peek(10, 10**6)
    queue.acknowledge(delivered=iter([a]), rejected=iter([(b, "bad")]), failed=iter([c]))
    assert [(entry.operation.path, entry.attempts) for entry in queue.peek(10, 10**6)] == [("/c", 1), ("/d", 0)]
    (rejection,) = queue.rejections()
    assert (rejection.idempotency_key, rejection.path, rejection.reason, rejection.at) == (
        b.operation.idempotency_key,
        "/b",
        "bad",
        now,
    )
    now += 10
    queue.acknowledge(rejected=[(d, "worse")])
    assert [each.reason for each in queue.rejections()] == ["worse", "bad"], "the newest first"
    assert [each.reason for each in queue.rejections(since=now)] == ["worse"]
    other = DiskQueue(tmp_path / "s.sqlite", "other")
    assert other.rejections() == []
    other.close()
    queue.close()


def test_the_last_hundred_rejections_are_remembered(queue: DiskQueue) -> None:
    queue.append([operation()])
    (entry,) = queue.peek(1, 1)
    for n in range(102):
        queue.acknowledge(rejected=[(entry, f"{n}")])
    assert [each.reason for each in queue.rejections()] == [f"{n}" for n in range(101, 1, -1)]


def test_a_queue_at_its_bound_is_left_alone_and_one_above_it_is_cut_to_nine_tenths(queue: DiskQueue) -> None:
    queue.append([operation(body=f"{n}") for n in range(100)])
    assert (queue.pending_count(), queue.dropped_count) == (100, 0)
    queue.append([operation(body="100")])
    assert bodies(queue) == [f"{n}" for n in range(11, 101)], "the newest"
    assert queue.dropped_count == 11


def test_the_numbers_of_removed_entries_do_not_count(queue: DiskQueue) -> None:
    queue.append([operation(body="first")])
    for _ in range(3):
        queue.append([operation() for _ in range(90)])
        queue.acknowledge(delivered=queue.peek(1_000, 10**9)[1:])
    assert queue.append([operation(body="last")])
    assert bodies(queue) == ["first", "last"]
    queue.append([operation() for _ in range(98)])
    assert (queue.pending_count(), queue.dropped_count) == (100, 0)


def test_if_superseded_values_make_room_nothing_else_is_dropped(queue: DiskQueue) -> None:
    queue.append([operation(body=f"{n}") for n in range(60)])
    queue.append([operation("/a", f"a{n}", coalescable=True) for n in range(41)])
    assert bodies(queue) == [*(f"{n}" for n in range(60)), "a40"]
    assert queue.dropped_count == 40


def test_superseded_is_what_is_of_one_destination_and_path(tmp_path: Path) -> None:
    first, second = (DiskQueue(tmp_path / "s.sqlite", name, max_entries=10) for name in ("first", "second"))
    first.append([operation("/a", f"{n}", coalescable=True) for n in range(5)])
    second.append([operation("/a", f"{n}", coalescable=True) for n in range(6)])
    assert (bodies(first), bodies(second)) == (["4"], ["5"])
    first.close()
    second.close()


def test_a_queue_above_its_size_keeps_the_newest_that_fit(tmp_path: Path) -> None:
    queue = DiskQueue(tmp_path / "s.sqlite", "d", max_bytes=1_000_000)
    for n in range(40):
        queue.append([operation(body=f"{n:02}" + "x" * 49_998)])
    kept = [int(body[:2]) for body in bodies(queue)]
    assert kept == list(range(40 - len(kept), 40))
    assert 15 <= len(kept) <= 19
    assert queue.dropped_count == 40 - len(kept)
    queue.close()


def test_a_locked_file_refuses_an_append_and_is_used_again_afterwards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("livewatch.delivery.queue_file.BUSY_TIMEOUT_SECONDS", 0.01)
    file = tmp_path / "s.sqlite"
    queue = DiskQueue(file, "d")
    assert queue.append([operation(body="1")])
    holder = sqlite3.connect(file, isolation_level=None)
    holder.execute("begin exclusive")
    assert not queue.append([operation(body="2")])
    assert (queue.peek(1, 1), queue.pending_count(), queue.rejections()) == ([], 0, [])
    holder.execute("rollback")
    holder.close()
    assert queue.append([operation(body="3")])
    assert bodies(queue) == ["1", "3"]
    assert queue.file == file
    queue.close()


def test_a_failed_append_leaves_nothing_behind(queue: DiskQueue) -> None:
    broken = Operation("POST", "/alerts", "\ud800", new_idempotency_key())
    with pytest.raises(UnicodeEncodeError):
        queue.append([operation(body="1"), broken])
    assert queue.append([operation(body="2")])
    assert bodies(queue) == ["2"]
    assert queue.file is not None, "nor is the file given up"


def test_a_file_of_another_program_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "s.sqlite"
    foreign = sqlite3.connect(file)
    foreign.execute("create table entries (seq integer, name text)")
    foreign.commit()
    before = file.read_bytes()
    queue = DiskQueue(file, "d")
    assert queue.append([operation()])
    assert (queue.pending_count(), queue.file) == (1, None)
    queue.close()
    assert [row[0] for row in foreign.execute("select name from sqlite_master")] == ["entries"]
    foreign.close()
    assert file.read_bytes() == before


def test_missing_folders_are_made_and_a_closed_queue_holds_no_file_open(tmp_path: Path) -> None:
    file = tmp_path / "cache" / "livewatch" / "s.sqlite"
    queue = DiskQueue(file, "d")
    assert queue.append([operation()])
    assert queue.file == file
    connection = queue._storage._connection
    assert connection is not None
    queue.close()
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        connection.execute("select 1")


def test_a_queue_in_memory_has_no_files_and_survives_a_fork(tmp_path: Path) -> None:
    queue = DiskQueue(None, "d")
    assert (queue.file, queue.lock_file) == (None, None)
    queue.append([operation()])
    queue.before_fork()
    queue.after_fork_in_parent()
    assert queue.pending_count() == 1
    queue.close()
    queue.close()
    assert queue.pending_count() == 0
    queue.close()
    assert DiskQueue(tmp_path / "s.sqlite", "d").lock_file == tmp_path / "s.sqlite.lock"


def test_a_fork_waits_for_other_threads_and_they_for_it(queue: DiskQueue) -> None:
    queue.append([operation()])
    queue.before_fork()
    assert not queue.is_open, "no connection is carried into the child"
    other = threading.Thread(target=queue.append, args=([operation()],))
    other.start()
    other.join(0.1)
    assert other.is_alive()
    queue.after_fork_in_parent()
    other.join(deadline(5))
    assert queue.pending_count() == 2


def test_a_file_that_is_damaged_while_it_is_used_is_put_aside(tmp_path: Path) -> None:
    file = tmp_path / "s.sqlite"
    queue = DiskQueue(file, "d")
    queue.append([operation()])
    file.write_bytes(b"no database" * 1_000)
    assert queue.append([operation()])
    assert queue.pending_count() == 1
    assert queue.file == file
    assert file.with_name("s.sqlite.damaged").read_bytes().startswith(b"no database")
    queue.close()


@pytest.mark.parametrize(("age", "count"), [(7 * 86_400 - 5, 1), (7 * 86_400 + 5, 0)])
@pytest.mark.parametrize("is_of_this_boot", [True, False])
def test_an_entry_is_kept_for_a_week(tmp_path: Path, age: float, count: int, is_of_this_boot: bool) -> None:
    """Within a boot however the clock is set meanwhile, afterwards by the clock."""
    now = Moment()
    made = Moment(0.0, now.uptime - age) if is_of_this_boot else Moment(now.epoch - age, now.uptime)
    queue = DiskQueue(tmp_path / "s.sqlite", "d")
    queue.append([Operation("POST", "/alerts", "{}", "k", made=made)])
    queue.close()
    if not is_of_this_boot:
        with sqlite3.connect(tmp_path / "s.sqlite") as connection:
            connection.execute("update entries set boot = 'another'")
        connection.close()
    assert queue.pending_count() == count
    assert [round(entry.age - age) for entry in queue.peek(10, 10**6)] == [0] * count
    queue.close()


def test_a_file_of_an_earlier_version_is_used_on(tmp_path: Path) -> None:
    file = tmp_path / "s.sqlite"
    with sqlite3.connect(file) as connection:
        connection.execute(
            "create table entries (seq integer primary key autoincrement, destination text not null, writer text not "
            "null, made_at real not null, method text not null, path text not null, body text not null, key text not "
            "null, passing integer not null, attempts integer not null default 0)"
        )
        connection.execute(
            "insert into entries (destination, writer, made_at, method, path, body, key, passing) "
            "values ('d', 'w', ?, 'POST', '/alerts', 'old', 'k', 0)",
            (Moment().epoch - 60,),
        )
    connection.close()
    queue = DiskQueue(file, "d")
    assert queue.append([operation(body="new")])
    assert bodies(queue) == ["old", "new"]
    assert [round(entry.age, -1) for entry in queue.peek(10, 10**6)] == [60, 0]
    queue.close()


def test_a_report_amid_a_transaction_of_the_same_thread_is_queued(tmp_path: Path) -> None:
    """A signal handler or a finalizer may interrupt this thread anywhere."""
    queue = DiskQueue(tmp_path / "s.sqlite", "d")
    queue._storage.transact(lambda _: queue.append([operation(body="nested")]), None)
    assert (bodies(queue), queue.file) == (["nested"], tmp_path / "s.sqlite")
    queue.close()


def test_a_file_that_cannot_be_used_is_named_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_text("")
    queue = DiskQueue(tmp_path / "file" / "s.sqlite", "d")
    assert queue.append([operation()])
    assert queue.pending_count() == 1
    (message,) = caplog.messages
    assert str(tmp_path / "file" / "s.sqlite") in message
    assert "lost with the process" in message
    queue.close()


def test_by_default_it_holds_50_000_entries_and_64_mebibytes(tmp_path: Path) -> None:
    queue = DiskQueue(None, "d")
    assert (queue._max_entries, queue._max_bytes) == (50_000, 64 * 1024 * 1024)

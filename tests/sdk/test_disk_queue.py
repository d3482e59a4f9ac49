"""The disk queue: what it keeps, in which order, what gives way, and how it survives bad files."""

import sqlite3
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from livewatch.delivery.disk_queue import DiskQueue
from livewatch.delivery.operations import Operation, encode, new_idempotency_key


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
        connection.execute("update entries set made_at = made_at - 8 * 86400 where seq = 1")
    connection.close()
    assert queue.pending_count() == 1
    queue.close()

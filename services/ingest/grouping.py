"""Grouping of operations: reports of one run are merged to one update, and reports of several streams to one statement.

The result is the same as that of the operations one by one: merged are only operations for which that holds, and
`private.ingest` runs the parts of a group one by one where the group as a whole fails.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from services.ingest.operations import Operation, Target, Verb

MAX_AGE_DIFFERENCE_SECONDS = 0.1
"""Reports that were made further apart are not merged: each has its place in the history."""
FINAL_STATUSES = frozenset({"completed", "failed", "stopped", "cancelled"})
# Fields of which a later value replaces an earlier one, and nothing else depends on it. Not `tags` and `environment`:
# the one may be refused and the other is stored beside the run, and both are rare.
SETTABLE = {
    Target.STREAMS: frozenset({"name", "description", "stream_type", "unit", "error", "program", "begins"}),
    Target.SCANS: frozenset({"name", "step", "error", "program", "begins"}),
    Target.AGENTS: frozenset({"input_summary", "output_summary", "error", "begins"}),
}
# Fields that a group may have once: their values are merged or checked in the database, or the first one counts.
ONCE = {
    Target.STREAMS: frozenset({"metadata", "target_metrics", "bars", "bar_count"}),
    Target.SCANS: frozenset({"steps"}),
    Target.AGENTS: frozenset(),
}
ALIAS = re.compile(r"[0-9]{1,9}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
"""Keys that may be the number or the id of a run: see `private.address_of`."""
# Fields that do not merge with another value, or with none.
FIXED = ("reporter",)
TOTALS = ("total", "default_total")
COUNTS = ("completed", "percent")
SCAN_COUNTS = ("progress", "targets_identified", "targets_analyzed")


class _Group:
    """Reports of one run that follow each other, with the positions of their answers."""

    def __init__(self, operation: Operation, position: int) -> None:
        self.slug = operation.slug or ""
        self.operations = [operation]
        self.positions = [position]
        self.body = dict(operation.body)
        self.advances = "advance" in operation.body
        """Whether one of them advances."""

    def add(self, operation: Operation, position: int) -> None:
        self.operations.append(operation)
        self.positions.append(position)
        self.body.update(operation.body)
        self.advances = self.advances or "advance" in operation.body

    def as_json(self) -> dict[str, Any]:
        """Return the group in the format of `private.ingest`; a report by itself has no `rest`."""
        last = self.operations[-1]
        merged: dict[str, Any] = {
            "target": last.target,
            "slug": last.slug,
            "body": _merged(self.operations),
            "parts": [operation.as_json() for operation in self.operations],
        }
        if len(self.operations) > 1:
            merged["rest"] = _merged(self.operations[1:])
        if last.age is not None:
            merged["age"] = last.age
        return merged


@dataclass(frozen=True, slots=True, kw_only=True)
class Grouped:
    """Operations in the format of `private.ingest`.

    Args:
        elements: The elements of its argument.
        positions: Position of the operation to which each answer belongs, in the order of the answers.
    """

    elements: list[dict[str, Any]]
    positions: list[int]


def group(operations: Sequence[Operation]) -> Grouped:
    """Group operations. Those of one run keep their order, and an operation that cannot be merged keeps its place."""
    grouped = Grouped(elements=[], positions=[])
    groups: dict[tuple[Target, str], _Group] = {}
    keys: set[str] = set()
    for position, operation in enumerate(operations):
        run = (operation.target, operation.slug or "")
        is_mergeable = _is_mergeable(operation)
        # Of operations with the same key the first one counts.
        has_earlier_key = operation.idempotency_key in keys
        if not is_mergeable or has_earlier_key or (run in groups and not _fits(groups[run], operation)):
            _emit(groups.values(), grouped)
            groups, keys = {}, set()
        if not is_mergeable:
            grouped.elements.append(operation.as_json())
            grouped.positions.append(position)
            continue
        if run in groups:
            groups[run].add(operation, position)
        else:
            groups[run] = _Group(operation, position)
        if operation.idempotency_key is not None:
            keys.add(operation.idempotency_key)
    _emit(groups.values(), grouped)
    return grouped


def _emit(groups: Iterable[_Group], grouped: Grouped) -> None:
    # In one order, so that transactions that write the same streams wait for each other rather than deadlock.
    streams = sorted((each for each in groups if _is_settable(each)), key=lambda each: each.slug)
    others = [each for each in groups if not _is_settable(each)]
    if streams:
        grouped.elements.append({"set": [each.as_json() for each in streams]})
    for each in others:
        grouped.elements.append(each.as_json() if len(each.operations) > 1 else each.operations[0].as_json())
    for each in (*streams, *others):
        grouped.positions.extend(each.positions)


def _is_settable(group: _Group) -> bool:
    first = group.operations[0]
    return first.target is Target.STREAMS and first.age is None and "reporter" not in group.body


def _is_mergeable(operation: Operation) -> bool:
    if operation.verb is not Verb.REPORT or operation.target not in SETTABLE:
        return False
    body = operation.body
    _, _, key = (operation.slug or "").partition("@")
    if ("program" in body and not key) or ALIAS.fullmatch(key):
        # The one may begin the job's next run, the other may be a run that has another slug.
        return False
    known = SETTABLE[operation.target] | ONCE[operation.target]
    others = body.keys() - known - {"reporter", "status", "advance", *TOTALS, *COUNTS, *SCAN_COUNTS}
    return not others and body.get("status") not in FINAL_STATUSES


def _fits(group: _Group, operation: Operation) -> bool:
    """Whether a report may be merged into the group of its run."""
    earlier, later = group.body, operation.body
    if "status" in later and later["status"] != earlier.get("status"):
        return False
    if any(earlier.get(name) != later.get(name) for name in FIXED):
        return False
    if earlier.keys() & later.keys() & ONCE[operation.target] or not _is_close(group, operation):
        return False
    if operation.target is Target.STREAMS:
        return _streams_fit(earlier, later, advances=group.advances)
    return _scans_fit(earlier, later)


def _is_close(group: _Group, operation: Operation) -> bool:
    """Whether the report was made right after those of the group."""
    first, last, age = group.operations[0].age, group.operations[-1].age, operation.age
    if first is None or last is None or age is None:
        return first is None and age is None
    return first - age <= MAX_AGE_DIFFERENCE_SECONDS and age <= last


def _streams_fit(earlier: Mapping[str, Any], later: Mapping[str, Any], *, advances: bool) -> bool:
    if any(name in earlier and name in later and earlier[name] != later[name] for name in TOTALS):
        return False
    has_new_total = any(name in later and name not in earlier for name in TOTALS)
    if any(later.get(name) == 0 or earlier.get(name) == 0 for name in TOTALS):
        return False
    if "percent" in earlier or "percent" in later:
        if has_new_total or "advance" in later:
            return False
        if "completed" in earlier or "completed" in later or advances:
            return False
    if "completed" in later and advances:
        return False
    # Counting again from a lower number is a restart, which the rate and the history tell.
    return all(later[name] >= earlier[name] for name in COUNTS if name in earlier and name in later)


def _scans_fit(earlier: Mapping[str, Any], later: Mapping[str, Any]) -> bool:
    counts = set(SCAN_COUNTS)
    if ("advance" in earlier or "advance" in later) and counts & (earlier.keys() | later.keys()):
        return False
    return not ("progress" in earlier and "progress" in later) or later["progress"] >= earlier["progress"]


def _merged(operations: Sequence[Operation]) -> dict[str, Any]:
    """Return the body that has the effect of the bodies one after the other."""
    merged: dict[str, Any] = {}
    for operation in operations:
        merged.update(operation.body)
    amounts = [operation.body["advance"] for operation in operations if "advance" in operation.body]
    if len(amounts) > 1:
        merged["advances"] = amounts
        del merged["advance"]
        if all(float(amount).is_integer() for amount in amounts):
            merged["advance"] = sum(map(int, amounts))
    return merged

"""The payload of a live element's `apply`: the same shape for lists, counters, chips and progress."""

from collections.abc import Sequence
from typing import Any, Literal, NotRequired, TypedDict

RowFields = dict[str, dict[str, Any]]
"""Fields by row id; JSON values only."""


Missing = Literal["", "older", "reading", "failed", "beyond", "invalid", "refused"]
"""Why rows may exist that are not here: older than a feed holds, being read, not read as the database did not answer,
beyond what a list holds, malformed, or not for this person any more."""


class Waiting(TypedDict):
    """Changes held back from a reader: the number of new rows, and whether some rows belong elsewhere by now."""

    new: int
    moved: bool


class Looking(TypedDict):
    """Who looks at which row, in few bytes; see `RowViewers`."""

    people: list[str]
    rows: dict[str, list[int]]


class Reset(TypedDict):
    """The whole content of an element: the ids in order, and all fields of each row.

    `first` is the index of the first id in a list of `total` rows, which `more` may follow; `filtered` says that a
    filter hides some rows, and `missing` why an empty list does not mean that there are none. `folds` holds by id how
    many rows a row stands for beside itself.
    """

    order: list[str]
    rows: RowFields
    first: NotRequired[int]
    total: NotRequired[int]
    more: NotRequired[int]
    waiting: NotRequired[Waiting]
    filtered: NotRequired[bool]
    missing: NotRequired[Missing]
    folds: NotRequired[dict[str, int]]
    looking: NotRequired[Looking]


class Batch(TypedDict, total=False):
    """Either a `reset`, or a patch: `set` holds changed fields by id, `order` the new order if it changed.

    Ids that a given order leaves out are removed. New ids come with an order.
    """

    reset: Reset
    set: RowFields
    order: list[str]
    first: int
    total: int
    more: int
    waiting: Waiting
    missing: Missing
    folds: dict[str, int]
    looking: Looking


class EncodedBatch(str):
    """A batch as JSON, shared by several windows."""

    __slots__ = ()


Payload = Batch | EncodedBatch | Sequence[EncodedBatch] | None
"""One batch, one encoded batch, several of these in order, or nothing."""

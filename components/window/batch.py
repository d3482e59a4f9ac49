"""What a live element's `apply` takes; the same shape for lists, stats, chips and progress."""

from collections.abc import Sequence
from typing import Any, NotRequired, TypedDict

Rows = dict[str, dict[str, Any]]


class Waiting(TypedDict):
    """What of a list waits for its reader: how many rows are new, and whether some belong elsewhere by now."""

    new: int
    moved: bool


class Reset(TypedDict):
    """Everything that is shown from now on: the ids in order and the whole fields of each.

    Of a list that shows only a part, these are the ids from the `first` on, of `total`; `filtered` says that somebody
    chose to see only some rows.
    """

    order: list[str]
    rows: Rows
    first: NotRequired[int]
    total: NotRequired[int]
    waiting: NotRequired[Waiting]
    filtered: NotRequired[bool]


class Batch(TypedDict, total=False):
    """Either `reset`, or changes: `set` holds the changed fields by id, `order` the new order if it changed.

    Ids that are missing from an order that is given are removed. New ids come with an order. JSON values only.
    """

    reset: Reset
    set: Rows
    order: list[str]
    first: int
    total: int
    waiting: Waiting


class EncodedBatch(str):
    """A batch as JSON already, for more than one window."""

    __slots__ = ()


Payload = Batch | EncodedBatch | Sequence[EncodedBatch] | None
"""What a view has to say: a batch, one that is written already, some of these in order, or nothing."""

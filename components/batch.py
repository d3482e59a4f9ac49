"""What a live element's `apply` takes; the same shape for lists, stats, chips and progress."""

from typing import Any, TypedDict

Rows = dict[str, dict[str, Any]]


class Reset(TypedDict):
    """Everything that is shown from now on: the ids in order and the whole fields of each."""

    order: list[str]
    rows: Rows


class Batch(TypedDict, total=False):
    """Either `reset`, or changes: `set` holds the changed fields by id, `order` the new order if it changed.

    Ids that are missing from an order that is given are removed. New ids come with an order. JSON values only.
    """

    reset: Reset
    set: Rows
    order: list[str]

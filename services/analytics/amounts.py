"""Amounts that runs log as metrics, tokens and cost: SQL of their sums, from roll-ups or from the points."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

from services.analytics.board import Board
from services.analytics.range_parts import Grain
from services.auth.identity import Identity
from services.entities import RUNS
from services.entities.base.listing import ARCHIVE_FACET
from services.lists.conditions import selection_of
from services.period import EVERYTHING

AMOUNTS = {"tokens": ("tokens", "input_tokens", "output_tokens"), "cost": ("cost",)}
"""Names of the metrics that a chart sums; `private.summed_metrics()` has the same."""

_LARGEST = "1.7976931348623157e308"
_SUMMED = (
    "select width_bucket(at, %(starts)s::timestamptz[]) as place, kind, name, "
    f"greatest(least(sum(total), {_LARGEST}), -{_LARGEST})::double precision as total "
    "from ({rows}) as row group by 1, 2, 3 having sum(points) > 0"
)
_INDEXED = ", ".join(f"'{name}'" for names in AMOUNTS.values() for name in names)


def amounts_query(
    board: Board, grain: Grain, metrics: Sequence[str], org_id: UUID, identity: Identity
) -> tuple[str, dict[str, Any]]:
    """Return SQL of `place`, `kind`, `name` and `total` in a board's range, and the values that it adds to a reading's.

    Points count at their own times. Values that are not finite, and times that are none, do not count. A board with a
    filter sums the points of the runs that it selects: those of deleted runs are then missing.
    """
    values: dict[str, Any] = {"metrics": list(metrics)}
    if board.query.words or board.query.chosen:
        parts = [_points(board, kind, org_id, identity, values) for kind in board.kinds]
    else:
        wanted = (
            "org_id = %(org)s and name = any (%(metrics)s) and kind = any (%(kinds)s) "
            "and at >= %(low)s and at < %(high)s"
        )
        parts = [
            f"select at, kind, name, points, total from public.metric_rollups where grain = '{grain}' and {wanted}",
            f"select at, kind, name, points, total from public.metric_rollup_changes where {wanted}",
        ]
    return _SUMMED.format(rows=" union all ".join(parts)), values


def _points(board: Board, kind: str, org_id: UUID, identity: Identity, values: dict[str, Any]) -> str:
    entity = RUNS[kind]
    query = replace(board.query, period=EVERYTHING)
    selection = selection_of(entity, query, org_id, identity, excluded=(ARCHIVE_FACET.name,))
    values |= selection.values
    # The list of names is that of the index.
    return (
        f"select point.at, '{kind}' as kind, point.name, 1::bigint as points, point.value::numeric as total "
        f"from public.metric_points as point where point.org_id = %(org)s and point.name in ({_INDEXED}) "
        "and point.name = any (%(metrics)s) and point.at >= %(low)s and point.at < %(high)s "
        f"and private.is_finite(point.value) and point.run_id in (select id from {selection.where()})"
    )

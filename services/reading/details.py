"""What belongs to a run: lines of its log, points of its progress and metrics, artefacts, and comments, by keyset."""

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from services.infra.claims import Claimant
from services.infra.database import Database
from services.reading.addresses import row_id
from services.reading.as_key import read_as_key
from services.reading.cursors import Position, decode_cursor, encode_cursor
from services.reading.pages import Page, time_of
from services.reading.parameters import Parameters, invalid
from services.reading.questions import PAGE_PARAMETERS, RANGE_PARAMETERS, Range, binding_of
from services.reading.resources import Resource

DEFAULT_LIMIT = 200
MAX_LIMIT = 1_000
LEVELS = ("debug", "info", "warning", "error", "critical")
ORDERS = ("oldest", "newest")
_MICROSECONDS = "(extract(epoch from part.at) * 1000000)::bigint"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPart:
    """One list of what belongs to a run.

    Args:
        name: Its path.
        rows: SQL of its rows, with `run.id` for the run.
        columns: SQL of the columns of an item.
        order: SQL expression by which it is ordered; unique within the run.
        number: SQL expression of the order as a whole number.
        bound: The position as the order has it: `%(after)s` as that number, `%(after_at)s` as a time.
        time: Column of `since` and `until`.
        parameters: Names of further parameters.
    """

    name: str
    rows: str
    columns: str
    order: str
    number: str
    bound: str
    time: str
    parameters: tuple[str, ...] = ()

    @property
    def parameter_names(self) -> list[str]:
        """The parameters of the list."""
        return [*self.parameters, *RANGE_PARAMETERS, "order", *PAGE_PARAMETERS]


RUN_PARTS = {
    each.name: each
    for each in (
        RunPart(
            name="logs",
            rows="public.log_lines as part where part.run_id = run.id",
            columns="part.id, part.at, part.level, part.message",
            order="part.id",
            number="part.id",
            bound="%(after)s",
            time="part.at",
            parameters=("level", "after"),
        ),
        RunPart(
            name="history",
            rows="public.progress_points as part where part.subject_id = run.id",
            columns="part.at, part.done as completed, part.whole as total",
            order="part.at",
            number=_MICROSECONDS,
            bound="%(after_at)s",
            time="part.at",
        ),
        RunPart(
            name="metrics",
            rows="public.run_metrics as part where part.run_id = run.id",
            columns=(
                "part.name, part.points, part.first_step, part.last_step, part.last_value, part.minimum, part.maximum, "
                "part.created_at, part.updated_at"
            ),
            order="part.number",
            number="part.number",
            bound="%(after)s",
            time="part.created_at",
        ),
        RunPart(
            name="points",
            rows="public.metric_points as part where part.run_id = run.id",
            columns="part.step, part.at, part.value",
            order="part.step",
            number="part.step",
            bound="%(after)s",
            time="part.at",
            parameters=("metric",),
        ),
        RunPart(
            name="artefacts",
            rows="public.artefacts as part where part.run_id = run.id",
            columns="part.id, part.name, part.kind, part.media_type, part.size, part.sha256, part.created_at",
            order="part.number",
            number="part.number",
            bound="%(after)s",
            time="part.created_at",
        ),
        RunPart(
            name="comments",
            rows=(
                "public.messages as part join public.threads as thread on thread.id = part.thread_id "
                "where thread.org_id = %(org)s and thread.subject_table = '{table}' and thread.subject_id = run.id"
            ),
            columns=(
                "part.id, part.number, part.kind, part.author_name as author, part.body, part.created_at, "
                "part.edited_at, part.deleted_at is not null as is_deleted, "
                "(select answered.number from public.messages as answered where answered.id = part.reply_to) "
                "as reply_to"
            ),
            order="part.number",
            number="part.number",
            bound="%(after)s",
            time="part.created_at",
        ),
    )
}


async def read_part(
    database: Database,
    key: Claimant,
    resource: Resource,
    part: RunPart,
    *,
    org_id: UUID,
    name: str,
    pairs: Iterable[tuple[str, str]],
) -> Page | None:
    """Read one page of what belongs to a run; None if the key sees no such run.

    Args:
        database: Where to read.
        key: The key.
        resource: The kind of run.
        part: What to read.
        org_id: The key's organisation.
        name: Address of the run, see `row_id`.
        pairs: Parameters of the request.

    Raises:
        IngestRefused: A parameter is invalid, and the message names the valid values; the key no longer works; or the
            database did not respond.
    """
    parameters = Parameters(pairs, part.parameter_names)
    limit = parameters.limit(DEFAULT_LIMIT, MAX_LIMIT)
    order = parameters.choice("order", ORDERS, "oldest")
    levels = parameters.choices("level", LEVELS) if "level" in part.parameters else []
    after = parameters.number("after") if "after" in part.parameters else None
    metric = parameters.one("metric") if "metric" in part.parameters else None
    if metric is None and "metric" in part.parameters:
        raise invalid("metric", "", f"name one; GET /{resource.name}/{name}/metrics lists them")
    period = Range.parse(parameters)
    binding = binding_of(
        org_id, resource.name, name, part.name, order, sorted(levels), after, metric, period.since, period.until
    )
    cursor = parameters.one("cursor")
    # Further pages are those of the run that the first one was of: by then, its address may be another's.
    position = decode_cursor(cursor, binding) if cursor else None
    run, values = row_id(resource, org_id, name)
    if position is not None:
        run, values = "%(run)s", {"org": org_id, "run": position.id}
    conditions, values = ["true"], {**values, "count": limit + 1}
    for condition, bound in period.conditions(part.time).items():
        conditions.append(condition)
        values["since" if "since" in condition else "until"] = bound
    if levels:
        conditions.append("part.level = any (%(levels)s::text[])")
        values["levels"] = levels
    if metric is not None:
        conditions.append("part.name = %(metric)s")
        values["metric"] = metric
    if after is not None:
        conditions.append("part.id > %(line)s")
        values["line"] = after
    if position is not None:
        conditions.append(f"{part.order} {'>' if order == 'oldest' else '<'} {part.bound}")
        values |= {"after": position.number, "after_at": time_of(position.number)}
    found = await read_as_key(database, key, _query(resource, part, run, conditions, order), values)
    if found is None:
        return None
    items = found["items"]
    numbers = [item.pop("_number") for item in items]
    if len(items) <= limit:
        return Page(items=items, next=None)
    last = Position(number=numbers[limit - 1], id=UUID(found["run"]))
    return Page(items=items[:limit], next=encode_cursor(last, binding))


def _query(resource: Resource, part: RunPart, run: str, conditions: list[str], order: str) -> str:
    direction = "asc" if order == "oldest" else "desc"
    rows = part.rows.format(table=resource.entity.table)
    return (
        "select jsonb_build_object('run', run.id, 'items', (select coalesce(jsonb_agg(to_jsonb(item)), '[]') from ("
        f"select {part.columns}, {part.number} as _number from {rows} and {' and '.join(conditions)} "
        f"order by {part.order} {direction} limit %(count)s) as item)) "
        f"from public.{resource.entity.table} as run where run.org_id = %(org)s and run.id = ({run})"
    )

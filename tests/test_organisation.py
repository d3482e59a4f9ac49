"""The organisation of the benchmarks: the same for the same seed, of the size that was asked for, and consistent."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypeVar

import psycopg
import pytest

from benchmarks.organisation import FULL, TABLES, Organisation, generate
from benchmarks.organisation.loading import Connection, superuser_url
from benchmarks.organisation.words import ABSENT_WORD, RARE_WORD
from tests.world import World

SCALE = 0.001
UNTIL = datetime(2026, 11, 26, 12, tzinfo=UTC)
INDEXES = "select indexdef from pg_indexes where schemaname = 'public' order by indexdef"
FOREIGN_KEYS = """
    select needed.conname, needed.conrelid::regclass::text, needed.confrelid::regclass::text,
        (select string_agg(format('child.%%I = parent.%%I', here.attname, there.attname), ' and ')
         from unnest(needed.conkey, needed.confkey) as pair (mine, its)
         join pg_attribute as here on here.attrelid = needed.conrelid and here.attnum = mine
         join pg_attribute as there on there.attrelid = needed.confrelid and there.attnum = its),
        (select string_agg(format('child.%%I is not null', here.attname), ' and ')
         from unnest(needed.conkey) as mine
         join pg_attribute as here on here.attrelid = needed.conrelid and here.attnum = mine)
    from pg_constraint as needed where needed.contype = 'f' and needed.conrelid = any (%s::regclass[])
"""
T = TypeVar("T")


@contextmanager
def generated(connection: Connection, seed: int) -> Iterator[Organisation]:
    """Yield an organisation that is gone afterwards."""
    with connection.transaction(force_rollback=True):
        yield generate(connection, SCALE, seed, until=UNTIL)


async def as_superuser(world: World, ask: Callable[[Connection], T]) -> T:
    """Return what a function asks of the database, in a thread."""

    def connected() -> T:
        with psycopg.connect(superuser_url(world.status, world.data), autocommit=True) as connection:
            return ask(connection)

    return await asyncio.to_thread(connected)


def values(connection: Connection, statement: str, *given: Any) -> list[Any]:
    """Return the first column of a statement."""
    return [row[0] for row in connection.execute(statement.encode(), given).fetchall()]


def digests(connection: Connection, seed: int) -> dict[str, str]:
    """Return a digest of the rows of each table of an organisation."""
    with generated(connection, seed) as made:
        return {
            table: values(
                connection,
                f"select md5(string_agg(row, '|' order by row)) from (select (to_jsonb(t) - %s::text[])::text as row "
                f"from public.{table} as t where org_id = %s) as rows",
                # Lines of logs are numbered by the database.
                ["id"] if table == "log_lines" else [],
                made.id,
            )[0]
            for table in TABLES
        }


async def test_the_same_seed_makes_the_same_rows_and_another_seed_others(world: World) -> None:
    first, again, other = [await as_superuser(world, partial(digests, seed=seed)) for seed in (7, 7, 8)]
    assert first == again
    assert not first.items() & other.items()


async def test_an_organisation_has_the_size_that_was_asked_for(world: World) -> None:
    def ask(connection: Connection) -> None:
        with generated(connection, 7) as made:
            events = "count(distinct coalesce(event_id, id))"
            for table, full in FULL.items():
                count = events if table == "signal_alerts" else "count(*)"
                found = values(connection, f"select {count} from public.{table} where org_id = %s", made.id)
                assert found == [round(full * SCALE)], table
            alerts = values(connection, "select count(*) from signal_alerts where org_id = %s", made.id)
            assert alerts == [made.counts["signal_alerts"]] > [round(FULL["signal_alerts"] * SCALE)]
            of_crowd = "select count(*) from agent_executions where org_id = %s and stream_id = %s"
            assert values(connection, of_crowd, made.id, made.crowd) == [round(FULL["agent_executions"] * SCALE / 10)]

    await as_superuser(world, ask)


async def test_everything_that_a_row_refers_to_exists(world: World) -> None:
    """Foreign keys are not checked while rows are loaded."""

    def ask(connection: Connection) -> None:
        with generated(connection, 7) as made:
            tables = [f"public.{table}" for table in (*TABLES, "org_members", "profiles")]
            for name, child, parent, pairs, given in connection.execute(FOREIGN_KEYS, (tables,)).fetchall():
                lost = values(
                    connection,
                    f"select count(*) from {child} as child where {given} "
                    f"and not exists (select from {parent} as parent where {pairs})",
                )
                assert lost == [0], name
            runs = "select count(*) from activities where org_id = %s and subject_id not in (select id from {})"
            for table in ("streams", "acquisition_scans", "agent_executions"):
                of_table = f"{runs.format(table)} and subject_table = %s"
                assert values(connection, of_table, made.id, table) == [0], table

    await as_superuser(world, ask)


@pytest.mark.parametrize(
    ("table", "began", "ended"),
    [
        ("streams", "created_at", "finished_at"),
        ("acquisition_scans", "started_at", "completed_at"),
        ("agent_executions", "started_at", "completed_at"),
    ],
)
async def test_runs_are_numbered_in_their_jobs_and_end_after_they_began(
    world: World, table: str, began: str, ended: str
) -> None:
    def ask(connection: Connection) -> None:
        with generated(connection, 7) as made:
            per_job = f"""
                select count(*) = max(number) and count(distinct number) = count(*) and max(number) = job.run_count
                    and array_agg(run.created_at order by number) = array_agg(run.created_at order by run.created_at)
                    and max(run.created_at) = job.last_run_at
                from {table} as run join jobs as job on job.id = run.job_id
                where run.org_id = %s group by job.id
            """
            numbered = values(connection, per_job, made.id)
            assert len(numbered) > 1
            assert all(numbered)
            wrong = f"{ended} < {began} or created_at < %s or created_at > %s or {ended} > %s or updated_at > %s"
            begin = datetime.fromtimestamp(made.begin, UTC)
            given = (made.id, begin, UNTIL, UNTIL, UNTIL)
            assert values(connection, f"select count(*) from {table} where org_id = %s and ({wrong})", *given) == [0]
            states = f"select distinct is_finished from {table} where org_id = %s and archived_at is null order by 1"
            assert values(connection, states, made.id) == [False, True]

    await as_superuser(world, ask)


async def test_words_to_search_for_are_rare_or_absent(world: World) -> None:
    def ask(connection: Connection) -> None:
        with generated(connection, 7) as made:
            for table, text in (("log_lines", "message"), ("streams", "name"), ("agent_executions", "agent_name")):
                found = f"select count(*) from {table} where org_id = %s and position(%s in {text}) > 0"
                assert values(connection, found, made.id, RARE_WORD) == [3], table
                assert values(connection, found, made.id, ABSENT_WORD) == [0], table
            colours = "select count(*) from log_lines where org_id = %s and message like E'%%\\x1b[%%'"
            assert values(connection, colours, made.id)[0] > 100

    await as_superuser(world, ask)


async def test_indexes_and_triggers_are_back_after_the_rows_were_loaded(world: World) -> None:
    def ask(connection: Connection) -> None:
        before = values(connection, INDEXES)
        with generated(connection, 7) as made:
            assert values(connection, INDEXES) == before
            assert values(connection, "show session_replication_role") == ["origin"]
            renamed = "update streams set name = name || '!' where org_id = %s returning version"
            versions = values(connection, renamed, made.id)
            assert min(versions) > max(made.counts["activities"], made.counts["streams"])

    await as_superuser(world, ask)


async def test_what_cannot_be_generated_is_refused_with_the_reason(world: World) -> None:
    def ask(connection: Connection) -> None:
        with pytest.raises(ValueError, match=r"The scale 0.0001 makes 10 streams: use at least 0.0005."):
            generate(connection, 0.0001, 7)
        with generated(connection, 7), pytest.raises(ValueError, match=r"seed 7 and scale 0.001 already: use another"):
            generate(connection, SCALE, 7)

    await as_superuser(world, ask)

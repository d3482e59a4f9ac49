"""Blocks of log lines: a search that skips them finds what reading every line finds."""

from datetime import UTC, datetime, timedelta
from random import Random
from uuid import UUID, uuid4

import psycopg
import pytest
from sqlalchemy import text

from services.history import log_filter, log_search
from services.history.log_filter import LogFilter, searching
from services.history.log_literals import required_literals
from services.history.log_regions import LogRegion, next_region
from services.history.log_search import LogScope, Position, search_logs
from services.operations.upkeep.log_blocks import make_log_blocks, tidy_log_blocks
from services.operations.upkeep.retention import delete_expired
from tests.world import Person, World, until

pytestmark = pytest.mark.integration
BEGIN = datetime.now(UTC).replace(microsecond=0) - timedelta(days=3)
LINES = 8
"""Lines of a block of these tests."""
WORDS = (
    "Ünïcode", "GRÖSSE", "größe", "İstanbul", "istanbul", "\u212aelvin", "kelvin", "\u017fervice", "Service", "ΣΊΣΥΦΟΣ",
    "σίσυφος", "الخادم", "数据库连接", "Обработано", "ОБРАБОТАНО", "timeout=482", "id:9f3a77", "a", "ab", "\u01c5ungla",
    "Straße", "\x1b[31mred\x1b[0mish", "tab\tbed", "over\u200fwritten", "ok😀😀done", "x" * 40, "[a-z]+", "C:\\path",
    "I\u0131i\u0130", "\u00b5m", "\u03bcm",
)  # fmt: skip
EXPRESSIONS = (
    r"\d+", "tim.out=48", "time(out|ly)=", "ünï|kelvin", "obr|обработ", "(?c)Service", r"\mservice\M", "x{30}", ".",
    "ab|", "re?dish", "[[:alpha:]]+=482", "absent.*word", r"C:\\path", "^größe", "\u017ferv", "σίσυ", "İst",
    "\u212aelv", "done$", "l+vin", "***=[a-z]+",
)  # fmt: skip


async def write(world: World, org: UUID, run: UUID, *lines: tuple[datetime, str]) -> None:
    await world.sql(
        "insert into log_lines (org_id, run_id, at, message, level) select %s, %s, line.at, line.message,"
        " case when length(line.message) %% 5 = 0 then 'error' else 'info' end"
        " from unnest(%s::timestamptz[], %s::text[]) as line (at, message)",
        org, run, [at for at, _ in lines], [message for _, message in lines],
    )  # fmt: skip


async def made(world: World, org: UUID) -> None:
    """Make blocks until less than a block's lines have none, and no block is to be made anew."""

    async def is_made() -> bool:
        await make_log_blocks(world.database, blocks=500, lines=LINES)
        ((rest, unmade),) = await world.sql(
            "select (select count(*) from log_lines where org_id = %s and at >= coalesce("
            "  (select max(until) from private.log_blocks where org_id = %s), '-infinity')),"
            " (select count(*) from private.log_blocks where org_id = %s and bits is null)",
            org, org, org,
        )  # fmt: skip
        return bool(rest <= LINES and not unmade)

    await until(is_made, what="blocks are made")


async def all_found(world: World, person: Person, org: UUID, filter: LogFilter) -> list[int]:
    """Return what a search finds, page by page."""
    found, before = [], None
    while True:
        page = await search_logs(
            world.database, person.identity, LogScope(org_id=org), filter, before=before, limit=100
        )
        found += [line.id for line in page.lines]
        if (before := page.reached) is None:
            return found


async def all_read(world: World, person: Person, org: UUID, filter: LogFilter) -> list[int]:
    """Return what reading every line finds."""
    values = {"org": org}
    statement = (
        f"select id from public.log_lines where org_id = :org {filter.conditions(values)} and {filter.match(values)}"
        " order by at desc, id desc"
    )
    async with searching(world.database, person.identity) as connection:
        return list((await connection.execute(text(statement), values)).scalars())


def filters(random: Random) -> list[LogFilter]:
    """Return searches for words, parts and several of them in any case, and for expressions."""
    queries = ["absent", "zzz", "482", "9f3a77", "a", "ab", "\u0131s\u0131t"]
    for _ in range(15):
        word = random.choice(WORDS)
        begin = random.randrange(len(word))
        part = word[begin : begin + random.randrange(1, 8)]
        queries.append(random.choice([part, part.upper(), part.lower(), part.swapcase(), word, f"{part} timeout"]))
    found = [LogFilter.parse({"q": query}) for query in queries if query.strip()]
    found += [LogFilter.parse({"q": query, "regex": "1"}) for query in EXPRESSIONS]
    start, end = sorted(BEGIN + timedelta(seconds=random.randrange(300)) for _ in range(2))
    found += [LogFilter(query=random.choice(WORDS), start=start, end=end) for _ in range(4)]
    return [*found, *(LogFilter(query=random.choice(WORDS), level="error") for _ in range(4))]


def some_lines(random: Random, count: int) -> list[tuple[datetime, str]]:
    """Return lines of five minutes, many of them of the same moment."""
    return [
        (BEGIN + timedelta(seconds=random.randrange(300)), " ".join(random.choices(WORDS, k=random.randrange(1, 4))))
        for _ in range(count)
    ]


@pytest.mark.parametrize("seed", range(2))
async def test_a_search_by_blocks_finds_what_reading_every_line_finds(
    world: World, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    monkeypatch.setattr(log_search, "FIRST_STEP_LINES", 20)
    random = Random(seed)
    org, foreign = await world.organization(), await world.organization()
    ada, eve = await world.person(org), await world.person(foreign)
    run, other = uuid4(), uuid4()

    async def compare(what: str) -> None:
        for filter in filters(random):
            wanted = await all_read(world, ada, org, filter)
            assert await all_found(world, ada, org, filter) == wanted, (what, seed, filter)
        assert await all_found(world, eve, org, LogFilter(query="timeout=482")) == []

    await write(world, org, run, *some_lines(random, 70))
    await write(world, org, other, *some_lines(random, 30))
    await write(world, foreign, uuid4(), *some_lines(random, 30))
    await made(world, org)
    await write(world, org, run, *some_lines(random, 20), (BEGIN - timedelta(days=900), "absent word, late"))
    await compare("late")
    await made(world, org)
    await compare("made anew")
    await world.sql("delete from log_lines where org_id = %s and (run_id = %s or id %% 2 = 0)", org, other)
    await tidy_log_blocks(world.database, blocks=10_000)
    await compare("joined")
    await made(world, org)
    await world.sql("update log_lines set message = 'absent word, changed' where org_id = %s and id %% 7 = 1", org)
    await compare("changed")


async def region(world: World, person: Person, org: UUID, query: str, *, before: Position | None = None) -> LogRegion:
    filter = LogFilter(query=query)
    async with searching(world.database, person.identity) as connection:
        return await next_region(
            connection,
            org,
            required_literals(filter),
            filter,
            before=(before.at, before.id) if before else None,
            max_lines=99,
        )


async def test_blocks_without_a_word_are_skipped(world: World) -> None:
    org, foreign = await world.organization(), await world.organization()
    ada, eve = await world.person(org), await world.person(foreign)
    lines = [(BEGIN + timedelta(minutes=20 * n), f"Quellwolke {n}" if n == 70 else f"line {n}") for n in range(100)]
    await write(world, org, uuid4(), *lines)
    await made(world, org)
    tail = await region(world, ada, org, "quellWOLKE")
    assert tail.floor
    assert tail.floor > lines[90][0]
    assert tail.spans is None
    past = Position(at=tail.floor, id=0)
    found = await region(world, ada, org, "quellWOLKE", before=past)
    assert found.spans
    ((start,), (end,)) = found.spans
    assert datetime.fromisoformat(start) <= lines[70][0] < datetime.fromisoformat(end)
    assert found.floor is None
    assert await region(world, ada, org, "Zwitscherkasten", before=past) == LogRegion(spans=([], []))
    # Two letters say nothing of a block: every line is read.
    assert await region(world, ada, org, "qu", before=past) == LogRegion()
    await write(world, org, uuid4(), (lines[20][0], "late"))
    late = await region(world, ada, org, "Zwitscherkasten", before=past)
    assert late.floor == lines[24][0]
    assert late.spans == ([], [])
    late = await region(world, ada, org, "Zwitscherkasten", before=Position(at=late.floor, id=0))
    assert (late.floor, late.spans) == (lines[16][0], None)
    for of in (org, foreign, uuid4()):
        assert (await region(world, eve, of, "Quellwolke")).spans == (None if of == foreign else ([], []))


async def test_a_block_is_not_made_while_a_line_of_its_time_may_still_come(world: World) -> None:
    org = await world.organization()
    ada = await world.person(org)
    ((lag,),) = await world.sql("select prosrc from pg_proc where proname = 'log_lag'")
    change = "create or replace function private.log_lag() returns interval language sql immutable as $$ {} $$"
    url = world.status.database_url.get_secret_value()
    insert = b"insert into log_lines (org_id, run_id, at, message) select %s, %s, clock_timestamp(), %s returning at"
    await world.sql(change.format("select interval '100 ms'"))
    try:
        async with await psycopg.AsyncConnection.connect(url) as slow:
            ((at,),) = await (await slow.execute(insert, (org, uuid4(), "slow commit"))).fetchall()
            for n in range(5):
                await write(world, org, uuid4(), *[(datetime.now(UTC), f"line {n}")] * LINES)
            await until(lambda: world.sql("select 1 where clock_timestamp() > %s + interval '1 s'", at))
            for _ in range(3):
                await make_log_blocks(world.database, blocks=500, lines=LINES)
            ((latest,),) = await world.sql("select max(until) from private.log_blocks where org_id = %s", org)
            assert latest is None or latest <= at
            await slow.commit()
        await write(world, org, uuid4(), *[(datetime.now(UTC), f"line {n}") for n in range(LINES)])
        await made(world, org)
        ((latest,),) = await world.sql("select max(until) from private.log_blocks where org_id = %s", org)
        assert latest > at
        filter = LogFilter(query="slow commit")
        assert len(await all_found(world, ada, org, filter)) == 1
    finally:
        await world.sql(change.format(lag))


async def test_retention_deletes_blocks_with_their_lines(world: World) -> None:
    org, kept = await world.organization(), await world.organization()
    await world.sql("insert into retention (org_id, events_days) values (%s, null)", kept)
    old = BEGIN - timedelta(days=60)
    for of in (org, kept):
        await write(world, of, uuid4(), *[(old + timedelta(seconds=n), f"line {n}") for n in range(60)])
        await made(world, of)
    while any((await delete_expired(world.database)).values()):
        pass
    await tidy_log_blocks(world.database, blocks=100_000)
    count = "select count(*) from private.log_blocks where org_id = %s"
    assert (await world.sql(count, org))[0][0] == 0
    assert (await world.sql(count, kept))[0][0] >= 60 // LINES - 1
    await world.sql("delete from organizations where id = %s", kept)
    assert (await world.sql(count, kept))[0][0] == 0


async def test_blocks_are_made_of_what_a_page_shows(world: World) -> None:
    ((source,),) = await world.sql("select prosrc from pg_proc where proname = 'shown_line'")
    assert source.count(f"'{log_filter._HIDDEN}'") == 2

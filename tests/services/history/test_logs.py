"""Log lines: pages, search by text and regular expression, levels and times, in runs and in organisations."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from services.errors import DatabaseTimeLimit, NotAccepted, NotFound
from services.history import log_search
from services.history.log_filter import LogFilter, searching
from services.history.log_search import LogScope, Position, search_logs
from services.history.run_logs import (
    MAX_LINES,
    find_lines,
    following_lines,
    line_at,
    lines_around,
    log_lines,
    run_of_line,
)
from services.people.models import Role
from tests.speed import deadline
from tests.world import Person, World

pytestmark = pytest.mark.integration
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
CATASTROPHIC = r"^(.+)(.+)(.+)\3\2\1$"
"""Back references, for which no automaton is fast."""
RANDOM_TEXT = "(select string_agg(md5((n * 99 + part)::text), '') from generate_series(1, 56) as part)"


async def a_run(world: World, org: UUID, name: str = "Import") -> UUID:
    run = uuid4()
    await world.sql("insert into streams (id, org_id, name) values (%s, %s, %s)", run, org, name)
    return run


async def write(world: World, org: UUID, run: UUID, *lines: tuple[str, str] | str, at: datetime = NOON) -> None:
    """Write lines a second apart; a text is a line of the level info."""
    for n, line in enumerate(lines):
        level, message = ("info", line) if isinstance(line, str) else line
        await world.sql(
            "insert into log_lines (org_id, run_id, at, level, message) values (%s, %s, %s, %s, %s)",
            org, run, at + timedelta(seconds=n), level, message,
        )  # fmt: skip


async def fill(world: World, org: UUID, run: UUID, count: int, message: str = "'Line ' || n") -> None:
    await world.sql(
        "insert into log_lines (org_id, run_id, at, message)"
        f" select %s, %s, cast(%s as timestamptz) + n * interval '1 s', {message} from generate_series(1, %s) as n",
        org, run, NOON, count,
    )  # fmt: skip


async def messages(world: World, person: Person, run: UUID, filter: LogFilter) -> list[str]:
    return [line.message for line in await log_lines(world.database, person.identity, run, filter)]


async def test_the_log_of_a_run_is_read_in_pages_in_both_directions(world: World) -> None:
    org = await world.organization()
    ada = await world.person(org)
    run = await a_run(world, org)
    await fill(world, org, run, MAX_LINES + 500)
    database, identity = world.database, ada.identity
    latest = await log_lines(database, identity, run)
    assert [latest[0].message, latest[-1].message] == ["Line 501", f"Line {MAX_LINES + 500}"]
    older = await log_lines(database, identity, run, before=latest[0].id)
    assert [len(older), older[0].message, older[-1].message] == [500, "Line 1", "Line 500"]
    newer = await log_lines(database, identity, run, after=older[0].id)
    assert [len(newer), newer[0].message] == [MAX_LINES, "Line 2"]
    around, has_later = await lines_around(database, identity, run, LogFilter(), older[9].id)
    assert around[9].message == "Line 10"
    assert has_later
    assert await run_of_line(database, identity, older[9].id) == run
    assert await run_of_line(database, identity, 0) is None
    found = await line_at(database, identity, run, NOON + timedelta(seconds=77.5))
    assert found == older[77].id
    assert await line_at(database, identity, run, datetime(9999, 1, 1, tzinfo=UTC)) is None
    following, is_cut = await following_lines(database, identity, run, LogFilter(), latest[-3].id)
    assert ([line.message[-3:] for line in following], is_cut) == (["499", "500"], False)
    await world.sql("delete from log_lines where id = %s", latest[-3].id)
    assert (await following_lines(database, identity, run, LogFilter(), latest[-3].id))[1]
    assert len(await log_lines(database, identity, run, after=-(10**30), before=None)) == MAX_LINES


async def test_a_search_finds_words_phrases_and_expressions_in_what_is_shown(world: World) -> None:
    org = await world.organization()
    ada = await world.person(org)
    run = await a_run(world, org)
    await write(
        world, org, run,
        "Connection to \x1b[31mdata\x1b[0mbase lost", ("error", "50% of C:\\path (x) [y] failed"), "Größe Ünïcode",
        "a\tb \x1b]8;;https://evil.example\x1b\\link\x1b]8;;\x1b\\ end", ("debug", "مرحبا بالعالم"), "quote \" alone",
    )  # fmt: skip
    cases: dict[str, list[int]] = {
        "DATABASE": [0], "lost connection": [0], '"lost connection"': [], '"connection to"': [0], "50%": [1],
        "C:\\path": [1], "(x) [y]": [1], ".": [], "größe": [2], "ÜNÏ": [2], "link end": [3], "evil": [], "بالعالم": [4],
        'quote "': [5], "": [0, 1, 2, 3, 4, 5], "[31m": [], ":at": [], "%": [1], "***=50": [],
    }  # fmt: skip
    everything = await messages(world, ada, run, LogFilter())
    for query, wanted in cases.items():
        found = await messages(world, ada, run, LogFilter.parse({"q": query}))
        assert found == [everything[n] for n in wanted], query
    by_expression: dict[str, list[int]] = {
        r"^connection.*lost$": [0], r"\d+%": [1], "a\\tb": [3], "(?c)größe": [], r"\mend\M": [3], "بال": [4],
        "x|end": [1, 3],
    }  # fmt: skip
    for query, wanted in by_expression.items():
        found = await messages(world, ada, run, LogFilter.parse({"q": query, "regex": "1"}))
        assert found == [everything[n] for n in wanted], query
    marked = await log_lines(
        world.database, ada.identity, run, LogFilter(query=r"data|l\w+t", is_regex=True, is_marking=True)
    )
    assert [line.is_match for line in marked] == [True, *[False] * 5]
    assert tuple(marked[0].spans) == (14, 18, 23, 27)
    assert await find_lines(world.database, ada.identity, run, LogFilter(query="o", is_marking=True)) == [
        (marked[n].id, []) for n in (0, 1, 2, 5) if "o" in everything[n].lower()
    ]  # fmt: skip


async def test_levels_and_times_bound_what_is_found(world: World) -> None:
    org = await world.organization()
    ada = await world.person(org)
    run = await a_run(world, org)
    await write(world, org, run, *[(level, level) for level in ("debug", "info", "warning", "error", "critical")])
    for params, wanted in (
        ({"level": "warning"}, ["warning", "error", "critical"]),
        ({"level": "critical"}, ["critical"]),
        ({"level": "'; drop table log_lines; --"}, ["debug", "info", "warning", "error", "critical"]),
        ({"from": "2026-11-20T12:00:03Z"}, ["error", "critical"]),
        ({"to": "2026-11-20T13:00:02+01:00"}, ["debug", "info"]),
        ({"from": "2026-11-20T12:00:01", "to": "2026-11-20T12:00:02"}, ["info"]),
        ({"from": "9999-12-31T23:59:59+00:00"}, []),
        ({"to": "0001-01-01T00:00:00+00:00"}, []),
    ):
        assert await messages(world, ada, run, LogFilter.parse(params)) == wanted, params
        found = await search_logs(world.database, ada.identity, LogScope(org_id=org), LogFilter.parse(params))
        assert [line.message for line in found.lines] == wanted[::-1], params
        assert found.reached is None


async def test_an_organisation_is_searched_by_time_page_by_page_and_only_by_its_members(world: World) -> None:
    ours, theirs = await world.organization(), await world.organization()
    ada, eve = await world.person(ours), await world.person(theirs, role=Role.ADMIN)
    first, second, foreign = (
        await a_run(world, ours, "One"),
        await a_run(world, ours, "Two"),
        await a_run(world, theirs),
    )
    await write(world, ours, first, *[f"even {n}" for n in range(0, 10, 2)], at=NOON)
    await write(world, ours, second, *[f"odd {n}" for n in range(1, 10, 2)], at=NOON)
    await write(world, theirs, foreign, "even theirs")
    scope, database = LogScope(org_id=ours), world.database

    async def pages(person: Person, filter: LogFilter, of: LogScope, **start: Any) -> list[Sequence[str]]:
        found = await search_logs(database, person.identity, of, filter, limit=3, **start)
        told: list[Sequence[str]] = [[f"{line.name}: {line.message}" for line in found.lines]]
        if found.reached is None:
            return told
        return told + await pages(person, filter, of, **{name: found.reached for name in start or ["before"]})

    assert await pages(ada, LogFilter(query="even"), scope) == [
        ["One: even 8", "One: even 6", "One: even 4"], ["One: even 2", "One: even 0"],
    ]  # fmt: skip
    both = [line for page in await pages(ada, LogFilter(), scope) for line in page]
    assert both[:3] == ["Two: odd 9", "One: even 8", "Two: odd 7"]
    assert len(both) == 10
    early = Position(at=NOON - timedelta(days=1), id=0)
    assert [each for page in await pages(ada, LogFilter(), scope, after=early) for each in page] == both[::-1]
    one_run = LogScope(org_id=ours, runs=(second,))
    assert len([each for page in await pages(ada, LogFilter(), one_run) for each in page]) == 5
    job = uuid4()
    await world.sql(
        "insert into jobs (id, org_id, kind, slug, name) values (%s, %s, 'streams', 'nightly', 'N')", job, ours
    )
    await world.sql("update streams set job_id = %s, number = 1 where id = %s", job, second)
    assert await LogScope.of_job(database, ada.identity, ours, "streams/nightly") == one_run
    for person, address in ((ada, "scans/nightly"), (ada, "\0"), (eve, "streams/nightly")):
        with pytest.raises(NotFound, match="There is no job"):
            await LogScope.of_job(database, person.identity, ours, address)
    for of in (scope, one_run, LogScope(org_id=theirs, runs=(first,))):
        assert await pages(eve, LogFilter(), of) == [[]]
    assert await pages(ada, LogFilter(), LogScope(org_id=theirs)) == [[]]


@pytest.mark.parametrize("expression", ["(", "a{2,1}", "[z-a]", "*", "a**b\\", "(?<=x", "(" * 200, "x{99999}"])
async def test_an_invalid_expression_is_named(world: World, expression: str) -> None:
    org = await world.organization()
    ada = await world.person(org)
    run = await a_run(world, org)
    await write(world, org, run, "text")
    filter = LogFilter.parse({"q": expression, "regex": "1"})
    with pytest.raises(NotAccepted, match=r"The regular expression is not valid: [a-z].*"):
        await log_lines(world.database, ada.identity, run, filter)
    with pytest.raises(NotAccepted, match="not valid"):
        await search_logs(world.database, ada.identity, LogScope(org_id=org), filter)


async def test_a_costly_expression_ends_with_its_time(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    org = await world.organization()
    ada = await world.person(org)
    run = await a_run(world, org)
    await fill(world, org, run, 30, RANDOM_TEXT)
    filter = LogFilter(query=CATASTROPHIC, is_regex=True)
    with pytest.raises(DatabaseTimeLimit, match=r"longer than 4 s and was cancelled. Use a simpler expression"):
        async with searching(world.database, ada.identity, seconds=0.2) as connection:
            await connection.execute(
                text("select :long ~ :slow"), {"long": uuid4().hex * 50 + "!", "slow": CATASTROPHIC}
            )
    monkeypatch.setattr(log_search, "SEARCH_SECONDS", 0.2)
    began = datetime.now(UTC)
    with pytest.raises(DatabaseTimeLimit):
        await search_logs(world.database, ada.identity, LogScope(org_id=org), filter)
    assert datetime.now(UTC) - began < timedelta(seconds=deadline(3))


async def test_a_long_search_says_how_far_it_came_and_goes_on_from_there(world: World) -> None:
    org = await world.organization()
    ada = await world.person(org)
    run = await a_run(world, org)
    await fill(world, org, run, 9_990)
    filter, scope = LogFilter.parse({"q": '"line 3"'}), LogScope(org_id=org)
    times = iter([0.0, 0.0, 0.0, 0.0, 100.0])
    found = await search_logs(world.database, ada.identity, scope, filter, limit=5_000, clock=lambda: next(times))
    assert found.is_cut
    assert found.reached
    assert found.reached.at == NOON + timedelta(seconds=9_990 - log_search.FIRST_STEP_LINES + 1)
    rest = await search_logs(world.database, ada.identity, scope, filter, before=found.reached, limit=5_000)
    assert not rest.is_cut
    assert rest.reached is None
    assert len(found.lines) + len(rest.lines) == 1_111


TIMES = ["tomorrow", "2026-13-01", "2026-11-26T10:00:00+99:99", "10 Mars/Phobos", "0001-01-01T00:00+14:00", "1y"]


@pytest.mark.parametrize("time", TIMES)
def test_what_is_no_time_is_named(time: str) -> None:
    with pytest.raises(NotAccepted, match=r"is not a time. Write it like 2026-11-26T10:00:00Z"):
        LogFilter.parse({"from": time})


def test_a_query_is_bounded_and_storable() -> None:
    with pytest.raises(NotAccepted, match=r"The search has 10,240 characters. Search for at most 500"):
        LogFilter.parse({"q": "x" * 10_240})
    assert LogFilter.parse({"q": " a\0b\ud800 "}).query == "ab\ufffd"
    assert len(LogFilter(query=" ".join(map(str, range(99)))).terms) == 20
    assert LogFilter.parse({"from": "2h"}, now=NOON).start == NOON - timedelta(hours=2)

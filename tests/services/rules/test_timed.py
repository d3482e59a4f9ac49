"""What time alone makes of runs and jobs, by the figures of rules; on the real database with a simulated clock."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from services.people.models import Role
from services.rules.rule import Rule
from services.rules.rules import put_rule, snooze_rule
from services.rules.trial import try_rule
from tests.services.rules.desk import Desk

pytestmark = pytest.mark.integration


async def begun(desk: Desk, ago: float, name: str = "Nightly", *, usual: float | None = None, **more: Any) -> UUID:
    """Insert a run that began so many seconds before the desk's time."""
    given = {"attempt_started_at": desk.clock - timedelta(seconds=ago)} | more
    run = await desk.run(name, **given)
    await desk.world.sql("update streams set usual_seconds = %s where id = %s", usual, run)
    return run


async def titles(desk: Desk) -> list[str]:
    return [title for _, title in await desk.told()]


async def test_a_run_is_told_once_when_it_takes_as_many_times_its_usual_time_as_a_rule_allows(desk: Desk) -> None:
    await desk.rule("overlong", times=3)
    run = await begun(desk, 100, usual=100)
    await begun(desk, 5000, "Unknown")
    await desk.look()
    await desk.look(after=199)
    assert await titles(desk) == []
    await desk.look(after=2)
    assert await titles(desk) == ["Nightly takes more than 3 times as long as usual"]
    await desk.look(after=500)
    await desk.become(run, "completed")
    await desk.look(after=1)
    await desk.look(after=5000)
    assert await titles(desk) == [
        "Nightly takes more than 3 times as long as usual",
        "Nightly ended (completed)",
    ]
    assert await desk.world.sql("select from firings where org_id = %s and resolved_at is null", desk.org) == []


async def test_a_new_attempt_ends_the_firing_and_is_judged_anew(desk: Desk) -> None:
    await desk.rule("overlong", times=2)
    run = await begun(desk, 300, usual=100)
    await desk.look()
    await desk.world.sql(
        "update streams set attempt = 2, attempt_started_at = %s where id = %s", desk.clock + timedelta(seconds=1), run
    )
    await desk.look(after=10)
    assert await titles(desk) == ["Nightly takes more than 2 times as long as usual", "Nightly began again"]
    await desk.look(after=195)
    assert len(await titles(desk)) == 3


async def test_a_rule_that_is_edited_to_a_lower_figure_applies_to_what_runs(desk: Desk) -> None:
    rule = await desk.rule("overlong", times=50)
    await begun(desk, 300, usual=100)
    await desk.look()
    await desk.look(after=1)
    assert await titles(desk) == []
    given = {"name": "R", "events": ["overlong"], "people": [str(desk.ada.id)], "pace": "at_once", "times": "1,5"}
    await put_rule(desk.world.database, desk.ada.identity, desk.org, Rule.parse(given), id=rule)
    await desk.look(after=1)
    assert await titles(desk) == ["Nightly takes more than 1.5 times as long as usual"]


@pytest.mark.parametrize(
    ("run", "is_told"),
    [
        ({"completed": 49, "total": 100}, True),
        ({"completed": 50, "total": 100}, False),
        ({"completed": 7}, False),
        ({"completed": 1, "total": 100, "status": "not_started"}, False),
    ],
    ids=["below", "reached", "without a total", "not begun"],
)
async def test_progress_is_judged_at_a_time_after_the_beginning(desk: Desk, run: dict[str, Any], is_told: bool) -> None:
    await desk.rule("behind", percent=50, after="2h")
    await begun(desk, 0, **run)
    await desk.look(after=7100)
    assert await titles(desk) == []
    await desk.look(after=101)
    assert await titles(desk) == (["Nightly is below 50 % after 2h"] if is_told else [])


async def test_a_run_that_catches_up_is_over(desk: Desk) -> None:
    await desk.rule("behind", percent=50, after="1m")
    run = await begun(desk, 90, completed=1, total=100)
    await desk.look()
    await desk.world.sql("update streams set completed = 49 where id = %s", run)
    await desk.look(after=10)
    assert await titles(desk) == ["Nightly is below 50 % after 1m"]
    await desk.world.sql("update streams set completed = 50 where id = %s", run)
    await desk.look(after=10)
    await desk.world.sql("update streams set completed = 10 where id = %s", run)
    await desk.look(after=100)
    assert await titles(desk) == ["Nightly is below 50 % after 1m", "Nightly has caught up"]


async def test_progress_is_judged_at_a_time_of_day_until_the_run_was_told(desk: Desk) -> None:
    clock = desk.clock + timedelta(minutes=30)
    await desk.rule("behind", percent=50, after=f"{clock:%H:%M}")
    run = await begun(desk, 0, completed=60, total=100)
    await desk.look(after=3600)
    assert await titles(desk) == []
    await desk.world.sql("update streams set total = 1000 where id = %s", run)
    await desk.look(after=3600)
    assert await titles(desk) == []
    await desk.look(after=86400)
    await desk.look(after=86400)
    assert await titles(desk) == [f"Nightly is below 50 % at {clock:%H:%M} (UTC)"]


async def job(desk: Desk, name: str, ago: float) -> None:
    """Insert a job whose last run began so many seconds ago, and has ended."""
    await desk.run(name, "completed")
    began = desk.clock - timedelta(seconds=ago)
    await desk.world.sql("update jobs set last_run_at = %s where org_id = %s and name = %s", began, desk.org, name)


async def test_a_job_without_a_run_is_told_once_for_each_absence(desk: Desk) -> None:
    await desk.rule("absent", absent="1d")
    await job(desk, "Nightly", 80_000)
    await job(desk, "Hourly", 100)
    await desk.look()
    assert await titles(desk) == []
    await desk.look(after=6500)
    await desk.look(after=6500)
    assert await titles(desk) == ["Nightly has had no run for 1d"]
    await desk.run("Nightly", slug="nightly@2")
    await desk.world.sql("delete from jobs where org_id = %s and name = 'Hourly'", desk.org)
    await desk.world.sql("update jobs set last_run_at = %s where org_id = %s", desk.clock, desk.org)
    await desk.look(after=5)
    assert await titles(desk) == ["Nightly has had no run for 1d", "Nightly has begun"]
    await desk.look(after=86_500)
    assert (await titles(desk)).count("Nightly has had no run for 1d") == 2


async def test_a_paused_job_is_not_absent_and_is_so_again_from_when_it_goes_on(desk: Desk) -> None:
    await desk.rule("absent", absent="1d")
    await job(desk, "Nightly", 80_000)
    await desk.world.sql(
        "insert into schedules (org_id, job_id, kind, slug, cron, grace_seconds) "
        "select org_id, id, kind, slug, '0 2 * * *', 600 from jobs where org_id = %s", desk.org
    )  # fmt: skip
    await desk.look()
    await desk.world.sql("update schedules set paused_at = now() where org_id = %s", desk.org)
    await desk.look(after=86_400)
    assert await titles(desk) == []
    await desk.world.sql("update schedules set paused_at = null where org_id = %s", desk.org)
    resumed = datetime.now(UTC)
    desk.clock = resumed + timedelta(seconds=86_300)
    await desk.look()
    assert await titles(desk) == []
    await desk.look(after=200)
    assert await titles(desk) == ["Nightly has had no run for 1d"]


async def test_what_is_deleted_accuses_nobody(desk: Desk) -> None:
    await desk.rule("overlong", "absent", times=2, absent="1d", repeat="5m")
    told = await begun(desk, 300, usual=100)
    await desk.look()
    deleted = await begun(desk, 0, "Deleted", usual=100)
    await desk.world.sql("delete from streams where id in (%s, %s)", told, deleted)
    await desk.world.sql("delete from jobs where org_id = %s", desk.org)
    await desk.look(after=301)
    await desk.look(after=86_400)
    assert await titles(desk) == ["Nightly takes more than 2 times as long as usual"]
    assert await desk.world.sql("select from private.rule_clocks where org_id = %s", desk.org) == []
    assert await desk.world.sql("select from firings where org_id = %s and resolved_at is null", desk.org) == []


async def test_a_run_whose_tags_change_is_judged_by_the_rules_of_its_new_tags(desk: Desk) -> None:
    await desk.rule("overlong", times=3, tag="prod")
    run = await begun(desk, 100, usual=100)
    await desk.look()
    await desk.world.sql("update streams set tags = '{test,prod}' where id = %s", run)
    await desk.look(after=199)
    assert await titles(desk) == []
    await desk.look(after=2)
    assert await titles(desk) == ["Nightly takes more than 3 times as long as usual"]


async def test_a_rule_that_asks_for_something_else_forgets_what_was_so(desk: Desk) -> None:
    rule = await desk.rule("overlong", times=2, repeat="1h")
    run = await begun(desk, 300, usual=100)
    await desk.look()
    given = {"name": "R", "events": ["failed"], "people": [str(desk.ada.id)], "pace": "at_once", "repeat": "1h"}
    await put_rule(desk.world.database, desk.ada.identity, desk.org, Rule.parse(given), id=rule)
    await desk.look(after=3601)
    await desk.become(run, "completed")
    await desk.look(after=10)
    assert await titles(desk) == ["Nightly takes more than 2 times as long as usual"]


async def test_it_is_told_again_and_not_while_the_rule_is_snoozed(desk: Desk) -> None:
    await desk.rule("overlong", times=2, repeat="1h")
    snoozed = await desk.rule("overlong", times=2, name="Snoozed")
    until = desk.clock + timedelta(days=1)
    await snooze_rule(desk.world.database, desk.ada.identity, desk.org, snoozed, until=until)
    await begun(desk, 300, usual=100)
    await desk.look()
    await desk.look(after=3601)
    assert await titles(desk) == ["Nightly takes more than 2 times as long as usual"] * 2


async def test_rules_of_another_organisation_and_for_other_runs_say_nothing(desk: Desk) -> None:
    org = await desk.world.organization()
    bob = await desk.world.person(org, role=Role.ADMIN)
    events = ["overlong", "behind", "absent"]
    figures = {"times": 2, "percent": 99, "after": "1m", "absent": "1m"}
    given = {"name": "All", "events": events, "people": [str(bob.id), str(desk.ada.id)], "pace": "at_once", **figures}
    await put_rule(desk.world.database, bob.identity, org, Rule.parse(given))
    others: dict[str, Any] = {"tag": "prod", "kinds": ["scans"], "job": "other", "search": "weekly", "agent": "a"}
    for name, value in others.items():
        await desk.rule(*events, **figures | {name: value})
    await begun(desk, 300, usual=100, completed=1, total=100, tags=["test"])
    await desk.look()
    await desk.look(after=1000)
    assert await desk.world.sql("select from notifications where org_id in (%s, %s)", org, desk.org) == []


async def test_an_absence_of_the_app_accuses_nobody(desk: Desk) -> None:
    await desk.rule("overlong", times=2)
    await begun(desk, 300, usual=100)
    [[returned]] = await desk.world.sql("select returned_at from private.app_presence") or [[None]]
    await desk.world.sql(
        "insert into private.app_presence (seen_at, returned_at) values (now(), %s) "
        "on conflict (is_one) do update set returned_at = excluded.returned_at", desk.clock - timedelta(seconds=30)
    )  # fmt: skip
    try:
        await desk.look()
        assert await titles(desk) == []
        await desk.look(after=31)
        assert len(await titles(desk)) == 1
    finally:
        await desk.world.sql("update private.app_presence set returned_at = %s", returned)


async def test_a_rule_for_everything_comes_to_an_end_with_many_runs(desk: Desk) -> None:
    await desk.world.sql(
        "insert into streams (org_id, name, slug, goal_status, total, attempt_started_at) "
        "select %s, 'Run ' || n, 'job-' || n, 'in_progress', 100, %s from generate_series(1, 1200) as n",
        desk.org, desk.clock - timedelta(hours=1),
    )  # fmt: skip
    await desk.rule("behind", percent=1, after="30m", pace="grouped")
    await desk.look()
    await desk.look(after=31)
    assert await titles(desk) == ["1,200 events, of them 50 runs are behind"]


async def test_a_rule_is_tried_on_what_history_tells_of_time(desk: Desk) -> None:
    now = datetime.now(UTC)
    desk.clock = now
    slow = await begun(desk, 1000, "Slow", usual=100, completed=10, total=100)
    await begun(desk, 150, "Quick", usual=100, completed=90, total=100)
    await desk.world.sql("update progress_points set at = %s where subject_id = %s", now - timedelta(seconds=990), slow)
    await desk.run("Rare", "completed", created_at=now - timedelta(days=2))
    clock = f"{now - timedelta(minutes=5):%H:%M}"
    cases: list[tuple[dict[str, Any], str]] = [
        ({"events": ["overlong"], "times": 3}, "Slow takes more than 3 times"),
        ({"events": ["behind"], "percent": 50, "after": "10m"}, "Slow is below 50 % after 10m"),
        ({"events": ["absent"], "absent": "1d"}, "Rare has had no run for 1d"),
        (
            {"events": ["behind"], "percent": 50, "after": clock},
            "Slow is below 50 % at",
        ),
    ]
    for given, expected in cases:
        rule = Rule.parse({"name": "x", "roles": ["viewer"], **given})
        trial = await try_rule(desk.world.database, desk.ada.identity, desk.org, rule)
        assert trial.count == 1, given
        assert trial.last[0][1].startswith(expected)
        assert "known" in trial.unknown
        mallory = await desk.world.person(await desk.world.organization(), role=Role.ADMIN)
        assert (await try_rule(desk.world.database, mallory.identity, desk.org, rule)).count == 0

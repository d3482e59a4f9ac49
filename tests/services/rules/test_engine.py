"""The engine of rules on the real database: what fires, what is told to whom, once, and what is over."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from pydantic import SecretStr

from services.delivery.channel_kind import ChannelKind
from services.delivery.channels import ChannelDraft, put_channel
from services.delivery.sealing import Sealer
from services.errors import NotFound, PermissionDenied
from services.operations.upkeep.retention import delete_expired
from services.people.models import Role
from services.rules.engine import RuleEngine
from services.rules.rule import Rule
from services.rules.rules import put_rule, remove_rule, rules, snooze_rule
from services.rules.trial import try_rule
from services.schedules.watcher import watch
from tests.services.rules.desk import ADDRESS, Desk
from tests.world import until

pytestmark = pytest.mark.integration
SEALER = Sealer(SecretStr("a secret of the tests, long enough"))


async def test_those_who_are_named_are_told_once_and_others_are_not(desk: Desk) -> None:
    await desk.rule("failed")
    run = await desk.run()
    await desk.become(run, "blocked")
    await desk.look()
    await desk.look()
    assert await desk.told() == [("error", "Nightly failed")]
    assert await desk.told(desk.eve) == []
    [[path]] = await desk.world.sql("select action_url from notifications where org_id = %s", desk.org)
    assert path == f"/streams/{run}"


async def test_an_organisation_has_a_rule_from_the_start(desk: Desk) -> None:
    org = await desk.world.organization()
    bob = await desk.world.person(org, role=Role.OPERATOR)
    viewer = await desk.world.person(org, role=Role.VIEWER)
    await desk.world.sql(
        "insert into streams (org_id, name, slug, goal_status) values (%s, 'Import', 'import', 'blocked')", org
    )
    await desk.look()
    assert await desk.world.sql("select from notifications where org_id = %s", org) == []
    await desk.look(after=31)
    told = dict(await desk.world.sql("select user_id, title from notifications where org_id = %s", org))
    assert told[bob.id] == "Import failed"
    assert viewer.id not in told


async def test_what_comes_within_half_a_minute_is_one_message_with_its_count(desk: Desk) -> None:
    await desk.rule("failed", "finished", pace="grouped")
    for number in range(60):
        await desk.run(f"Import {number}", "completed" if number % 3 else "blocked")
    await desk.look()
    await desk.run("One more", "blocked")
    await desk.look(after=20)
    assert await desk.told() == []
    await desk.look(after=11)
    assert await desk.told() == [("error", "61 events, of them 33 runs finished, 17 runs failed")]


@pytest.mark.parametrize(
    ("rule", "fires"),
    [
        ({}, True),
        ({"kinds": ["streams"]}, True),
        ({"kinds": ["agents"]}, False),
        ({"job": "nightly"}, True),
        ({"job": "other"}, False),
        ({"tag": "prod"}, True),
        ({"tag": "test"}, False),
        ({"search": "NÍGHT ly"}, True),
        ({"search": "day"}, False),
    ],
)
async def test_it_is_for_what_it_says(desk: Desk, rule: dict[str, Any], fires: bool) -> None:
    await desk.rule("failed", **rule)
    await desk.run(status="blocked", tags=["prod"])
    await desk.look()
    assert bool(await desk.told()) == fires


async def test_a_silent_run_is_told_by_the_watcher_and_its_return_too(desk: Desk) -> None:
    await desk.rule("unreachable", "failed")
    now = datetime.now(UTC)
    run = await desk.run(heartbeat_at=now - timedelta(seconds=60), heartbeat_interval=5)
    await watch(desk.world.database, at=now + timedelta(seconds=60))
    await desk.look()
    assert await desk.told() == [("error", "Nightly is unreachable")]
    await desk.world.sql("update streams set heartbeat_at = now() + interval '2 minutes' where id = %s", run)
    await desk.look(after=120)
    assert ("success", "Nightly is back") in await desk.told()
    assert await desk.world.sql("select from firings where org_id = %s and resolved_at is null", desk.org) == []


async def test_a_job_that_failed_is_back_when_its_next_run_succeeds(desk: Desk) -> None:
    await desk.rule("failed")
    await desk.run(status="blocked")
    await desk.look()
    await desk.run(status="completed", slug="nightly@2")
    await desk.run("Other", "completed")
    await desk.look()
    assert await desk.told() == [
        ("error", "Nightly failed"),
        ("success", "Nightly #2 finished, after it had failed"),
    ]


async def test_what_is_still_so_is_told_again_until_it_is_over(desk: Desk) -> None:
    await desk.rule("failed", repeat="1h", tells_recovery=False)
    run = await desk.run(status="blocked")
    await desk.look()
    await desk.look(after=3500)
    assert len(await desk.told()) == 1
    await desk.look(after=101)
    assert len(await desk.told()) == 2
    await desk.become(run, "in_progress")
    await desk.become(run, "completed")
    await desk.world.sql("update firings set at = at - interval '1 minute' where org_id = %s", desk.org)
    await desk.look()
    await desk.look(after=7200)
    assert len(await desk.told()) == 2


async def test_quiet_hours_wait_and_a_snoozed_rule_says_nothing(desk: Desk) -> None:
    start = desk.clock.astimezone(UTC)
    quiet = f"{start - timedelta(hours=1):%H:%M}-{start + timedelta(hours=1):%H:%M}"
    await desk.rule("failed", quiet=quiet)
    snoozed = await desk.rule("failed", name="S")
    until = desk.clock + timedelta(hours=5)
    await snooze_rule(desk.world.database, desk.ada.identity, desk.org, snoozed, until=until)
    await desk.run(status="blocked")
    await desk.look()
    assert await desk.told() == []
    await desk.look(after=3600)
    assert len(await desk.told()) == 1


async def test_alerts_are_passed_on_by_admins_rules_from_a_priority_on(desk: Desk) -> None:
    await desk.rule("alert", priority="high", people=[str(desk.ada.id)])
    for strength, people in ((95, [desk.eve, desk.ada]), (60, [desk.eve])):
        ids = [UUID(int=desk.org.int + strength * 10 + number) for number in range(len(people))]
        for id, person in zip(ids, people, strict=True):
            await desk.world.sql(
                "insert into signal_alerts (id, org_id, user_id, event_id, target_name, signal_type, signal_strength) "
                "values (%s, %s, %s, %s, 'Acme', 'price_drop', %s)",
                id, desk.org, person.id, ids[0] if len(ids) > 1 else None, strength,
            )  # fmt: skip
    await desk.look()
    assert await desk.told() == [("warning", "Acme: price drop")]
    bob = await desk.world.person(desk.org, role=Role.OPERATOR)
    given = Rule.parse({"name": "x", "events": ["alert"], "roles": ["viewer"]})
    with pytest.raises(PermissionDenied, match="personal"):
        await put_rule(desk.world.database, bob.identity, desk.org, given)


async def test_channels_of_the_organisation_get_a_delivery_each_and_others_none(desk: Desk) -> None:
    draft = ChannelDraft(name="Ops", kind=ChannelKind.WEBHOOK, address=SecretStr("https://example.org/in"))
    database = desk.world.database
    ours, _ = await put_channel(database, desk.ada.identity, desk.org, draft, SEALER)
    other_org = await desk.world.organization()
    mallory = await desk.world.person(other_org, role=Role.ADMIN)
    theirs, _ = await put_channel(database, mallory.identity, other_org, draft, SEALER)
    await desk.rule("failed", channels=[str(ours), str(theirs)], people=[str(desk.ada.id), str(mallory.id)])
    await desk.run(status="blocked")
    await desk.look()
    rows = await desk.world.sql("select channel_id, content from deliveries where channel_id in (%s, %s)", ours, theirs)
    assert [row[0] for row in rows] == [ours]
    assert rows[0][1]["url"].startswith(f"{ADDRESS}/streams/")
    assert await desk.told(mallory) == []


async def test_only_those_who_may_write_write_and_others_see_no_rule(desk: Desk) -> None:
    database = desk.world.database
    id = await desk.rule("failed")
    mallory = await desk.world.person(await desk.world.organization(), role=Role.ADMIN)
    given = Rule.parse({"name": "x", "events": ["failed"], "roles": ["viewer"]})
    for person in (desk.eve, mallory):
        for work in (
            put_rule(database, person.identity, desk.org, given),
            put_rule(database, person.identity, desk.org, given, id=id),
            snooze_rule(database, person.identity, desk.org, id, until=None),
            remove_rule(database, person.identity, desk.org, id),
        ):
            with pytest.raises(PermissionDenied):
                await work
    assert await rules(database, mallory.identity, desk.org) == []
    assert {each.name for each in await rules(database, desk.eve.identity, desk.org)} == {"Failed and silent runs", "R"}
    await remove_rule(database, desk.ada.identity, desk.org, id)
    with pytest.raises(NotFound):
        await put_rule(database, desk.ada.identity, desk.org, given, id=id)


async def test_a_rule_that_cannot_be_read_stops_no_other(desk: Desk) -> None:
    await desk.rule("failed")
    bad = await desk.rule("failed", name="Bad")
    await desk.world.sql('update rules set definition = \'{"roles": ["king"]}\', updated_at = now() where id = %s', bad)
    await desk.run(status="blocked")
    await desk.look()
    assert len(await desk.told()) == 1
    [found] = [each for each in await rules(desk.world.database, desk.ada.identity, desk.org) if each.id == bad]
    assert "king" in found.fault


async def test_a_run_that_was_deleted_meanwhile_is_told_by_its_name(desk: Desk) -> None:
    await desk.rule("failed")
    run = await desk.run(status="blocked")
    await desk.world.sql("delete from streams where id = %s", run)
    await desk.look()
    assert [title for _, title in await desk.told()] in ([], ["Nightly failed"])


async def test_a_rule_is_tried_on_the_last_days(desk: Desk) -> None:
    for number in range(4):
        await desk.run(f"Import {number}", "blocked", tags=["prod"])
    await desk.run("Other", "blocked")
    rule = Rule.parse({"name": "x", "events": ["failed"], "roles": ["viewer"], "tag": "prod"})
    trial = await try_rule(desk.world.database, desk.ada.identity, desk.org, rule)
    assert (trial.count, len(trial.last)) == (4, 3)
    assert trial.sentence.startswith("It would have fired 4 times in the last 7 days: Import 3 failed (")
    mallory = await desk.world.person(await desk.world.organization(), role=Role.ADMIN)
    assert (await try_rule(desk.world.database, mallory.identity, desk.org, rule)).count == 0


async def test_what_was_told_long_ago_is_deleted_and_what_waits_is_not(desk: Desk) -> None:
    draft = ChannelDraft(name="Ops", kind=ChannelKind.WEBHOOK, address=SecretStr("https://example.org/in"))
    channel, _ = await put_channel(desk.world.database, desk.ada.identity, desk.org, draft, SEALER)
    await desk.rule("failed", channels=[str(channel)])
    for name in ("Old", "Waiting", "New"):
        await desk.run(name, "blocked")
        await desk.look()
    for table, name, time in (("firings", "subject_name", "at"), ("deliveries", "content ->> 'title'", "created_at")):
        await desk.world.sql(
            f"update {table} set {time} = {time} - interval '31 days' where org_id = %s and {name} !~ 'New'", desk.org
        )
    await desk.world.sql(
        "update deliveries set next_at = null, delivered_at = now() where org_id = %s and content ->> 'title' ~ 'Old'",
        desk.org,
    )
    counts: dict[str, int] = {}

    async def is_done() -> bool:
        counts.update(await delete_expired(desk.world.database))
        return bool(counts) and not any(counts.values())

    await until(is_done, within=20)
    [firings] = await desk.world.sql("select array_agg(subject_name) from firings where org_id = %s", desk.org)
    assert firings == (["New"],)
    titles = await desk.world.sql("select content ->> 'title' from deliveries where org_id = %s order by 1", desk.org)
    assert titles == [("New failed",), ("Waiting failed",)]


async def test_two_engines_tell_an_event_once(desk: Desk) -> None:
    await desk.rule("failed")
    async with RuleEngine(desk.world.database, address=ADDRESS, interval=3600) as other:
        for number in range(20):
            await desk.run(f"Import {number}", "blocked")
            await asyncio.gather(desk.engine.look(at=desk.clock), other.look(at=desk.clock))
    await desk.look()
    fired = await desk.world.sql("select count(*) from firings where org_id = %s", desk.org)
    assert fired == [(20,)]

"""One event tells one person once, whatever the number of rules that it is for."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from services.delivery.channel_kind import ChannelKind
from services.delivery.channels import ChannelDraft, put_channel
from services.delivery.sealing import Sealer
from services.people.models import Role
from services.rules.rules import remove_rule
from services.rules.terms.audience import Audience, excluded, shares
from tests.services.rules.desk import Desk

SEALER = Sealer(SecretStr("a secret of the tests, long enough"))
ROLES = ("viewer", "operator", "admin")
MEMBERS = {f"p{number}": ROLES[number % 3] for number in range(6)}
AUDIENCES = st.builds(
    Audience,
    people=st.frozensets(st.sampled_from([*MEMBERS, "left"]), max_size=3),
    roles=st.frozensets(st.sampled_from(ROLES), max_size=2),
    channels=st.frozensets(st.sampled_from(["c1", "c2", "c3"]), max_size=2),
)


def reached(audience: Audience) -> set[str]:
    people = {person for person, role in MEMBERS.items() if audience.has(person, role)}
    return people | audience.channels


@given(rules=st.lists(st.tuples(st.sampled_from(["at once", "daily"]), AUDIENCES), max_size=8))
def test_everybody_is_told_by_the_first_rule_of_each_pace_and_by_no_other(rules: list[tuple[str, Audience]]) -> None:
    told: list[tuple[str, str, int]] = []
    given_rules = [((number, pace, audience), pace, audience) for number, (pace, audience) in enumerate(rules)]
    for (number, pace, audience), kept_from in excluded(given_rules):
        for share in [] if kept_from is None else shares(audience, [kept_from], MEMBERS):
            told += [(pace, each, number) for each in (*share.people, *share.channels)]
    expected: dict[tuple[str, str], int] = {}
    for number, (pace, audience) in enumerate(rules):
        for each in reached(audience):
            expected.setdefault((pace, each), number)
    assert sorted(told) == sorted((pace, each, number) for (pace, each), number in expected.items())


@given(audience=AUDIENCES, kept_from=st.lists(AUDIENCES, min_size=1, max_size=4))
def test_each_gets_what_they_are_not_kept_from_in_one_message(audience: Audience, kept_from: list[Audience]) -> None:
    found = shares(audience, kept_from, MEMBERS)
    got = {each: share.gatherings for share in found for each in (*share.people, *share.channels)}
    assert len(got) == sum(len(share.people) + len(share.channels) for share in found)
    assert {each: set(places) for each, places in got.items()} == {
        each: places
        for each in reached(audience)
        if (places := {n for n, other in enumerate(kept_from) if each not in reached(other)})
    }


def test_thousands_of_rules_that_tell_the_same_cost_little() -> None:
    same = Audience(people=frozenset({"ada"}), roles=frozenset({"viewer"}))
    found = excluded((number, "at once", same) for number in range(5000))
    assert [rule for rule, kept_from in found if kept_from is not None] == [0]


@pytest.mark.integration
async def test_two_rules_for_a_run_give_a_person_one_message_and_the_others_theirs(desk: Desk) -> None:
    await desk.rule("failed", name="First", title="$rule: $run")
    await desk.rule("failed", name="Same", title="$rule: $run")
    await desk.rule("failed", name="Roles", title="$rule: $run", people=[], roles=["admin", "viewer"])
    await desk.rule("failed", name="Daily", title="$rule: $run", pace="daily")
    await desk.rule("failed", name="Prod", title="$rule: $run", tag="prod", people=[str(desk.eve.id)])
    await desk.run("Nightly", "blocked", tags=["prod"])
    await desk.look()
    assert await desk.told() == [("error", "First: Nightly")]
    assert await desk.told(desk.eve) == [("error", "Roles: Nightly")]
    await desk.look(after=86_400)
    assert [title for _, title in await desk.told()] == ["First: Nightly", "Daily: Nightly"]
    assert await desk.world.sql("select count(*) from firings where org_id = %s", desk.org) == [(5,)]


@pytest.mark.integration
async def test_of_events_of_which_some_were_told_the_others_come_in_one_message(desk: Desk) -> None:
    await desk.rule("failed", name="Prod", tag="prod", pace="grouped", title="$rule $count")
    await desk.rule("failed", name="All", people=[], roles=["admin", "viewer"], pace="grouped", title="$rule $count")
    for number in range(6):
        await desk.run(f"Import {number}", "blocked", tags=["prod"] if number % 3 == 0 else [])
        await desk.look(after=1)
    await desk.look(after=31)
    assert sorted(title for _, title in await desk.told()) == ["All 4", "Prod 2"]
    assert await desk.told(desk.eve) == [("error", "All 6")]


@pytest.mark.integration
async def test_a_channel_gets_an_event_once_and_an_end_too(desk: Desk) -> None:
    both: list[UUID] = []
    for name in ("Ops", "More"):
        draft = ChannelDraft(name=name, kind=ChannelKind.WEBHOOK, address=SecretStr("https://example.org/in"))
        both.append((await put_channel(desk.world.database, desk.ada.identity, desk.org, draft, SEALER))[0])
    ids = [str(each) for each in both]
    await desk.rule("failed", channels=ids[:1], people=[])
    await desk.rule("failed", channels=ids, people=[], name="Both")
    await desk.run(status="blocked")
    await desk.look()
    await desk.run(status="completed", slug="nightly@2")
    await desk.look()
    rows = await desk.world.sql(
        "select channel_id, content ->> 'rule', content ->> 'event' from deliveries where org_id = %s order by 3, 2",
        desk.org,
    )  # fmt: skip
    assert rows == [
        (both[1], "Both", "failed"), (both[0], "R", "failed"), (both[1], "Both", "recovered"),
        (both[0], "R", "recovered"),
    ]  # fmt: skip


@pytest.mark.integration
async def test_reminders_and_ends_of_time_come_once_and_the_next_rule_speaks_for_one_that_is_gone(desk: Desk) -> None:
    figures: dict[str, Any] = {"times": 2, "repeat": "1h"}
    first = await desk.rule("overlong", name="First", title="$rule: $title", **figures)
    await desk.rule("overlong", name="Second", title="$rule: $title", **figures)
    run = await desk.run(attempt_started_at=desk.clock - timedelta(seconds=300))
    await desk.world.sql("update streams set usual_seconds = 100 where id = %s", run)
    await desk.look()
    await desk.look(after=3601)
    assert [title.partition(":")[0] for _, title in await desk.told()] == ["First", "First"]
    await remove_rule(desk.world.database, desk.ada.identity, desk.org, first)
    await desk.become(run, "completed")
    await desk.look(after=10)
    assert [title for _, title in await desk.told()][2:] == ["Second: Nightly ended (completed)"]


@pytest.mark.integration
async def test_what_another_organisation_asks_takes_nothing_from_anybody(desk: Desk) -> None:
    org = await desk.world.organization()
    bob = await desk.world.person(org, desk.org, role=Role.ADMIN)
    await desk.world.sql("update rules set is_enabled = false where org_id = %s", org)
    theirs = Desk(desk.world, desk.engine, org, bob, desk.eve, clock=desk.clock)
    await theirs.rule("failed", people=[str(bob.id)])
    await desk.rule("failed", people=[str(bob.id)])
    await theirs.run("Theirs", "blocked")
    await desk.run("Ours", "blocked")
    await desk.look()
    assert await desk.told(bob) == [("error", "Ours failed")]
    assert await theirs.told(bob) == [("error", "Theirs failed")]

"""Channels and the outbox in the database: who may do what, what is tried when, and what is delivered by whom."""

import asyncio
import json
from typing import Any

import pytest
from pydantic import SecretStr

from services.delivery.channel_kind import ChannelKind
from services.delivery.channels import (
    ChannelDraft,
    channels,
    deliveries,
    put_channel,
    remove_channel,
    try_channel,
)
from services.delivery.deliverer import Couriers, Deliverer
from services.delivery.message import Answer, Message
from services.delivery.outbox import claim, note
from services.delivery.sealing import Sealer
from services.errors import AddressRefused, ConfigurationError, Conflict, NotFound, PermissionDenied
from services.people.models import Role
from tests.services.delivery.desk import SEALER, Desk, draft
from tests.services.delivery.receiver import receiver, status
from tests.world import until

pytestmark = pytest.mark.integration


async def test_an_address_is_sealed_and_never_shown(desk: Desk) -> None:
    [channel] = await channels(desk.world.database, desk.ada.identity, desk.org)
    assert (channel.hint, channel.waiting) == ("example.org", 0)
    sealed = await desk.sealed()
    assert "example.org" not in sealed
    assert SEALER.open(sealed).get_secret_value().endswith(" https://example.org/in")
    with pytest.raises(ConfigurationError, match="Enter the address again"):
        Sealer(SecretStr("another")).open(sealed)


async def test_only_admins_write_and_members_of_others_see_nothing(desk: Desk) -> None:
    database = desk.world.database
    bob = await desk.world.person(desk.org, role=Role.OPERATOR)
    eve = await desk.world.person(await desk.world.organization(), role=Role.ADMIN)
    await desk.enqueue("a")
    for other in (bob, eve):
        with pytest.raises(PermissionDenied):
            await put_channel(database, other.identity, desk.org, draft(name="Mine"), SEALER)
        with pytest.raises(PermissionDenied):
            await remove_channel(database, other.identity, desk.org, desk.channel)
    couriers = Couriers(SEALER, None)
    with pytest.raises(PermissionDenied):
        await try_channel(database, bob.identity, desk.org, desk.channel, couriers)
    with pytest.raises(NotFound):
        await try_channel(database, eve.identity, desk.org, desk.channel, couriers)
    eves = (await desk.world.sql("select org_id from org_members where user_id = %s", eve.id))[0][0]
    with pytest.raises(NotFound):
        await put_channel(database, eve.identity, eves, draft(), SEALER, id=desk.channel)
    assert await channels(database, eve.identity, desk.org) == []
    assert await deliveries(database, eve.identity, desk.org, desk.channel) == []
    assert len(await deliveries(database, bob.identity, desk.org, desk.channel)) == 1


async def test_only_admins_see_messages_of_alerts(desk: Desk) -> None:
    bob = await desk.world.person(desk.org, role=Role.OPERATOR)
    await desk.enqueue("a run")
    await desk.world.sql(
        "insert into deliveries (org_id, channel_id, key, content) values (%s, %s, %s, %s)",
        desk.org, desk.channel, f"{desk.channel} alert",
        json.dumps(Message(title="an alert", events=[{"event": "alert"}]).as_json),
    )  # fmt: skip
    seen = [
        {each.title for each in await deliveries(desk.world.database, person.identity, desk.org, desk.channel)}
        for person in (desk.ada, bob)
    ]
    assert seen == [{"a run", "an alert"}, {"a run"}]


async def test_a_name_is_given_once_and_a_removed_channel_is_gone(desk: Desk) -> None:
    database, ada = desk.world.database, desk.ada.identity
    with pytest.raises(Conflict, match="Ops"):
        await put_channel(database, ada, desk.org, draft(), SEALER)
    with pytest.raises(AddressRefused):
        await put_channel(database, ada, desk.org, draft("file:///etc/passwd", name="x"), SEALER)
    await desk.enqueue("a")
    await remove_channel(database, ada, desk.org, desk.channel)
    with pytest.raises(NotFound):
        await remove_channel(database, ada, desk.org, desk.channel)
    assert await desk.world.sql("select from deliveries where org_id = %s", desk.org) == []
    audited = await desk.world.sql("select action from audit_events where org_id = %s order by id", desk.org)
    assert [row[0] for row in audited][-2:] == ["channel.created", "channel.removed"]


async def test_a_change_without_an_address_keeps_it(desk: Desk) -> None:
    database, ada = desk.world.database, desk.ada.identity
    before = await desk.sealed()
    await put_channel(database, ada, desk.org, draft("", name="Renamed", is_enabled=False), SEALER, id=desk.channel)
    [channel] = await channels(database, ada, desk.org)
    assert (channel.name, channel.hint, channel.is_enabled) == ("Renamed", "example.org", False)
    assert before == await desk.sealed()


async def test_a_delivery_is_claimed_by_one_and_again_once_its_claim_has_ended(desk: Desk) -> None:
    await desk.enqueue("a")
    both = await asyncio.gather(desk.claimed(), desk.claimed())
    assert sorted(both) == [[], ["a"]]
    assert (await desk.row("a"))[4] is False
    await desk.world.sql("update deliveries set claimed_until = now() where org_id = %s", desk.org)
    assert await desk.claimed() == ["a"]
    assert (await desk.row("a"))[4] is True


async def test_a_try_that_failed_waits_longer_each_time_and_ends_after_a_day(desk: Desk) -> None:
    await desk.enqueue("a")
    pauses = []
    for _ in range(9):
        [found] = [each for each in await claim(desk.world.database, limit=9) if each.channel_id == desk.channel]
        await note(desk.world.database, found.id, Answer(is_delivered=False, text="500"))
        pauses.append((await desk.row("a"))[1].total_seconds())
        await desk.world.sql("update deliveries set next_at = now() where org_id = %s", desk.org)
    assert 20 < pauses[0] < 40
    assert pauses[:4] == sorted(pauses[:4])
    assert max(pauses) <= 3601
    await desk.world.sql("update deliveries set created_at = now() - interval '25 hours' where org_id = %s", desk.org)
    assert await desk.claimed() == []
    assert (await desk.row("a"))[3] is True
    [[said]] = await desk.world.sql(
        "select after from audit_events where org_id = %s and action = 'delivery.given_up'", desk.org
    )
    assert said["count"] == 1


async def test_what_a_provider_asks_for_is_done(desk: Desk) -> None:
    await desk.enqueue("later", "never")
    for each in await claim(desk.world.database, limit=100):
        if each.message.title == "later":
            await note(desk.world.database, each.id, Answer(is_delivered=False, text="429", retry_after=900))
        elif each.message.title == "never":
            await note(desk.world.database, each.id, Answer(is_delivered=False, text="410 Gone", is_final=True))
    assert 890 < (await desk.row("later"))[1].total_seconds() <= 900
    assert (await desk.row("never"))[3] is True
    [[said]] = await desk.world.sql(
        "select after from audit_events where org_id = %s and action = 'delivery.given_up'", desk.org
    )
    assert (said["title"], said["answer"]) == ("never", "410 Gone")


async def test_a_channel_has_four_at_a_time_and_so_many_an_hour(desk: Desk) -> None:
    database, ada = desk.world.database, desk.ada.identity
    await put_channel(database, ada, desk.org, draft("", max_per_hour=6), SEALER, id=desk.channel)
    await desk.enqueue(*(f"m{number}" for number in range(10)))
    found = [each for each in await claim(database, limit=100) if each.channel_id == desk.channel]
    assert len(found) == 4
    assert await desk.claimed() == []
    for each in found:
        await note(database, each.id, Answer(is_delivered=True, text="ok"))
    assert len(await desk.claimed()) == 2
    [channel] = await channels(database, ada, desk.org)
    assert channel.waiting == 6


async def test_a_channel_that_is_off_gets_nothing(desk: Desk) -> None:
    await put_channel(
        desk.world.database, desk.ada.identity, desk.org, draft("", is_enabled=False), SEALER, id=desk.channel
    )
    await desk.enqueue("a")
    assert await desk.claimed() == []


async def test_a_receiver_that_never_answers_holds_up_no_other(desk: Desk) -> None:
    database, ada = desk.world.database, desk.ada.identity
    couriers = Couriers(SEALER, None, allow_private=True)
    async with receiver(*[None] * 30) as silent, receiver(status(500)) as there:
        await put_channel(database, ada, desk.org, draft(silent.url), SEALER, id=desk.channel)
        other, _ = await put_channel(database, ada, desk.org, draft(there.url, name="Other"), SEALER)
        await desk.enqueue(*(f"silent {number}" for number in range(20)))
        await desk.enqueue("first", "second", channel=other)
        async with Deliverer(database, couriers, interval=0.05):
            await until(lambda: len(there.requests) >= 2, within=20, what="both messages")
            found: list[Any] = []

            async def are_noted() -> bool:
                found[:] = await deliveries(database, ada, desk.org, other)
                return all(each.attempts and each.answer for each in found)

            await until(are_noted, within=10)
        assert len(silent.requests) == 4
    assert sorted(each.delivered_at is not None for each in found) == [False, True]
    ids = {each.headers["webhook-id"] for each in there.requests}
    assert len(ids) == 2


async def test_a_test_tells_what_the_other_side_said(desk: Desk) -> None:
    database, ada = desk.world.database, desk.ada.identity
    couriers = Couriers(SEALER, None, allow_private=True)
    async with receiver(status(403, body="no_team")) as there:
        await put_channel(database, ada, desk.org, draft(there.url), SEALER, id=desk.channel)
        answer = await try_channel(database, ada, desk.org, desk.channel, couriers)
        assert (answer.is_delivered, answer.text) == (False, "403 Forbidden: no_team")
        assert (await try_channel(database, ada, desk.org, desk.channel, couriers)).is_delivered
        gotify, _ = await put_channel(
            database, ada, desk.org,
            ChannelDraft(
                name="Push", kind=ChannelKind.GOTIFY, address=SecretStr(f"gotify://127.0.0.1:{there.port}/AbCdEfGhIjKlMn")
            ),
            SEALER,
        )  # fmt: skip
        there.answers = [status(401, body="{}"), status(302, "location: http://127.0.0.1:1/x"), status(200, body="ok")]
        for _ in range(3):
            assert not (await try_channel(database, ada, desk.org, gotify, couriers)).is_delivered
        there.answers = [status(200, body='{"id": 1}')]
        assert (await try_channel(database, ada, desk.org, gotify, couriers)).is_delivered
    private = Couriers(SEALER, None)
    assert "private network" in (await try_channel(database, ada, desk.org, gotify, private)).text


async def test_without_a_mail_server_a_channel_of_mails_says_so(desk: Desk) -> None:
    database, ada = desk.world.database, desk.ada.identity
    given = ChannelDraft(name="Mail", kind=ChannelKind.EMAIL, address=SecretStr("a@example.org, b@example.org"))
    id, secret = await put_channel(database, ada, desk.org, given, SEALER)
    couriers = Couriers(SEALER, None)
    answer = await try_channel(database, ada, desk.org, id, couriers)
    assert (answer.is_delivered, answer.is_final, secret) == (False, True, "")
    assert "LIVEWATCH_SMTP_URL" in answer.text

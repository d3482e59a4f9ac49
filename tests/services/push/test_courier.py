"""What devices are told of what comes to a person's inboxes, over the real database and a push service of the tests."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from services.entities import AlertStatus
from services.people.alert_marks import set_alert_status
from services.people.inbox import NOTIFICATION_INBOX
from services.push.application_key import ApplicationKey
from services.push.courier import PushCourier, quiet_seconds
from services.push.devices import own_devices, read_badge
from services.push.sender import PushSender
from tests.conftest import a_world
from tests.push_service import Phone, PushService, no_answer, subscribe
from tests.world import Person, World, until

pytestmark = pytest.mark.integration
NEVER = 1e6
MANY = 3000
_ALERT = """
    insert into signal_alerts (id, org_id, user_id, stream_id, target_name, signal_type, signal_strength)
    values (%s, %s, %s, %s, %s, 'price_drop', 95)
"""


@pytest.fixture(scope="module")
async def world() -> AsyncIterator[World]:
    """Yield a world of this module's own: an app that another test runs would tell the devices itself."""
    async with a_world() as world:
        yield world


class Scene:
    """A person with two phones, an organisation, and a courier that runs when it is told to."""

    def __init__(self, world: World, org: UUID, ada: Person, service: PushService, sender: PushSender) -> None:
        self.world, self.org, self.ada, self.service = world, org, ada, service
        self.sender = sender
        self.courier = PushCourier(world.database, sender, interval=NEVER)

    async def phone(self, **values: Any) -> Phone:
        phone = self.service.phone(**values)
        await subscribe(self.world, self.ada, phone)
        return phone

    async def alert(self, name: str = "Disk", *, to: Person | None = None, stream: UUID | None = None) -> UUID:
        id = uuid4()
        await self.world.sql(_ALERT, id, self.org, (to or self.ada).id, stream, name)
        return id

    async def notification(self, title: str = "Done", url: str | None = None) -> UUID:
        id = uuid4()
        insert = "insert into notifications (id, org_id, user_id, title, action_url) values (%s, %s, %s, %s, %s)"
        await self.world.sql(insert, id, self.org, self.ada.id, title, url)
        return id

    async def deliver(self) -> None:
        """Let the time pass that groups wait, and tell the devices."""
        await self.world.sql(
            "update private.push_groups set due_at = now() where user_id = %s and due_at is not null", self.ada.id
        )
        await self.courier.deliver_due()


@pytest.fixture
async def scene(world: World) -> AsyncIterator[Scene]:
    org, service = await world.organization(), PushService()
    key = ApplicationKey(ec.generate_private_key(ec.SECP256R1()))
    async with PushSender(key, transport=service) as sender:
        scene = Scene(world, org, await world.person(org), service, sender)
        yield scene
        await scene.courier.aclose()


async def test_an_alert_reaches_every_device_of_its_recipient_and_of_nobody_else(scene: Scene, world: World) -> None:
    first, second = await scene.phone(), await scene.phone()
    other = scene.service.phone()
    await subscribe(world, await world.person(scene.org), other)
    stream = uuid4()
    await world.sql("insert into streams (id, org_id, name) values (%s, %s, 'Import')", stream, scene.org)
    await scene.alert("Disk is full", stream=stream)
    await until(scene.courier.deliver_due, what="due after a second, without help")
    for phone in (first, second):
        (shown,) = phone.shown
        assert shown["title"] == "Disk is full"
        assert shown["body"] == "price drop · strength 95"
        assert shown["url"] == f"/streams/{stream}"
        assert (shown["badge"], shown["rank"], shown["can_acknowledge"]) == (1, 3, True)
        assert phone.received[0].headers["urgency"] == "high"
    assert other.shown == []
    for device in await own_devices(world.database, scene.ada.identity):
        assert device.answer == "push.example.com took the message (201)."


async def test_a_storm_is_one_push_for_each_group_and_the_badge_is_exact(scene: Scene, world: World) -> None:
    phones = [await scene.phone(), await scene.phone()]
    streams = [uuid4(), uuid4()]
    for each in streams:
        await world.sql("insert into streams (id, org_id, name) values (%s, %s, 'Import')", each, scene.org)
    insert = """
        insert into signal_alerts (org_id, user_id, stream_id, target_name, signal_type, signal_strength)
        select %s, %s, (%s::uuid[])[1 + n %% 2], 'Target ' || n, 'storm', 60
        from generate_series(%s::integer, %s::integer) as n
    """
    for begin in range(1, MANY, 100):
        await world.sql(insert, scene.org, scene.ada.id, streams, begin, begin + 99)
    await scene.deliver()
    await scene.deliver()
    await scene.deliver()
    for phone in phones:
        assert sorted(each["url"] for each in phone.shown) == sorted(f"/streams/{each}" for each in streams)
        assert {each["title"] for each in phone.shown} == {"1,500 new alerts"}
        assert {each["badge"] for each in phone.shown} == {MANY}
    assert await read_badge(world.database, scene.ada.identity) == MANY


async def test_quiet_hours_hold_back_what_rings_and_let_pass_what_was_read(scene: Scene, world: World) -> None:
    phone, now = await scene.phone(), datetime(2026, 11, 27, 23, 0, tzinfo=UTC)
    scene.courier = PushCourier(world.database, scene.sender, interval=NEVER, clock=lambda: now)
    first = await scene.alert("Before")
    await scene.deliver()
    quiet = """update profiles set preferences = '{"quiet": "23:30-08:00", "quiet_zone": "Europe/Berlin"}'
               where user_id = %s"""
    await world.sql(quiet, scene.ada.id)
    await scene.alert("At night")
    await scene.notification("Read at night")
    await scene.deliver()
    assert [each["title"] for each in phone.shown] == ["Before"]
    waits = "select min(due_at - clock_timestamp()) > interval '7.9 hours' from private.push_groups where user_id = %s"
    assert await world.sql(waits, scene.ada.id) == [(True,)]
    await set_alert_status(world.database, scene.ada.identity, [first], AlertStatus.ACKNOWLEDGED)
    now += timedelta(hours=8)
    await scene.deliver()
    assert sorted(each["title"] for each in phone.shown[1:]) == ["At night", "Read at night"]


@pytest.mark.parametrize("quiet", [None, "", "nonsense", "25:00-26:00", "07:00-07:00"])
def test_quiet_hours_that_make_no_sense_hold_nothing_back(quiet: str | None) -> None:
    assert quiet_seconds({"quiet": quiet, "quiet_zone": "Nowhere"}, datetime(2026, 11, 27, tzinfo=UTC)) is None


async def test_what_comes_after_a_push_is_one_more_when_the_group_has_rested(scene: Scene) -> None:
    phone = await scene.phone()
    await scene.alert("First")
    await scene.deliver()
    for each in range(5):
        await scene.alert(f"Next {each}")
    assert await scene.courier.deliver_due() == 0
    await scene.deliver()
    assert [each["title"] for each in phone.shown] == ["First", "6 new alerts"]
    assert phone.shown[1]["body"] == "Next 4 and 5 more"
    assert phone.shown[0]["tag"] == phone.shown[1]["tag"]


async def test_what_was_read_anywhere_leaves_every_device_and_before_a_push_says_nothing(
    scene: Scene, world: World
) -> None:
    phone, apple = await scene.phone(), await scene.phone(host="web.push.apple.com")
    id, other = await scene.alert(), await scene.notification("Done", "/streams/1")
    await scene.deliver()
    await set_alert_status(world.database, scene.ada.identity, [id], AlertStatus.DISMISSED)
    await until(scene.courier.deliver_due, what="what was read is due within a second")
    assert [(each["title"], each["badge"]) for each in phone.shown[2:]] == [("", 1)]
    assert phone.received[2].headers["topic"] in {each.headers["topic"] for each in phone.received[:2]}
    assert phone.received[2].headers["urgency"] == "low"
    assert len(apple.shown) == 2, "Safari ends a subscription after messages that show nothing"
    await NOTIFICATION_INBOX.mark(world.database, scene.ada.identity, other)
    soon_read = await scene.notification("Read at once")
    await NOTIFICATION_INBOX.mark(world.database, scene.ada.identity, soon_read)
    await scene.deliver()
    assert [(each["title"], each["badge"]) for each in phone.shown[3:]] == [("", 0)]


async def test_reading_some_of_a_group_only_brings_its_count_up_to_date(scene: Scene, world: World) -> None:
    phone = await scene.phone()
    ids = [await scene.notification(f"Note {each}") for each in range(3)]
    await scene.deliver()
    await NOTIFICATION_INBOX.mark(world.database, scene.ada.identity, ids[2])
    await scene.deliver()
    last = phone.shown[-1]
    assert (last["title"], last["is_silent"], last["badge"]) == ("2 new notifications", True, 2)
    await scene.notification("New")
    await scene.deliver()
    assert (phone.shown[-1]["title"], phone.shown[-1]["is_silent"]) == ("3 new notifications", False)


async def test_groups_of_which_all_is_said_are_forgotten_or_rest(scene: Scene, world: World) -> None:
    phone = await scene.phone()
    id = await scene.alert()
    for _ in range(3):
        await scene.deliver()
    rows = "select due_at is null, told_unread from private.push_groups where user_id = %s"
    assert await world.sql(rows, scene.ada.id) == [(True, 1)]
    await set_alert_status(world.database, scene.ada.identity, [id], AlertStatus.ACKNOWLEDGED)
    for _ in range(3):
        await scene.deliver()
    assert await world.sql(rows, scene.ada.id) == []
    assert len(phone.shown) == 2


async def test_a_writer_that_sees_a_group_close_makes_it_due_again(scene: Scene, world: World) -> None:
    phone = await scene.phone()
    await scene.alert("First")
    await scene.deliver()
    await scene.deliver()
    assert await world.sql("select is_closing from private.push_groups where user_id = %s", scene.ada.id) == [(True,)]
    await scene.alert("Second")
    await until(scene.courier.deliver_due, what="due after a second, not after the rest")
    assert phone.shown[-1]["title"] == "2 new alerts"


@pytest.mark.parametrize("status", [404, 410])
async def test_a_device_that_is_gone_is_removed(scene: Scene, world: World, status: int) -> None:
    await scene.phone(answer=lambda: httpx.Response(status))
    kept = await scene.phone()
    await scene.alert()
    await scene.deliver()
    assert len(await own_devices(world.database, scene.ada.identity)) == 1
    assert len(kept.shown) == 1


@pytest.mark.parametrize("fault", [no_answer, lambda: httpx.Response(500)])
async def test_a_push_service_that_fails_is_tried_again_until_it_works(scene: Scene, fault: object) -> None:
    phone = await scene.phone(answer=fault)
    await scene.alert("Kept")
    for _ in range(3):
        await scene.deliver()
    assert phone.shown == []
    phone.answer = lambda: httpx.Response(201)
    await scene.deliver()
    assert [each["title"] for each in phone.shown] == ["Kept"]


async def test_a_message_that_fails_for_a_day_is_given_up(scene: Scene, world: World) -> None:
    phone = await scene.phone(answer=lambda: httpx.Response(500))
    await scene.alert()
    await scene.deliver()
    await world.sql(
        "update private.push_groups set failing_since = now() - interval '25 hours' where user_id = %s", scene.ada.id
    )
    await scene.deliver()
    left = await world.sql("select due_at from private.push_groups where user_id = %s", scene.ada.id)
    assert left == [(None,)]
    assert phone.shown == []


async def test_a_device_of_a_removed_member_and_of_an_ended_session_is_told_nothing(scene: Scene, world: World) -> None:
    phone = await scene.phone()
    await scene.alert()
    await world.sql("delete from org_members where user_id = %s", scene.ada.id)
    assert await own_devices(world.database, scene.ada.identity) == []
    await world.sql("insert into org_members (org_id, user_id) values (%s, %s)", scene.org, scene.ada.id)
    again = await scene.phone()
    await scene.alert()
    await world.sql("delete from auth.sessions where user_id = %s", scene.ada.id)
    await scene.deliver()
    assert phone.shown == again.shown == []
    left = await world.sql("select count(*) from push_devices where user_id = %s", scene.ada.id)
    assert left == [(0,)]


async def test_who_leaves_one_of_two_organisations_is_told_of_the_other_only(scene: Scene, world: World) -> None:
    other = await world.organization("Second")
    await world.sql("insert into org_members (org_id, user_id) values (%s, %s)", other, scene.ada.id)
    phone = await scene.phone()
    await scene.alert("First")
    await world.sql(_ALERT, uuid4(), other, scene.ada.id, None, "Elsewhere")
    await world.sql("delete from org_members where user_id = %s and org_id = %s", scene.ada.id, scene.org)
    await scene.deliver()
    assert [each["title"] for each in phone.shown] == ["Elsewhere"]


async def test_a_group_that_a_killed_process_took_is_told_by_another(scene: Scene, world: World) -> None:
    phone = await scene.phone()
    await scene.alert("Kept")
    await world.sql("update private.push_groups set due_at = now() where user_id = %s", scene.ada.id)
    async with world.database.as_app() as session:
        connection = await session.connection()
        await connection.exec_driver_sql("select count(*) from private.claim_pushes(100, interval '1 hour')")
    assert await scene.courier.deliver_due() == 0
    await scene.deliver()
    assert [each["title"] for each in phone.shown] == ["Kept"]


@pytest.mark.parametrize("name", ["שלום", "\u202egnp.exe", "😀" * 200, "<script>alert(1)</script>", "\x1b[31mred"])
async def test_any_name_is_told_without_what_reorders_it(scene: Scene, name: str) -> None:
    phone = await scene.phone()
    await scene.alert(name)
    await scene.deliver()
    (shown,) = phone.shown
    assert "\u202e" not in shown["title"]
    assert "\x1b" not in shown["title"]
    assert len(shown["title"]) <= 120

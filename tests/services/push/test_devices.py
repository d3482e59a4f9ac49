"""The devices of a person: own rows only, a limit, a test that says what the push service answered."""

from uuid import UUID, uuid4

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from sqlalchemy import text

from services.errors import Conflict, NotAccepted, NotFound, PermissionDenied
from services.push.application_key import ApplicationKey
from services.push.devices import (
    add_device,
    mark_group,
    own_devices,
    read_badge,
    remove_device,
    remove_endpoint,
    try_device,
)
from services.push.sender import Outcome, PushSender
from tests.push_service import Phone, PushService, subscribe
from tests.world import World

pytestmark = pytest.mark.integration
IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/19.0 "
    "Mobile/15E148 Safari/604.1"
)


async def test_a_person_sees_and_removes_own_devices_only(world: World) -> None:
    org = await world.organization()
    ada, bob = await world.person(org), await world.person(await world.organization())
    phone = Phone()
    id = await subscribe(world, ada, phone)
    assert await own_devices(world.database, bob.identity) == []
    with pytest.raises(NotFound):
        await remove_device(world.database, bob.identity, id)
    assert not await remove_endpoint(world.database, bob.identity, phone.endpoint)
    assert [each.id for each in await own_devices(world.database, ada.identity)] == [id]
    await remove_device(world.database, ada.identity, id)
    with pytest.raises(NotFound):
        await remove_device(world.database, ada.identity, id)


@pytest.mark.parametrize("column", ["endpoint", "p256dh", "auth"])
async def test_what_would_let_others_send_is_readable_by_no_member(world: World, column: str) -> None:
    ada = await world.person(await world.organization())
    await subscribe(world, ada, Phone())
    with pytest.raises(PermissionDenied):
        async with world.database.as_user(ada.identity) as session:
            await (await session.connection()).execute(text(f"select {column} from push_devices"))


@pytest.mark.parametrize(
    "statement", ["select * from private.claim_pushes(10, interval '1 s')", "select private.settle_pushes('[]')"]
)
async def test_only_the_app_itself_claims(world: World, statement: str) -> None:
    ada = await world.person(await world.organization())
    with pytest.raises(PermissionDenied):
        async with world.database.as_user(ada.identity) as session:
            await (await session.connection()).execute(text(statement))


async def test_the_same_browser_is_one_device_with_its_latest_keys(world: World) -> None:
    ada = await world.person(await world.organization())
    first = Phone()
    renewed = Phone(id=first.id)
    assert await subscribe(world, ada, first) == await subscribe(world, ada, renewed)
    assert await world.sql("select auth from push_devices where user_id = %s", ada.id) == [(renewed.auth,)]


async def test_a_browser_leaves_the_person_who_used_it_before(world: World) -> None:
    org = await world.organization()
    ada, bob = await world.person(org), await world.person(org)
    phone = Phone()
    await subscribe(world, ada, phone)
    await subscribe(world, bob, phone)
    assert await own_devices(world.database, ada.identity) == []
    assert len(await own_devices(world.database, bob.identity)) == 1


async def test_of_a_thousand_devices_a_person_has_twenty(world: World) -> None:
    ada = await world.person(await world.organization())
    for _ in range(20):
        await subscribe(world, ada, Phone())
    for _ in range(3):
        with pytest.raises(Conflict, match="20 devices already"):
            await subscribe(world, ada, Phone())
    assert len(await own_devices(world.database, ada.identity)) == 20


async def test_a_session_that_has_ended_adds_no_device(world: World) -> None:
    ada = await world.person(await world.organization())
    await world.sql("delete from auth.sessions where user_id = %s", ada.id)
    with pytest.raises(PermissionDenied, match="Sign in again"):
        await subscribe(world, ada, Phone())


@pytest.mark.parametrize("endpoint", ["http://push.example.com/x", "https://127.0.0.1/x", "https://localhost/x", ""])
async def test_an_endpoint_that_is_no_push_service_is_refused(world: World, endpoint: str) -> None:
    ada, phone = await world.person(await world.organization()), Phone()
    with pytest.raises(NotAccepted):
        await add_device(
            world.database, ada.identity, endpoint=endpoint, p256dh=phone.p256dh, auth=phone.auth, agent=IPHONE
        )
    assert await own_devices(world.database, ada.identity) == []


@pytest.mark.parametrize(
    ("agent", "name"),
    [(IPHONE, "Mobile Safari on iOS"), ("", "Unknown device"), ("\0\u202ex" * 9999, "Unknown device")],
)
async def test_a_device_is_named_by_its_browser(world: World, agent: str, name: str) -> None:
    ada, phone = await world.person(await world.organization()), Phone()
    await add_device(
        world.database, ada.identity, endpoint=phone.endpoint, p256dh=phone.p256dh, auth=phone.auth, agent=agent
    )
    (only,) = await own_devices(world.database, ada.identity)
    assert (only.name, only.is_of_session, only.answer) == (name, True, None)


async def test_a_test_says_what_the_push_service_answered(world: World) -> None:
    org = await world.organization()
    ada, bob = await world.person(org), await world.person(org)
    service = PushService()
    phone = service.phone()
    id = await subscribe(world, ada, phone)
    async with PushSender(ApplicationKey(ec.generate_private_key(ec.SECP256R1())), transport=service) as sender:
        with pytest.raises(NotFound):
            await try_device(world.database, bob.identity, sender, id)
        assert (await try_device(world.database, ada.identity, sender, id)).outcome is Outcome.SENT
        assert phone.shown[0]["title"] == "Livewatch can reach this device"
        phone.answer = lambda: httpx.Response(403, text="BadJwtToken")
        answer = await try_device(world.database, ada.identity, sender, id)
        assert answer.sentence == "push.example.com answered 403: BadJwtToken"
        phone.answer = lambda: httpx.Response(410)
        assert (await try_device(world.database, ada.identity, sender, id)).outcome is Outcome.GONE
    assert await own_devices(world.database, ada.identity) == []


async def test_a_click_in_a_notification_marks_its_group_of_its_recipient_only(world: World) -> None:
    org = await world.organization()
    ada, bob = await world.person(org), await world.person(org)
    stream = uuid4()
    await world.sql("insert into streams (id, org_id, name) values (%s, %s, 'Import')", stream, org)
    insert = """
        insert into signal_alerts (org_id, user_id, stream_id, target_name, signal_type, signal_strength)
        values (%s, %s, %s, 'Disk', 'full', 90)
    """
    for person in (ada, bob):
        for on in (stream, stream, None):
            await world.sql(insert, org, person.id, on)
    assert await mark_group(world.database, ada.identity, org_id=org, tag=f"alerts:{stream}") == 2
    assert await mark_group(world.database, ada.identity, org_id=org, tag="anything") == 0
    assert await mark_group(world.database, ada.identity, org_id=UUID(int=0), tag="alerts:") == 0
    assert await read_badge(world.database, ada.identity) == 1
    assert await read_badge(world.database, bob.identity) == 3
    statuses = "select distinct status from signal_alerts where user_id = %s and stream_id = %s"
    assert await world.sql(statuses, ada.id, stream) == [("acknowledged",)]

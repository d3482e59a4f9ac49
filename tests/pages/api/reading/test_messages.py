"""Alerts and notifications: a key reads what programs sent, once, and nothing that is a person's."""

import httpx
import pytest

from services.entities import Notification, SignalAlert
from services.ingest import REPORTING, KeyScope
from services.people.models import Role
from tests.pages.api.reading.conftest import Reader
from tests.pages.program import Program, a_program
from tests.world import Person, World

pytestmark = pytest.mark.integration
PERSONAL = {"user_id", "read_at", "is_read", "event_id", "org_id"}


async def a_team(world: World, api: httpx.AsyncClient) -> tuple[Reader, Program, list[Person]]:
    program = await a_program(world, api, scopes=(*REPORTING, KeyScope.READ))
    people = [program.admin, *[await world.person(program.org, role=Role.OPERATOR) for _ in range(2)]]
    return Reader(program), program, people


async def test_what_a_program_sent_to_many_is_read_once_and_without_them(
    world: World, served_api: httpx.AsyncClient
) -> None:
    reader, program, _ = await a_team(world, served_api)
    sent = await program.post("/alerts", target_name="T", signal_type="price", signal_strength=91, metadata={"a": 1})
    assert len(sent.json()["ids"]) == 3
    await program.post("/notifications", title="Hello", message="all", action_url="/streams")
    (alert,) = await reader.items("/alerts")
    assert (alert["id"], alert["priority"], alert["sent_by"]) == (sent.json()["id"], "urgent", str(program.key))
    (notification,) = await reader.items("/notifications")
    for row in (alert, notification):
        assert not PERSONAL & set(row)
    assert "status" not in alert, "what a recipient did is the recipient's"
    assert (await reader.get(f"/alerts/{alert['id']}")).json()["metadata"] == {"a": 1}


@pytest.mark.parametrize("name", ["alerts", "notifications"])
async def test_an_event_stays_while_one_of_its_recipients_keeps_it(
    world: World, served_api: httpx.AsyncClient, name: str
) -> None:
    reader, program, people = await a_team(world, served_api)
    await program.post("/alerts", target_name="T", signal_type="price", signal_strength=50)
    await program.post("/notifications", title="Hello")
    table = {"alerts": "signal_alerts", "notifications": "notifications"}[name]
    before = await reader.items(f"/{name}")
    rows = await world.sql(f"select user_id from {table} where org_id = %s and sent_by is not null", program.org)
    for person in sorted(people, key=lambda each: each.id != rows[0][0]):
        assert await reader.items(f"/{name}") == before
        assert (await reader.get(f"/{name}/{before[0]['id']}")).status_code == 200
        async with world.database.as_user(person.identity) as session:
            await (await session.connection()).exec_driver_sql(f"delete from {table} where org_id = '{program.org}'")
    assert await reader.items(f"/{name}") == []


async def test_what_people_send_each_other_is_not_read(world: World, served_api: httpx.AsyncClient) -> None:
    reader, program, people = await a_team(world, served_api)
    admin, person, _ = people
    org = program.org
    await world.insert(
        SignalAlert(org_id=org, user_id=person.id, target_name="Secret", signal_type="x", signal_strength=1), by=admin
    )
    await world.insert(Notification(org_id=org, user_id=person.id, title="Secret"), by=admin)
    async with world.database.as_user(admin.identity) as session:
        await (await session.connection()).exec_driver_sql(
            "select public.post_message(gen_random_uuid(), %s, 'organizations', %s, 'hi', null, array[%s]::uuid[])",
            (org, org, person.id),
        )
    mentions = await world.sql("select count(*) from notifications where org_id = %s", org)
    assert mentions[0][0] == 2
    assert await reader.items("/alerts") == await reader.items("/notifications") == []
    for table in ("signal_alerts", "notifications"):
        for (id,) in await world.sql(f"select id from {table} where org_id = %s", org):
            path = "alerts" if table == "signal_alerts" else table
            assert (await reader.get(f"/{path}/{id}")).status_code == 404


@pytest.mark.parametrize("model", [SignalAlert, Notification])
async def test_nobody_passes_a_message_for_a_programs(
    world: World, served_api: httpx.AsyncClient, model: type[SignalAlert | Notification]
) -> None:
    from services.errors import PermissionDenied  # noqa: PLC0415

    reader, program, people = await a_team(world, served_api)
    texts = {"target_name": "x", "signal_type": "x", "signal_strength": 1} if model is SignalAlert else {"title": "x"}
    forged = model(org_id=program.org, user_id=people[1].id, sent_by=program.key, **texts)
    with pytest.raises(PermissionDenied):
        await world.insert(forged, by=people[0])
    assert await reader.items("/alerts") == await reader.items("/notifications") == []

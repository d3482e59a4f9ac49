"""Who takes care of a run or an alert, on the rows of every window."""

from uuid import UUID, uuid4

import pytest
from playwright.async_api import Locator, Page, expect

from services.chat import messages
from services.chat.messages import Subject
from services.entities import Handling, Topical
from services.people.models import Role
from tests.e2e.conftest import SignedIn
from tests.world import World

pytestmark = pytest.mark.e2e
ROWS = {
    Topical.STREAM: ("/monitoring", "insert into streams (org_id, name) values (%s, 'Nightly') returning id"),
    Topical.AGENT: (
        "/monitoring/agents",
        "with run as (insert into streams (org_id, name) values (%s, 'Nightly') returning id, org_id) "
        "insert into agent_executions (org_id, stream_id, agent_id, agent_name, status) "
        "select org_id, id, 'scout', 'Scout', 'failed' from run returning id",
    ),
    Topical.SCAN: (
        "/monitoring/scans",
        "insert into acquisition_scans (org_id, name, targets_identified) values (%s, 'Scan', 3) returning id",
    ),
}


def handled(page: Page, row: UUID) -> Locator:
    return page.locator(f'[data-id="{row}"]').get_by_test_id("handled")


@pytest.mark.parametrize("table", ROWS, ids=str)
async def test_the_rows_of_every_window_say_who_has_taken_what(world: World, window: SignedIn, table: Topical) -> None:
    org = await world.organization("Ours")
    viewer, ben = await world.person(org, role=Role.VIEWER), await world.person(org)
    await world.sql("update profiles set display_name = 'Ben' where user_id = %s", ben.id)
    path, insert = ROWS[table]
    ((row,),) = await world.sql(insert, org)
    rows, taker = await window(viewer, path), await window(ben, f"/chat?about={table}:{row}")
    await taker.get_by_role("button", name="Take").click()
    await expect(handled(rows, row)).to_contain_text("Taken by Ben")
    # In a window that comes later, too.
    await expect(handled(await window(viewer, path), row)).to_contain_text("Ben")
    await taker.get_by_role("button", name="Release").click()
    await expect(handled(rows, row)).to_have_count(0)


async def test_an_alert_is_taken_for_all_who_were_sent_it_and_a_snooze_ends_by_itself(
    world: World, window: SignedIn
) -> None:
    org = await world.organization("Ours")
    ada, ben = await world.person(org), await world.person(org)
    rows = [uuid4(), uuid4()]
    for row, person in zip(rows, (ada, ben), strict=True):
        await world.sql(
            "insert into signal_alerts (id, org_id, user_id, event_id, target_name, signal_type, signal_strength) "
            "values (%s, %s, %s, %s, 'db1', 'down', 95)",
            *(row, org, person.id, rows[0]),
        )
    hers, his = await window(ada, "/alerts"), await window(ben, f"/alerts?selected={rows[1]}")
    await his.get_by_role("link", name="Comments").click()
    await his.get_by_role("button", name="Snooze 1 h").click()
    await expect(handled(hers, rows[0])).to_have_attribute("data-value", "snoozed")
    # Back at his own row, by the link of the thread that both have.
    await his.get_by_role("link", name="What it is about").click()
    await expect(his.get_by_role("heading", name="db1")).to_be_visible()
    await expect(handled(his, rows[1])).to_have_attribute("data-value", "snoozed")
    await his.get_by_role("link", name="Comments").click()
    await world.sql("update threads set snoozed_until = now() + interval '2 s' where subject_id = %s", rows[0])
    await expect(handled(hers, rows[0])).to_have_count(0)
    await expect(his.get_by_text("Nobody takes care of this yet.")).to_be_visible()


async def test_another_organisation_is_told_nothing(world: World, window: SignedIn) -> None:
    org, elsewhere = await world.organization("Ours"), await world.organization("Theirs")
    ben, eve = await world.person(org), await world.person(elsewhere)
    insert = ROWS[Topical.STREAM][1]
    ((ours,),), ((theirs,),) = await world.sql(insert, org), await world.sql(insert, elsewhere)
    for person, where, row in ((ben, org, ours), (eve, elsewhere, theirs)):
        subject = Subject(table=Topical.STREAM, id=row)
        await messages.handle(world.database, person.identity, where, subject, Handling.TAKEN)
    page = await window(eve, "/monitoring")
    received: list[str] = []
    page.on("websocket", lambda socket: socket.on("framereceived", lambda frame: received.append(str(frame))))
    await page.reload()
    await expect(handled(page, theirs)).to_be_visible()
    assert any(str(theirs) in frame for frame in received)
    assert not any(str(ours) in frame for frame in received)

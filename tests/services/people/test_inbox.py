"""Marking as read changes only the user's own unread rows of one organisation."""

import pytest

from services.entities import Notification, SignalAlert
from services.errors import NotFound
from services.people import inbox
from services.people.inbox import ALERT_INBOX, NOTIFICATION_INBOX
from tests.world import World

pytestmark = pytest.mark.integration


async def test_marking_all_leaves_other_organisations_other_people_and_decisions_alone(world: World) -> None:
    ours, theirs = await world.organization(), await world.organization()
    ada, bob = await world.person(ours, theirs), await world.person(ours)
    for org, person, name in (
        (ours, ada, "New"),
        (ours, ada, "Dismissed"),
        (theirs, ada, "Theirs"),
        (ours, bob, "Bob's"),
    ):
        row = SignalAlert(org_id=org, user_id=person.id, target_name=name, signal_type="late", signal_strength=9)
        await world.insert(row, by=person)
    await world.sql(
        "update signal_alerts set status = 'dismissed' where user_id = %s and target_name = 'Dismissed'", ada.id
    )
    assert len(await ALERT_INBOX.mark_all(world.database, ada.identity, ours)) == 1
    assert await ALERT_INBOX.mark_all(world.database, ada.identity, ours) == []
    found = await world.sql(
        "select target_name, status, read_at is null from signal_alerts where user_id in (%s, %s) order by 1",
        ada.id,
        bob.id,
    )
    assert found == [
        ("Bob's", "new", True),
        ("Dismissed", "dismissed", True),
        ("New", "acknowledged", False),
        ("Theirs", "new", True),
    ]


async def test_some_of_many_are_marked_in_batches_and_unmarked_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox, "BATCH_ROWS", 20)
    ours, theirs = await world.organization(), await world.organization()
    ada, eve = await world.person(ours), await world.person(ours, theirs)
    for org, person, count in ((ours, ada, 100), (ours, eve, 1)):
        await world.sql(
            "insert into signal_alerts (org_id, user_id, target_name, signal_type, signal_strength)"
            " select %s, %s, 'T' || n, 'late', 9 from generate_series(1, %s) as n",
            org, person.id, count,
        )  # fmt: skip
    count_of = "select count(*) from signal_alerts where user_id = %s and status = 'new' and read_at is null"
    all_ids = [row[0] for row in await world.sql("select id from signal_alerts where org_id = %s", ours)]
    chosen = all_ids[:50]
    marked = await ALERT_INBOX.mark_all(world.database, ada.identity, ours, ids=chosen)
    assert set(marked) <= set(chosen)
    assert len(marked) in (49, 50)  # one of them may be Eve's
    assert await world.sql(count_of, ada.id) == [(100 - len(marked),)]
    rest = await ALERT_INBOX.mark_all(world.database, ada.identity, ours)
    assert len(rest) == 100 - len(marked)
    assert await ALERT_INBOX.mark_unread(world.database, eve.identity, [*marked, *rest]) == 0
    assert await ALERT_INBOX.mark_unread(world.database, ada.identity, [*marked, *rest]) == 100
    assert await world.sql(count_of, ada.id) == [(100,)]
    assert await world.sql(count_of, eve.id) == [(1,)]
    assert await ALERT_INBOX.mark_all(world.database, ada.identity, ours, ids=[]) == []


async def test_nobody_marks_the_message_of_somebody_else(world: World) -> None:
    org = await world.organization()
    ada, eve = await world.person(org), await world.person(org)
    note = Notification(org_id=org, user_id=ada.id, title="For Ada")
    await world.insert(note, by=ada)
    with pytest.raises(NotFound):
        await NOTIFICATION_INBOX.mark(world.database, eve.identity, note.id)
    assert await world.sql("select read_at is null from notifications where id = %s", note.id) == [(True,)]

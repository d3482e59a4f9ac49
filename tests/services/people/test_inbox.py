"""Marking as read changes only the user's own unread rows of one organisation."""

import pytest

from services.entities import Notification, SignalAlert
from services.errors import NotFound
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
    assert await ALERT_INBOX.mark_all(world.database, ada.identity, ours) == 1
    assert await ALERT_INBOX.mark_all(world.database, ada.identity, ours) == 0
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


async def test_nobody_marks_the_message_of_somebody_else(world: World) -> None:
    org = await world.organization()
    ada, eve = await world.person(org), await world.person(org)
    note = Notification(org_id=org, user_id=ada.id, title="For Ada")
    await world.insert(note, by=ada)
    with pytest.raises(NotFound):
        await NOTIFICATION_INBOX.mark(world.database, eve.identity, note.id)
    assert await world.sql("select read_at is null from notifications where id = %s", note.id) == [(True,)]

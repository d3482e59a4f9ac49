"""What a person may do to the rows that they have chosen in a list."""

from collections.abc import Awaitable
from functools import partial
from typing import Any
from uuid import UUID

from components.elements.lists.live_list import LiveList
from pages.lists.actions.marks import mark_alerts, mark_all, mark_unread
from pages.lists.actions.selection import ChosenAction, export_actions
from pages.lists.actions.tagging import tag_chosen
from pages.lists.actions.tidying import ACTIONS, tidy
from pages.page.context import PageContext
from services.entities import ALERTS, AlertStatus, Entity
from services.history.tidying import is_run
from services.people.inbox import INBOXES


def chosen_actions(page: PageContext, entity: Entity[Any], element: LiveList) -> list[ChosenAction]:
    """Return what the user may do to chosen rows."""
    actions = [*_message_actions(page, entity), *_run_actions(page, entity, element)]
    return [*actions, *export_actions(page, entity, element)] if actions else []


def _message_actions(page: PageContext, entity: Entity[Any]) -> list[ChosenAction]:
    def unread(ids: list[UUID]) -> Awaitable[None]:
        return mark_unread(page, entity, ids)

    if entity.table not in INBOXES:
        return []
    as_unread = ChosenAction(label="Mark as unread", icon="mark_email_unread", act=unread, is_more=entity is ALERTS)
    if entity is not ALERTS:
        read = ChosenAction(label="Mark as read", icon="done", key="m", act=lambda ids: mark_all(page, entity, ids=ids))
        return [read, as_unread]
    # An alert that was read is acknowledged.
    acknowledge, dismiss = (
        partial(mark_alerts, page, status) for status in (AlertStatus.ACKNOWLEDGED, AlertStatus.DISMISSED)
    )
    return [
        ChosenAction(label="Acknowledge", icon="done", key="m", act=acknowledge),
        ChosenAction(label="Dismiss", icon="notifications_off", act=dismiss),
        as_unread,
    ]


def _run_actions(page: PageContext, entity: Entity[Any], element: LiveList) -> list[ChosenAction]:
    if not is_run(entity) or not page.membership.may_write:
        return []
    tag = ChosenAction(label="Tag", icon="sell", key="t", act=partial(tag_chosen, page, entity))
    close, archive, delete = (
        ChosenAction(
            label=action.label if action.can_undo else f"{action.label} …",
            icon=action.icon,
            act=partial(tidy, page, entity, action, element=element),
            key=action.key,
            is_more=not action.can_undo,
        )
        for action in ACTIONS
    )
    return [archive, tag, delete, close]

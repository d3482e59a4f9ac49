"""Notifications: personal messages."""

from uuid import UUID

from pydantic import AwareDatetime
from sqlalchemy import Boolean

from services.entities.base.entity import Entity, Scope
from services.entities.base.grouping import MARKING
from services.entities.base.layout import EmptyState, RowLayout
from services.entities.base.listing import NEWEST, UNREAD, UNREAD_FACET, Facet, ListSpec, options_of
from services.entities.base.row import Name, Row, generated_field, status_field, timestamp_field
from services.entities.base.status import StyledStatus


class NotificationType(StyledStatus):
    """The severity of a notification."""

    INFO = "info", "active", "info", "Info"
    SUCCESS = "success", "positive", "check_circle", "Success"
    WARNING = "warning", "caution", "warning_amber", "Warning"
    ERROR = "error", "critical", "error_outline", "Error"


class Notification(Row, table=True):
    """One message for one recipient, `user_id`; it is read once `read_at` is set.

    The rows of several recipients of what a program sent have one `event_id`. `sent_by` is the key that sent it, on one
    of them.
    """

    __tablename__ = "notifications"

    user_id: UUID
    event_id: UUID | None = None
    sent_by: UUID | None = None
    type: NotificationType = status_field(NotificationType.INFO)
    title: Name
    message: str = ""
    action_url: str | None = None
    is_read: bool | None = generated_field("is_read", Boolean())
    read_at: AwareDatetime | None = timestamp_field()

    @property
    def is_unread(self) -> bool:
        """Whether its recipient has not read it."""
        return self.read_at is None


NOTIFICATIONS = Entity(
    table="notifications",
    model=Notification,
    scope=Scope.USER,
    order="created_at desc",
    limit=1000,
    label="Notifications",
    noun="notification",
    statuses=NotificationType,
    layout=RowLayout(title=lambda row: row.title, note=lambda row: row.message, status=lambda row: row.type),
    listing=ListSpec(
        search_text=lambda row: f"{row.title} {row.message}",
        search_sql="concat_ws(' ', title, message)",
        facets=(
            Facet(
                name=UNREAD_FACET,
                label="Read",
                values=lambda row: (UNREAD.value,) if row.is_unread else (),
                options=(UNREAD,),
                conditions={UNREAD.value: "read_at is null"},
                is_personal=True,
            ),
            Facet(
                name="type",
                label="Type",
                values=lambda row: (row.type.value,),
                options=options_of(NotificationType),
                column="type",
            ),
        ),
        sorts=(NEWEST,),
    ),
    empty=EmptyState(icon="inbox", text="No notifications yet"),
    page="/notifications",
    skeletons=5,
    grouping={"org_id": "org_id", "type": "type", **MARKING},
)

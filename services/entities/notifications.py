"""Notifications: personal messages."""

from enum import StrEnum
from uuid import UUID

from pydantic import AwareDatetime
from sqlalchemy import Boolean
from sqlmodel import Field

from services.entities.base import Row, generated_field, status_field, timestamp_field


class NotificationType(StrEnum):
    """The tone of a message."""

    INFO = "info"
    SUCCESS = "success"
    WARNING = "warning"
    ERROR = "error"


class Notification(Row, table=True):
    """One message for one recipient, `user_id`; it is read once `read_at` is set."""

    __tablename__ = "notifications"

    user_id: UUID
    type: NotificationType = status_field(NotificationType.INFO)
    title: str = Field(min_length=1, max_length=200)
    message: str = ""
    action_url: str | None = None
    is_read: bool | None = generated_field("is_read", Boolean())
    read_at: AwareDatetime | None = timestamp_field()

    @property
    def is_unread(self) -> bool:
        """Whether it waits for its recipient."""
        return self.read_at is None

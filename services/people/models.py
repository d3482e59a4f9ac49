"""Organisations, their members and profiles."""

from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlmodel import Field, SQLModel

from services.entities.base.row import json_field, status_field


class Role(StrEnum):
    """Role of a member: viewers read, operators also write, admins also manage members."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMIN = "admin"


class Organization(SQLModel, table=True):
    """An organisation, which owns the monitored rows."""

    __tablename__ = "organizations"

    id: UUID = Field(primary_key=True)
    name: str


class OrgMember(SQLModel, table=True):
    """Membership of a user in an organisation."""

    __tablename__ = "org_members"

    org_id: UUID = Field(primary_key=True)
    user_id: UUID = Field(primary_key=True)
    role: Role = status_field(Role.VIEWER)


class Profile(SQLModel, table=True):
    """Profile of a user, visible to the members of their organisations."""

    __tablename__ = "profiles"

    user_id: UUID = Field(primary_key=True)
    display_name: str
    avatar: str | None = None
    preferences: dict[str, Any] = json_field(dict)

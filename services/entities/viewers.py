"""Viewers: who is online in an organisation and what they look at, one row per process of the app."""

from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict

from services.entities.base.entity import LiveTable, Scope
from services.entities.base.row import Row, json_field


class ViewerPlace(BaseModel):
    """A page that a person has open: its path and title, the selected row, and whether the person is idle there."""

    model_config = ConfigDict(frozen=True)

    path: str
    title: str
    selected: UUID | None = None
    is_idle: bool = False


class Viewer(BaseModel):
    """A person with windows in one process; idle if none of them is in use."""

    model_config = ConfigDict(frozen=True)

    user_id: UUID
    name: str
    since: AwareDatetime
    is_idle: bool = False
    places: tuple[ViewerPlace, ...] = ()


class Viewers(Row, table=True):
    """The people with windows in one process of the app; times are the database's."""

    __tablename__ = "viewers"

    process: UUID
    people: list[Viewer] = json_field(list)


VIEWERS = LiveTable(
    table="viewers",
    model=Viewers,
    scope=Scope.ORG,
    order="updated_at desc",
    limit=200,
    # The reports of all processes within a second are one change for the windows.
    interval=1.0,
)

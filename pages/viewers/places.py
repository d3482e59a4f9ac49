"""What others may know of a window's address: a page by its path and title, and the selected row; nothing else."""

import re
from urllib.parse import parse_qs

from components.shell.navigation import NAVIGATION
from pages.lists.detail_panel import SELECTED_PARAMETER
from services.entities import ENTITIES, STREAMS
from services.presence.windows import Place
from services.text import uuid_of

STREAM_PATH = re.compile(r"/streams/([0-9a-fA-F-]{36})")
TITLES = {
    **{place.path: place.label for place in NAVIGATION},
    **{f"/monitoring{entity.tab.rstrip('/')}": entity.label for entity in ENTITIES if entity.tab is not None},
    "/monitoring/system": "System",
    "/settings/account": "Settings",
    "/settings/members": "Members",
    "/settings/audit": "Audit log",
}
"""Titles of pages by path; other paths are told to nobody."""


def place_of(address: str, title: str = "") -> Place | None:
    """Return the place of a window; None for an address that is none of the app's pages.

    Args:
        address: Path and parameters.
        title: Name of what the page shows, if it has one.
    """
    path, _, parameters = address.partition("?")
    path = path if path == "/" else path.rstrip("/")
    if stream := STREAM_PATH.fullmatch(path):
        id = uuid_of(stream[1])
        return Place(path=f"/streams/{id}", title=title or STREAMS.noun.capitalize()) if id else None
    if path not in TITLES:
        return None
    selected = uuid_of(parse_qs(parameters).get(SELECTED_PARAMETER, [""])[-1])
    return Place(path=path, title=TITLES[path], selected=selected)

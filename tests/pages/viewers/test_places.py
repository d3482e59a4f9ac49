"""What others may know of a window's address."""

from uuid import UUID

import pytest

from pages.viewers.places import place_of
from services.presence.windows import Place

ID = UUID("7f0f3b5e-5b0e-4f6d-9a51-0f7a5a2a1c11")


@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("/", Place(path="/", title="Dashboard")),
        ("/monitoring", Place(path="/monitoring", title="Streams")),
        ("/monitoring/", Place(path="/monitoring", title="Streams")),
        ("/monitoring/agents?q=x&sort=y", Place(path="/monitoring/agents", title="Agents")),
        (f"/monitoring/scans?selected={ID}", Place(path="/monitoring/scans", title="Scans", selected=ID)),
        (f"/streams/{ID}", Place(path=f"/streams/{ID}", title="Import")),
        (f"/streams/{str(ID).upper()}?org={ID}", Place(path=f"/streams/{ID}", title="Import")),
        ("/settings/audit", Place(path="/settings/audit", title="Audit log")),
    ],
)
def test_pages_of_the_app_are_told_by_path_title_and_selected_row(address: str, place: Place) -> None:
    assert place_of(address, "Import") == place


@pytest.mark.parametrize(
    "address",
    [
        "/nowhere",
        "/connect/allow?code=SECRET",
        "/streams/by-slug/a-secret-project",
        "/streams/not-an-id",
        "/streams/" + "-" * 36,
        "/%00",
        "//evil.example.org",
        "https://evil.example.org/nowhere",
        "javascript:alert(1)",
        "/" + "x" * 10_000,
    ],
)
def test_other_addresses_are_told_to_nobody(address: str) -> None:
    assert place_of(address) is None


@pytest.mark.parametrize("selected", ["", "x", "javascript:alert(1)", "%00", str(ID) + "x"])
def test_a_selection_that_is_no_id_is_left_out(selected: str) -> None:
    place = place_of(f"/monitoring?q=secret&selected={selected}")
    assert place == Place(path="/monitoring", title="Streams")

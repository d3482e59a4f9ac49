"""Who is online, as the windows of an organisation are sent it."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from components.elements.viewers.viewers_view import Shows, ViewersView
from components.views.shared import AllRows
from services.entities import VIEWERS, Viewers
from services.presence.online import online_people
from services.realtime.rows import Rows
from services.realtime.transports.change import row_change

ANA, BO = str(UUID(int=1)), str(UUID(int=2))
STREAM = str(uuid4())
NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)


def person(id: str, name: str, *places: dict[str, Any], idle: bool = False, since: datetime = NOW) -> dict[str, Any]:
    return {"user_id": id, "name": name, "since": since.isoformat(), "is_idle": idle, "places": list(places)}


def at(path: str, title: str = "A page", **more: Any) -> dict[str, Any]:
    return {"path": path, "title": title, **more}


class Scene:
    """The rows of two processes, which `report` changes."""

    def __init__(self) -> None:
        self.rows = Rows(VIEWERS, quarantine=lambda *_: None)
        self._processes = [(str(uuid4()), str(uuid4())) for _ in range(2)]
        self._version = 0

    def report(self, number: int, *people: dict[str, Any]) -> None:
        self._version += 1
        id, process = self._processes[number]
        row = {"id": id, "org_id": str(uuid4()), "process": process, "version": self._version, "people": list(people)}
        assert self.rows.apply(row_change("viewers", row))

    def view(self, shows: Shows = Shows.PLACES) -> ViewersView:
        return ViewersView(AllRows[Viewers](self.rows), shows)


def test_a_person_in_two_processes_is_one_person_in_use_if_any_window_is() -> None:
    it = Scene()
    it.report(0, person(ANA, "Ana", at("/"), at("/alerts", is_idle=True), since=NOW))
    it.report(1, person(ANA, "Ana", at("/alerts"), idle=True, since=NOW - timedelta(hours=1)))
    (ana,) = online_people(it.rows)
    assert (ana.is_idle, ana.since) == (False, NOW - timedelta(hours=1))
    assert [(place.path, place.is_idle) for place in ana.places] == [("/", False), ("/alerts", False)]


def test_people_are_sorted_by_name_whichever_process_they_are_in() -> None:
    it = Scene()
    it.report(0, person(BO, "bo"))
    it.report(1, person(ANA, "Ana"))
    assert [each.name for each in online_people(it.rows)] == ["Ana", "bo"]


def test_places_say_row_and_path_and_only_where_they_are_wanted() -> None:
    it = Scene()
    row = uuid4()
    it.report(
        0,
        person(
            ANA,
            "Ana",
            at(f"/streams/{STREAM}", "Import"),
            at("/monitoring/agents", "Agents", selected=str(row)),
            at("/"),
        ),
    )
    batch = it.view().full()
    assert batch
    assert batch["reset"]["rows"][ANA] == {
        "name": "Ana",
        "idle": False,
        "places": [
            ("A page", False, None, "/"),
            ("Agents", False, str(row), "/monitoring/agents"),
            ("Import", False, STREAM, None),
        ],
    }
    plain = it.view(Shows.PEOPLE).full()
    assert plain == {"reset": {"order": [ANA], "rows": {ANA: {"name": "Ana", "idle": False}}}}


def test_a_change_of_place_is_no_news_where_only_people_are_shown() -> None:
    it = Scene()
    it.report(0, person(ANA, "Ana", at("/")), person(BO, "Bo", at("/")))
    plain, full = it.view(Shows.PEOPLE), it.view()
    plain.full()
    full.full()
    it.report(0, person(ANA, "Ana", at("/alerts")), person(BO, "Bo", at("/")))
    assert plain.patch(()) is None
    patch = full.patch(())
    assert patch is not None
    assert patch.keys() == {"set"}
    assert patch["set"].keys() == {ANA}
    it.report(0, person(BO, "Bo", at("/"), idle=True))
    assert plain.patch(()) == {"set": {BO: {"name": "Bo", "idle": True}}, "order": [BO]}


def test_a_blank_or_deceptive_name_is_shown_visibly() -> None:
    it = Scene()
    it.report(0, person(ANA, "\u200b\u202eevil"))
    batch = it.view().full()
    assert batch
    assert "\u202e" not in batch["reset"]["rows"][ANA]["name"]


def test_people_at_rows_are_numbered_once_however_often_they_move() -> None:
    it = Scene()
    agent, scan = str(uuid4()), str(uuid4())
    it.report(0, person(ANA, "Ana", at(f"/streams/{STREAM}"), at("/")), person(BO, "Bo", at("/")))
    view = it.view(Shows.ROWS)
    full = view.full()
    assert full
    assert full["reset"]["looking"] == {"people": [ANA], "rows": {STREAM: [0]}}
    it.report(0, person(ANA, "Ana", at("/")), person(BO, "Bo", at("/monitoring/agents", selected=agent)))
    assert view.patch(()) == {"looking": {"people": [BO], "rows": {agent: [1], STREAM: []}}}
    it.report(
        0,
        person(ANA, "Ana", at("/scans", selected=scan, is_idle=True), at("/x", selected=agent, is_idle=True)),
        person(BO, "Bo", at("/monitoring/agents", selected=agent)),
    )
    assert view.patch(()) == {"looking": {"people": [], "rows": {scan: [~0], agent: [~0, 1]}}}
    assert view.patch(()) is None
    # A window that comes later knows all numbers, with which the next patch goes on.
    again = view.full()
    assert again
    assert again["reset"]["looking"] == {"people": [ANA, BO], "rows": {scan: [~0], agent: [~0, 1]}}


def test_a_person_at_a_row_in_two_windows_is_idle_there_only_if_both_are() -> None:
    it = Scene()
    here = at(f"/streams/{STREAM}")
    it.report(0, person(ANA, "Ana", {**here, "is_idle": True}))
    it.report(1, person(ANA, "Ana", at("/monitoring", selected=STREAM)))
    full = it.view(Shows.ROWS).full()
    assert full
    assert full["reset"]["looking"]["rows"] == {STREAM: [0]}

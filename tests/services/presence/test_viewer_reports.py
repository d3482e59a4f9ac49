"""Reports of viewers in virtual time, over a database in memory."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast
from uuid import UUID, uuid4

import pytest

from services.errors import DatabaseUnavailable
from services.infra.database import Database
from services.presence.viewer_reports import ViewerReports
from services.presence.windows import MAX_PEOPLE, MAX_PLACES, Place, TrackedWindow
from tests.virtual_time import scenes

ORG, OTHER_ORG = UUID(int=1), UUID(int=2)
ANA, BO = UUID(int=11), UUID(int=12)
People = dict[str, list[str]]


class FakeDatabase:
    """Keeps the reports with their times; `postponed` are returned once as locked."""

    def __init__(self) -> None:
        self.reports: list[tuple[float, UUID, list[dict[str, Any]]]] = []
        self.calls: list[float] = []
        self.postponed: set[UUID] = set()
        self.is_down = False

    @asynccontextmanager
    async def as_app(self) -> AsyncIterator["FakeDatabase"]:
        if self.is_down:
            raise DatabaseUnavailable("PostgreSQL does not answer.")
        yield self

    async def connection(self) -> "FakeDatabase":
        return self

    async def execute(self, _: object, values: dict[str, Any]) -> "FakeDatabase":
        now = asyncio.get_running_loop().time()
        self.calls.append(now)
        for report in json.loads(values["reports"]):
            if UUID(report["org_id"]) not in self.postponed:
                self.reports.append((now, UUID(report["org_id"]), report["people"]))
        return self

    def scalars(self) -> set[UUID]:
        postponed, self.postponed = self.postponed, set()
        return postponed


class Scene:
    """One process, its windows, and what it has reported."""

    def __init__(self) -> None:
        self.database = FakeDatabase()
        self.reports = ViewerReports(cast(Database, self.database))

    def window(self, user_id: UUID, path: str = "/", *, org: UUID = ORG) -> TrackedWindow:
        window = self.reports.track(org, user_id)
        window.show(Place(path=path, title=path))
        window.arrive()
        return window

    def told(self, org: UUID = ORG) -> list[tuple[float, People]]:
        """When which people were reported with which paths; idle ones in round brackets."""
        return [(round(at, 3), _paths(people)) for at, id, people in self.database.reports if id == org]


def _paths(people: list[dict[str, Any]]) -> People:
    names = {str(ANA): "ana", str(BO): "bo"}
    found = {}
    for person in people:
        name = names.get(person["user_id"], person["user_id"])
        found[f"({name})" if person["is_idle"] else name] = [
            f"({place['path']})" if place.get("is_idle") else place["path"] for place in person["places"]
        ]
    return found


@asynccontextmanager
async def started() -> AsyncIterator[Scene]:
    stage = Scene()
    async with stage.reports:
        yield stage


scene = scenes(started)


@scene
async def test_nothing_is_sent_while_nobody_is_here(it: Scene) -> None:
    window = it.reports.track(ORG, ANA)
    window.show(Place(path="/", title="Dashboard"))
    window.set_idle(True)
    await asyncio.sleep(600)
    assert it.database.calls == []


@scene
async def test_five_windows_of_a_person_are_one_person_with_every_place_once(it: Scene) -> None:
    for path in ("/", "/alerts", "/", "/", "/alerts"):
        it.window(ANA, path)
    await asyncio.sleep(0.5)
    assert it.told() == [(0, {"ana": ["/", "/alerts"]})]


@scene
async def test_changes_are_sent_at_once_after_quiet_and_then_once_a_second(it: Scene) -> None:
    window = it.window(ANA)
    await asyncio.sleep(10)
    for number in range(20):
        window.show(Place(path=f"/{number}", title=""))
        await asyncio.sleep(0.25)
    await asyncio.sleep(2)
    assert it.database.calls == [0, 10, 11, 12, 13, 14, 15]
    assert it.told()[1] == (10, {"ana": ["/0"]})
    assert it.told()[-1] == (15, {"ana": ["/19"]})


@scene
async def test_who_moves_there_and_back_within_a_second_costs_nothing(it: Scene) -> None:
    window = it.window(ANA)
    await asyncio.sleep(0.1)
    window.show(Place(path="/x", title=""))
    await asyncio.sleep(0.1)
    window.show(Place(path="/", title="/"))
    await asyncio.sleep(10)
    assert it.database.calls == [0]


@scene
async def test_a_quiet_organisation_is_reported_every_fifteen_seconds(it: Scene) -> None:
    it.window(ANA)
    await asyncio.sleep(50)
    assert it.database.calls == [0, 15, 30, 45]


@scene
async def test_who_leaves_is_gone_after_five_seconds_and_then_nothing_is_sent(it: Scene) -> None:
    window, _ = it.window(ANA), it.window(BO)
    await asyncio.sleep(10)
    window.leave()
    window.leave()
    await asyncio.sleep(3)
    assert it.told()[-1] == (0, {"ana": ["/"], "bo": ["/"]})
    await asyncio.sleep(3)
    assert it.told()[-1] == (15, {"bo": ["/"]})
    _.leave()
    await asyncio.sleep(600)
    assert it.told()[-1] == (21, {})
    assert len(it.database.calls) == 3


@scene
async def test_a_reload_shows_nothing_to_others(it: Scene) -> None:
    window = it.window(ANA, "/alerts")
    await asyncio.sleep(1)
    for _ in range(3):
        window.leave()
        await asyncio.sleep(4)
        window = it.window(ANA, "/alerts")
    await asyncio.sleep(1)
    assert {str(people) for _, people in it.told()} == {"{'ana': ['/alerts']}"}


@scene
async def test_a_person_who_goes_to_another_page_by_a_reload_is_at_one_place(it: Scene) -> None:
    it.window(ANA, "/alerts").leave()
    it.window(ANA, "/")
    await asyncio.sleep(1)
    assert it.told() == [(0, {"ana": ["/"]})]


@scene
async def test_a_window_that_loses_its_socket_for_a_moment_stays(it: Scene) -> None:
    window = it.window(ANA)
    await asyncio.sleep(2)
    window.leave()
    await asyncio.sleep(4.9)
    window.arrive()
    await asyncio.sleep(30)
    assert {str(people) for _, people in it.told()} == {"{'ana': ['/']}"}


@scene
async def test_a_window_that_closes_while_its_twin_reloads_is_not_taken_for_it(it: Scene) -> None:
    closed, reloaded = it.window(ANA, "/closed"), it.window(ANA, "/reloaded")
    closed.leave()
    reloaded.leave()
    await asyncio.sleep(1)
    it.window(ANA, "/reloaded")
    await asyncio.sleep(2)
    assert it.told()[-1][1] == {"ana": ["/reloaded"]}


@scene
async def test_a_person_is_idle_when_all_windows_are_and_places_in_use_come_first(it: Scene) -> None:
    first, second = it.window(ANA, "/first"), it.window(ANA, "/second")
    first.set_idle(True)
    await asyncio.sleep(0.5)
    assert it.told()[-1][1] == {"ana": ["/second", "(/first)"]}
    second.set_idle(True)
    await asyncio.sleep(1)
    assert it.told()[-1][1] == {"(ana)": ["(/first)", "(/second)"]}
    second.set_idle(False)
    await asyncio.sleep(1)
    assert it.told()[-1][1] == {"ana": ["/second", "(/first)"]}


@scene
async def test_who_is_invisible_in_one_window_is_so_in_all_within_a_second(it: Scene) -> None:
    first, _, _ = it.window(ANA), it.window(ANA, "/alerts"), it.window(BO)
    await asyncio.sleep(0.1)
    first.set_shown(False)
    await asyncio.sleep(1)
    assert it.told()[-1] == (1, {"bo": ["/"]})


@scene
async def test_a_process_whose_people_are_all_invisible_still_has_the_silent_ones_forgotten(it: Scene) -> None:
    it.window(ANA).set_shown(False)
    await asyncio.sleep(40)
    assert it.told() == [(0, {}), (15, {}), (30, {})]


@scene
async def test_organisations_are_apart_and_share_a_call(it: Scene) -> None:
    it.window(ANA, "/ours")
    it.window(ANA, "/theirs", org=OTHER_ORG)
    await asyncio.sleep(16)
    assert (it.told()[0], it.told(OTHER_ORG)[0]) == ((0, {"ana": ["/ours"]}), (0, {"ana": ["/theirs"]}))
    assert it.database.calls == [0, 15]


@scene
async def test_what_the_database_postpones_is_reported_again_a_second_later(it: Scene) -> None:
    it.database.postponed = {ORG}
    it.window(ANA)
    await asyncio.sleep(2)
    assert it.told() == [(1, {"ana": ["/"]})]


@scene
async def test_after_a_failure_the_present_state_is_reported(it: Scene) -> None:
    it.database.is_down = True
    window = it.window(ANA, "/before")
    await asyncio.sleep(12)
    window.show(Place(path="/after", title=""))
    it.database.is_down = False
    await asyncio.sleep(5)
    assert it.told() == [(15, {"ana": ["/after"]})]


@scene
async def test_the_last_report_of_people_who_left_meanwhile_is_made_up_for(it: Scene) -> None:
    window = it.window(ANA)
    await asyncio.sleep(1)
    it.database.is_down = True
    window.leave()
    await asyncio.sleep(60)
    it.database.is_down = False
    await asyncio.sleep(60)
    assert [people for _, people in it.told()] == [{"ana": ["/"]}, {}]


@scene
async def test_a_process_that_stops_takes_its_people_back_even_from_under_a_lock(it: Scene) -> None:
    it.window(ANA)
    it.window(BO, org=OTHER_ORG)
    await asyncio.sleep(3)
    it.database.postponed = {ORG}
    await it.reports.aclose()
    await it.reports.aclose()
    assert (it.told()[-1][1], it.told(OTHER_ORG)[-1][1]) == ({}, {})
    it.window(ANA)
    await asyncio.sleep(60)
    assert it.told()[-1][1] == {}


@scene
async def test_reports_are_bounded_and_keep_those_in_use(it: Scene) -> None:
    for number in range(MAX_PEOPLE + 50):
        it.window(UUID(int=1000 + number)).set_idle(number < 50)
    for number in range(MAX_PLACES * 3):
        window = it.reports.track(OTHER_ORG, ANA)
        window.show(Place(path="/" + "x" * 5000, title="\0\ud800\u202e" + "y" * 5000, selected=uuid4()))
        window.set_idle(number < MAX_PLACES * 2)
        window.arrive()
    await asyncio.sleep(1)
    _, _, people = it.database.reports[0]
    assert len(people) == MAX_PEOPLE
    assert not any(person["is_idle"] for person in people)
    _, _, ((person),) = it.database.reports[1]
    assert len(person["places"]) == MAX_PLACES
    assert not any("is_idle" in place for place in person["places"])
    assert all(place["title"].isprintable() for place in person["places"])
    assert len(json.dumps(person)) < 2500


@pytest.mark.parametrize("is_idle", [False, True])
def test_a_page_that_is_not_told_leaves_the_person_online_without_a_place(is_idle: bool) -> None:
    @scene
    async def play(it: Scene) -> None:
        window = it.window(ANA)
        window.show(None)
        window.set_idle(is_idle)
        await asyncio.sleep(1)
        assert it.told() == [(0, {"(ana)" if is_idle else "ana": []})]

    play()

"""For which runs a rule is: what the lists of runs find by the same words and facets, and nothing else."""

import random
from typing import Any
from uuid import UUID

import pytest

from services.entities import RUNS
from services.errors import NotAccepted
from services.lists.pages import matching_ids
from services.people.models import Role
from services.rules.occurrence import Occurrence
from services.rules.rule import Rule
from services.rules.terms.run_filter import FACETS, Matched, RunFilter
from tests.world import World

WORDS = ["nightly", "Größe", "ΣΊΣΥΦΟΣ", "a,b", "100%", "_x", "\\n", "مرحبا", "\u202etest", "e\u0301te", "'; --", "0"]
TAGS = ["prod", "a,b", "Prod", "test ", "ß", "-", "مرحبا"]
NUMBER_OF_RUNS = 40


async def insert_runs(world: World, org: UUID, chosen: random.Random) -> None:
    """Insert runs of each kind with odd texts; some are archived, some have no slug, one is very long."""
    [[stream]] = await world.sql("insert into streams (org_id, name) values (%s, 'Parent') returning id", org)

    def text(most: int = 3) -> str:
        return " ".join(chosen.choices(WORDS, k=chosen.randint(1, most)))

    for number in range(NUMBER_OF_RUNS):
        tags = chosen.sample(TAGS, k=chosen.randint(0, 3))
        long = "x " * 1995 + "needle" if number == 0 else text()
        common: dict[str, Any] = {"org_id": org, "tags": tags}
        common["slug"] = f"job-{number % 7}@{number}" if number % 3 else None
        common["error"] = long if number % 2 else None
        rows: dict[str, dict[str, Any]] = {
            "streams": {"name": text(), "description": long[:4000], "stream_type": text(1)},
            "acquisition_scans": {"name": text(), "current_step": long[:200]},
            "agent_executions": {
                "agent_name": text(), "agent_id": text(1), "output_summary": long[:4000], "stream_id": stream,
            },
        }  # fmt: skip
        for table, row in rows.items():
            values = common | row
            marks = ", ".join(["%s"] * len(values))
            [[id]] = await world.sql(
                f"insert into {table} ({', '.join(values)}) values ({marks}) returning id", *values.values()
            )
            if number % 5 == 0:
                await world.sql(f"update {table} set archived_at = now() where id = %s", id)


@pytest.mark.integration
async def test_a_rule_is_for_what_the_list_shows_at_its_address(world: World) -> None:
    chosen = random.Random(20261128)
    org, other = await world.organization(), await world.organization()
    ada = await world.person(org, role=Role.ADMIN)
    for each in (org, other):
        await insert_runs(world, each, chosen)
    found = {}
    for kind, entity in RUNS.items():
        rows = await world.sql(
            f"select id, private.subject_facts(%s, id) from {entity.table} where org_id = %s", entity.table, org
        )
        found[kind] = {
            id: Matched(kind=kind, job="", facts=facts, name="something else", is_job=False) for id, facts in rows
        }
    streams = [str(facts.row.stream_id) for facts in found["agents"].values()]
    seen = set()
    for _ in range(60):
        given = {
            "search": chosen.choice(["", *WORDS, "needle", "NIGHTLY grosse", "100 %", "x x"]),
            "tag": chosen.choice(["", "", "prod", "prod, ß", "a,b", "test", "none"]),
            "agent": chosen.choice(["", "", "", *WORDS]),
            "stream": chosen.choice(["", "", "", streams[0], "none"]),
        }
        rule = Rule.parse({"name": "R", "events": ["failed"], "roles": ["viewer"], **given}).filter
        for kind, entity in RUNS.items():
            expected: set[UUID] = set()
            if query := rule.queries.get(kind):
                expected = set(await matching_ids(world.database, ada.identity, entity, query, org))
            assert {id for id, run in found[kind].items() if rule.matches(run)} == expected, (kind, given)
            seen.add((kind, bool(expected)))
    assert len(seen) == 2 * len(RUNS)


@pytest.mark.integration
async def test_a_job_is_matched_as_its_newest_run_even_if_that_is_archived(world: World) -> None:
    org = await world.organization()
    for number, tag in enumerate(("old", "new")):
        await world.sql(
            "insert into streams (org_id, name, slug, tags, archived_at) values (%s, 'Nightly', %s, %s, now())",
            org, f"nightly@{number}", [tag],
        )  # fmt: skip
    [[id, facts]] = await world.sql("select id, private.subject_facts('jobs', id) from jobs where org_id = %s", org)
    record = {
        "org_id": str(org), "event": "late", "subject_table": "jobs", "subject_id": str(id), "source": str(id),
        "at": "2026-11-28T00:00:00+00:00", "detail": {}, "row": facts,
    }  # fmt: skip
    late = Occurrence.of_record(record)
    for given, is_told in (({}, True), ({"tag": "new"}, True), ({"tag": "old"}, False), ({"kinds": ["scans"]}, False)):
        rule = Rule.parse({"name": "R", "events": ["late"], "roles": ["viewer"], **given})
        assert late.concerns(rule) == is_told, given
    gone = Occurrence.of_record(record | {"row": None, "detail": {"name": "Nightly"}})
    assert gone.name == "Nightly"


def test_what_no_list_of_its_kinds_offers_is_refused() -> None:
    with pytest.raises(NotAccepted, match="Streams or Scans are not filtered by agent"):
        RunFilter.parse({"kinds": ["streams", "scans"], "agent": "a"})
    assert set(RunFilter.parse({"agent": "a"}).queries) == {"agents"}


@pytest.mark.parametrize("name", ["search", "job", *FACETS])
def test_a_text_that_is_too_long_is_refused(name: str) -> None:
    with pytest.raises(NotAccepted, match="201 characters"):
        RunFilter.parse({name: "x" * 201})


def test_a_definition_of_an_earlier_version_is_read() -> None:
    old = {"kinds": ["streams"], "job": "nightly", "tag": "prod", "search": "Import", "roles": ["viewer"]}
    rule = Rule.of_record({"name": "R", "events": ["failed"], "definition": old}).filter
    assert rule.queries["streams"].params == {"q": "Import", "tag": "prod"}
    assert rule.definition | old == rule.definition | {"roles": ["viewer"]}

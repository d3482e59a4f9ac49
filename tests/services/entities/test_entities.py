"""Every monitored table is complete: model, trigger, policies, enum and publication are consistent."""

import re
import subprocess
import sys
from enum import StrEnum
from typing import Any

import pytest
from pydantic import ValidationError
from sqlalchemy import Enum
from sqlmodel import SQLModel

from services.entities import (
    ACTIVITIES,
    ENTITIES,
    AcquisitionScan,
    AgentExecution,
    AgentStatus,
    Entity,
    GoalStatus,
    Priority,
    Row,
    ScanStatus,
    Scope,
    Stream,
    StyledStatus,
)
from services.entities.alerts import priority_of
from services.people.models import Role
from tests.app_process import ROOT
from tests.world import World

pytestmark = pytest.mark.integration
each_entity = pytest.mark.parametrize("entity", ENTITIES, ids=lambda entity: entity.table)


@each_entity
async def test_the_model_has_the_columns_of_the_table(world: World, entity: Entity[Any]) -> None:
    rows = await world.sql(
        "select column_name from information_schema.columns where table_schema = 'public' and table_name = %s",
        entity.table,
    )
    assert {row[0] for row in rows} == {column.name for column in SQLModel.metadata.tables[entity.table].columns}


@each_entity
async def test_changes_are_broadcast_on_the_topic_of_those_who_may_see_them(world: World, entity: Entity[Any]) -> None:
    triggers = await world.sql(
        "select pg_get_triggerdef(oid) from pg_trigger where tgrelid = %s::regclass and tgname = 'broadcast_row'",
        f"public.{entity.table}",
    )
    ((definition,),) = triggers
    assert "AFTER INSERT OR DELETE OR UPDATE" in definition
    assert f"broadcast_row('{entity.scope}')" in definition


@each_entity
async def test_row_level_security_is_on_and_nothing_is_granted_to_anonymous_visitors(
    world: World, entity: Entity[Any]
) -> None:
    name = f"public.{entity.table}"
    ((is_on,),) = await world.sql("select relrowsecurity from pg_class where oid = %s::regclass", name)
    assert is_on
    commands = await world.sql("select cmd, roles from pg_policies where tablename = %s", entity.table)
    # Only the database writes activities.
    written = set() if entity is ACTIVITIES else {"INSERT", "UPDATE", "DELETE"}
    assert {command for command, _ in commands} == {"SELECT"} | written
    for privilege in {"INSERT", "UPDATE", "DELETE"} - written:
        ((granted,),) = await world.sql("select has_table_privilege('authenticated', %s, %s)", name, privilege)
        assert not granted
    assert all(roles == ["authenticated"] for _, roles in commands)
    for privilege in ("SELECT", "INSERT", "UPDATE", "DELETE"):
        ((granted,),) = await world.sql("select has_table_privilege('anon', %s, %s)", name, privilege)
        assert not granted


@each_entity
async def test_the_table_is_in_the_publication(world: World, entity: Entity[Any]) -> None:
    assert await world.sql(
        "select 1 from pg_publication_tables where pubname = 'supabase_realtime' and tablename = %s", entity.table
    )


async def test_every_status_enum_equals_the_check_of_its_column(world: World) -> None:
    checked = 0
    for table in [*(entity.table for entity in ENTITIES), "org_members"]:
        for column in SQLModel.metadata.tables[table].columns:
            kind = column.type.enum_class if isinstance(column.type, Enum) else None
            if kind is not None and issubclass(kind, StrEnum):
                assert await allowed(world, table, column.name) == values(kind)
                checked += 1
    assert checked >= 7
    assert await allowed(world, "signal_alerts", "priority") == values(Priority)
    assert values(Role) == {"viewer", "operator", "admin"}


async def test_a_version_only_grows_also_over_delete_and_insert(world: World) -> None:
    org = await world.organization()
    ((id, first),) = await world.sql("insert into streams (org_id, name) values (%s, 's') returning id, version", org)
    ((second,),) = await world.sql("update streams set version = 0 where id = %s returning version", id)
    await world.sql("delete from streams where id = %s", id)
    ((third,),) = await world.sql(
        "insert into streams (id, org_id, name) values (%s, %s, 's') returning version", id, org
    )
    assert first < second < third


async def test_a_row_never_moves_to_another_organisation(world: World) -> None:
    org, other = await world.organization(), await world.organization()
    ((id,),) = await world.sql("insert into streams (org_id, name) values (%s, 's') returning id", org)
    await world.sql("update streams set org_id = %s where id = %s", other, id)
    assert await world.sql("select org_id from streams where id = %s", id) == [(org,)]


@pytest.mark.parametrize(
    ("strength", "priority"), [(100, "urgent"), (90, "urgent"), (89, "high"), (75, "high"), (50, "medium"), (49, "low")]
)
async def test_the_strength_decides_the_priority(world: World, strength: int, priority: str) -> None:
    org = await world.organization()
    person = await world.person(org)
    rows = await world.sql(
        "insert into signal_alerts (org_id, user_id, target_name, signal_type, signal_strength) "
        "values (%s, %s, 'x', 'y', %s) returning priority",
        org,
        person.id,
        strength,
    )
    assert rows == [(priority,)]
    assert priority_of(strength) == priority


def test_scopes_name_the_column_that_the_topic_comes_from() -> None:
    for entity in ENTITIES:
        assert f"{entity.scope}_id" in entity.model.model_fields
    assert {entity.scope for entity in ENTITIES} == {Scope.ORG, Scope.USER}


async def allowed(world: World, table: str, column: str) -> set[str]:
    """Return the values that a column's CHECK constraint lists."""
    rows = await world.sql(
        "select pg_get_constraintdef(oid) from pg_constraint where contype = 'c' and conrelid = %s::regclass",
        f"public.{table}",
    )
    for (definition,) in rows:
        if match := re.search(rf"\(\(?{column} = ANY", definition):
            return set(re.findall(r"'([a-z_]+)'::text", definition[match.start() :]))
    raise AssertionError(f"{table}.{column} has no check")


def values(kind: type[StrEnum]) -> set[str]:
    return {member.value for member in kind}


@pytest.mark.parametrize(
    ("completed", "total"),
    [
        (0, 0),
        (5, 0),
        (1, 3),
        (2, 3),
        (999, 1000),
        (9999, 10000),
        (7, 5),
        (0.285, 1),
        (0.1, 0.3),
        (2**53 - 1, 2**53),
        (1e-9, 1),
    ],
)
async def test_a_percentage_is_the_same_computed_here_and_there(world: World, completed: float, total: float) -> None:
    org = await world.organization()
    ((row,),) = await world.sql(
        "insert into streams (org_id, name, completed, total) values (%s, 's', %s, %s) returning to_jsonb(streams)",
        org,
        completed,
        total,
    )
    percentage = row.pop("percentage")
    assert Stream.model_validate(row).percentage == percentage


@pytest.mark.parametrize(
    ("model", "columns", "status"),
    [
        *((AcquisitionScan, "name", status) for status in ScanStatus),
        *((AgentExecution, "agent_id, agent_name, stream_id", status) for status in AgentStatus),
        *((Stream, "name", status) for status in GoalStatus),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else value,
)
async def test_whether_a_run_is_finished_is_the_same_computed_here_and_there(
    world: World, model: type[Row], columns: str, status: StyledStatus
) -> None:
    org = await world.organization()
    ((stream,),) = await world.sql("insert into streams (org_id, name) values (%s, 's') returning id", org)
    values = {"name": "s", "agent_id": "a", "agent_name": "a", "stream_id": stream}
    names = columns.split(", ")
    table, column = model.__tablename__, "goal_status" if model is Stream else "status"
    ((row,),) = await world.sql(
        f"insert into {table} (org_id, {column}, {columns}) values (%s, %s{', %s' * len(names)}) "
        f"returning to_jsonb({table})",
        org,
        status.value,
        *(values[name] for name in names),
    )
    is_finished = row.pop("is_finished")
    row.pop("percentage", None)
    assert is_finished == (status in ("completed", "failed", "stopped", "cancelled"))
    assert model.read(row).model_dump()["is_finished"] is is_finished


def test_rows_can_be_read_where_none_was_ever_made() -> None:
    code = """
from uuid import uuid4
from services.entities import Stream
print(Stream.read({"id": str(uuid4()), "org_id": str(uuid4()), "name": "first"}).name)
"""
    answer = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert answer.stdout == "first\n", answer.stderr


@each_entity
async def test_a_row_to_look_at_is_the_same_as_one_of_a_session(world: World, entity: Entity[Any]) -> None:
    org = await world.organization()
    person = await world.person(org)
    record: dict[str, Any] = {
        "id": str(person.id),
        "org_id": str(org),
        "user_id": str(person.id),
        "stream_id": str(org),
        "subject_id": str(org),
        "subject_table": "streams",
        "subject_name": "s",
        "signal_strength": 80,
        "version": 3,
        "created_at": "2026-11-23T10:00:00+00:00",
        "detected_at": "2026-11-23T10:00:00+00:00",
    }
    fields = {column.name for column in SQLModel.metadata.tables[entity.table].columns}
    given = {name: value for name, value in record.items() if name in fields}
    texts = [
        name for name, field in entity.model.model_fields.items() if field.is_required() and field.annotation is str
    ]
    given |= dict.fromkeys(texts, "n") | {name: given[name] for name in texts if name in given}
    read, validated = entity.model.read(given), entity.model.model_validate(given)
    assert read.model_dump() == validated.model_dump()
    assert (read.version, read.created_at) == (3, validated.created_at)
    with pytest.raises(ValidationError):
        entity.model.read({**given, "version": "many"})

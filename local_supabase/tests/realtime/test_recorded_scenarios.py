"""The Realtime server against the recording of a real one: same frames, or a documented difference."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from websockets.exceptions import InvalidStatus

from local_supabase.process import LocalSupabase
from local_supabase.tests.realtime.recording import Replay, recorded
from local_supabase.tests.tools import FOLDER, U1, U2, Tokens, join_payload, raw_socket, receive, send

pytestmark = pytest.mark.integration

RECORDED = recorded()
Owner = psycopg.AsyncConnection[Any]
NOTE = "insert into public.open_notes (body) values ('x')"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """How to play a recording: SQL before an incoming frame (-1: before the end), users, roles and tokens."""

    sql: dict[int, str] = field(default_factory=dict)
    user: str | None = U1
    users: dict[str, str] = field(default_factory=dict)
    role: str = "authenticated"
    tokens: list[Callable[[Tokens], str]] = field(default_factory=list)
    lifetime: float = 3600
    setup: str = ""
    teardown: str = ""
    vsn: str = "1.0.0"
    limit: int | None = None
    unordered: bool = False
    unsent: tuple[str, ...] = ()


def expired(tokens: Tokens) -> str:
    return tokens.of(lifetime=-61)


def bad_secret(tokens: Tokens) -> str:
    return tokens.of()[:-12] + "AAAAAAAAAAAA"


def without(claim: str) -> Callable[[Tokens], str]:
    claims = {"role": "authenticated", "exp": 4_000_000_000, "sub": U1}
    return lambda tokens: tokens.sign({name: value for name, value in claims.items() if name != claim})


def of_user(user: str = U1, *, role: str = "authenticated", lifetime: float = 3600) -> Callable[[Tokens], str]:
    return lambda tokens: tokens.of(user, role=role, lifetime=lifetime)


def todo(user: str, title: str, table: str = "todos") -> str:
    return f"insert into public.{table} (user_id, title) values ('{user}', '{title}')"


INSERT_THEN_NOTE = Scenario(sql={2: NOTE})
LISTENER = f"insert into public.listeners values ('priv', '{U1}')"
TYPES = (
    "insert into public.types_t values (gen_random_uuid(), 1, 2, 9223372036854775807, 1.5, 2.25, 12345.6789, true,"
    " 'héllo \"q\"', 'v', '{\"a\": [1]}', '{\"b\": null}', '2026-01-02', '03:04:05.678',"
    " '2026-01-02 03:04:05.678901+02', '2026-01-02 03:04:05', array['a', 'b c'], array[1, 2], '\\x00ff',"
    " '1 day 2 hours')"
)

SCENARIOS: dict[str, Scenario] = {
    "official_pgchanges": Scenario(
        tokens=[of_user()],
        sql={
            3: "insert into public.todos (user_id, title, meta) values "
            f"('{U1}', 'mine', '{{\"a\": 1}}'), ('{U2}', 'foreign', null)",
            4: "update public.todos set done = true where title = 'mine';"
            "update public.todos set done = true where title = 'foreign'",
            5: "delete from public.todos where title = 'mine'",
            6: "delete from public.todos where title = 'foreign'",
        },
    ),
    "official_broadcast": Scenario(tokens=[of_user(), of_user()], limit=8),
    "vsn2_raw": Scenario(vsn="2.0.0", sql={3: NOTE}),
    "vsn1_raw": Scenario(tokens=[of_user()]),
    "join_token_bad_secret": Scenario(tokens=[bad_secret]),
    "join_token_expired": Scenario(tokens=[expired]),
    "join_token_garbage": Scenario(),
    "join_token_no_exp": Scenario(tokens=[without("exp")]),
    "join_token_no_role": Scenario(tokens=[without("role")]),
    "join_token_empty": Scenario(),
    "join_token_sb_key": INSERT_THEN_NOTE,
    "join_token_unknown_role": Scenario(tokens=[of_user(role="nosuchrole")]),
    "access_token_push_bad_secret": Scenario(tokens=[of_user(), bad_secret]),
    "access_token_push_expired": Scenario(tokens=[of_user(), expired]),
    "access_token_push_garbage": Scenario(tokens=[of_user()]),
    "access_token_push_null": Scenario(tokens=[of_user()]),
    "token_expires_while_joined": Scenario(tokens=[of_user(lifetime=2)]),
    "apikey_expires_while_connected": Scenario(lifetime=2),
    **{
        name: Scenario()
        for name in (
            "bind_not_in_publication", "bind_no_such_table", "bind_no_such_schema", "bind_bad_operator",
            "bind_bad_column", "bind_type_mismatch", "bind_garbage_filter", "bind_in_no_parens", "bind_no_schema_table",
            "bind_one_good_one_bad", "bind_select_badcol", "malformed_frame", "private_channel_no_policy",
            "broadcast_before_join_reply_and_unjoined",
        )
    },
    **{
        name: INSERT_THEN_NOTE
        for name in (
            "bind_schema_wildcard", "bind_star_schema", "bind_bad_event", "bind_lower_event", "bind_two_same",
            "bind_select_cols", "bind_in_filter", "bind_and_filter", "bind_duplicate_binding",
        )
    },
    "anon_role_rls": Scenario(
        user=None,
        role="anon",
        sql={2: todo(U1, "a") + ";update public.todos set done = true;delete from public.todos"},
    ),
    "service_role": Scenario(
        user=None, role="service_role", sql={2: todo(U2, "s"), 3: "delete from public.todos where title = 's'"}
    ),
    "select_privilege_revoked": Scenario(
        setup="revoke select on public.open_notes from authenticated",
        sql={2: NOTE},
        teardown="grant select on public.open_notes to authenticated",
    ),
    "replica_identity_full": Scenario(
        users={"c25": U2},
        sql={
            4: todo(U1, "s", "todos_full"),
            5: "update public.todos_full set title = 't'",
            6: f"update public.todos_full set user_id = '{U2}'",
            7: "delete from public.todos_full",
        },
    ),
    "filter_on_delete": Scenario(
        setup="delete from public.open_notes",
        sql={
            2: "insert into public.open_notes (body, n) values ('a', 5), ('b', 6)",
            3: "update public.open_notes set body = 'a' where n in (5, 6)",
            -1: "delete from public.open_notes where n in (5, 6)",
        }
    ),
    "types": Scenario(
        setup="truncate public.types_t",
        sql={
            2: TYPES,
            3: "insert into public.types_t default values",
            4: "update public.types_t set t = null, f8 = null where i2 = 1",
        },
    ),
    "truncate": Scenario(sql={-1: "truncate public.types_t"}),
    "big_record": Scenario(sql={2: "insert into public.open_notes (body, n) values (repeat('x', 1500000), 1)"}),
    "multi_row_txn": Scenario(
        sql={
            2: "begin;"
            "insert into public.open_notes (body, n) select 'tx', i from generate_series(0, 4) i;"
            "savepoint a; update public.open_notes set body = 'lost' where body = 'tx' and n = 1; rollback to a;"
            "update public.open_notes set body = 'tx2' where body = 'tx' and n = 3; commit"
        },
        teardown="delete from public.open_notes",
    ),
    "rejoin_same_topic": Scenario(sql={5: NOTE}),
    "private_channel_policy": Scenario(
        setup=LISTENER, sql={4: """select realtime.send('{"from": "db"}', 'dbev', 'priv')"""},
        teardown="delete from public.listeners",
    ),
    "server_sigterm": Scenario(unordered=True),
    "two_channels_same_table": Scenario(sql={4: "insert into public.open_notes (body, n) values ('q', 5)"}),
    "many_bindings_one_channel": Scenario(limit=0),
    "leave_stops": Scenario(sql={-1: NOTE}),
    "channels_per_client": Scenario(limit=9),
    "joins_per_second": Scenario(limit=10),
    "concurrent_users": Scenario(limit=10),
    "cold_start_first_event": Scenario(limit=2),
    "warm_join_first_event": Scenario(
        sql={4: ";".join(f"insert into public.open_notes (body, n) values ('g', {n})" for n in range(23))}
    ),
    "official_presence": Scenario(tokens=[of_user(), of_user()], limit=14),
    "presence_raw": Scenario(limit=7),
    "presence_rate": Scenario(unordered=True, unsent=('"ref": "8"',)),
    "add_table_to_publication_later": Scenario(
        setup="alter publication supabase_realtime drop table public.types_t; alter publication supabase_realtime "
        "add table public.types_t",
        limit=4,
    ),
}  # fmt: skip


HANDSHAKES: dict[str, Callable[[Tokens], str | None]] = {
    "handshake_bad_secret": bad_secret,
    "handshake_expired": expired,
    "handshake_garbage": lambda tokens: "abc",
    "handshake_no_exp": without("exp"),
    "handshake_no_role": without("role"),
    "handshake_missing": lambda tokens: None,
}


@pytest.mark.parametrize("name", sorted(HANDSHAKES))
async def test_a_refused_handshake_has_the_status_and_body_of_the_real_server(
    name: str, local: LocalSupabase, tokens: Tokens
) -> None:
    rejected = json.loads(RECORDED[name][1].frame)
    with pytest.raises(InvalidStatus) as caught:
        async with raw_socket(local.status.api_url, HANDSHAKES[name](tokens)):
            pass
    assert caught.value.response.status_code == rejected["status"]
    assert json.loads(caught.value.response.body) == json.loads(rejected["body"])


# Recorded as notes, or over minutes: other tests cover them.
ELSEWHERE = {
    "access_token_changes_rls_identity", "access_token_push_same", "big_record_900k", "broadcast_flood",
    "broadcast_from_database_latency", "broadcast_replay", "foreign_user_topic", "handshake_unknown_tenant",
    "no_heartbeat", "no_heartbeat_no_ping", "pg_insert_then_delete_fast", "postgres_restart",
    "silent_drop_over_100_per_s", "token_handover", "walsender_backend_killed",
}  # fmt: skip


def test_every_recorded_scenario_is_accounted_for() -> None:
    assert set(RECORDED) == SCENARIOS.keys() | HANDSHAKES.keys() | ELSEWHERE
    table = (FOLDER.parent / "README.md").read_text()
    assert [name for name in RECORDED if f"`{name}`" not in table] == []


async def stream_is_read(local: LocalSupabase, tokens: Tokens, owner: Owner) -> None:
    """Wait until the server has read the changes of earlier scenarios, so that the next one does not receive them."""
    marker = str(uuid4())
    insertions = {"event": "INSERT", "schema": "public", "table": "open_notes"}
    async with raw_socket(local.status.api_url, tokens.of(U1)) as socket:
        await send(socket, "realtime:marker", "phx_join", join_payload(postgres_changes=[insertions]))
        while (await receive(socket))["event"] != "system":
            pass
        await owner.execute("insert into public.open_notes (body) values (%s)", (marker,))
        while marker not in json.dumps(await receive(socket)):
            pass


@pytest.mark.parametrize("name", sorted(SCENARIOS))
async def test_the_frames_are_those_of_the_real_server(
    name: str, local: LocalSupabase, tokens: Tokens, owner: Owner
) -> None:
    scenario = SCENARIOS[name]
    keys = {"*": tokens.of(scenario.user, role=scenario.role, lifetime=scenario.lifetime)}
    keys |= {conn: tokens.of(user) for conn, user in scenario.users.items()}

    def action(sql: str) -> Callable[[], Awaitable[object]]:
        return lambda: owner.execute(sql.encode())

    replay = Replay(
        api_url=local.status.api_url,
        apikeys=keys,
        tokens=[make(tokens) for make in scenario.tokens],
        before={at: action(sql) for at, sql in scenario.sql.items()},
        vsn=scenario.vsn,
        limit=scenario.limit,
        unordered=scenario.unordered,
        unsent=scenario.unsent,
    )
    if any("postgres_changes" in event.frame for event in RECORDED[name]):
        await stream_is_read(local, tokens, owner)
    if scenario.setup:
        await owner.execute(scenario.setup.encode())
    try:
        await replay.run(RECORDED[name])
    finally:
        if scenario.teardown:
            await owner.execute(scenario.teardown.encode())

"""Values of table changes are formatted as PostgreSQL's `to_jsonb` formats them."""

import json
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from psycopg import sql

from local_supabase.realtime.changes.records import ServerValue, TypedColumn, row_json, value_json

pytestmark = pytest.mark.integration

VALUES = {
    "smallint": ["-32768", "0"],
    "integer": ["2147483647"],
    "bigint": ["-9223372036854775808"],
    "real": ["1.5", "-0", "1e30", "NaN", "Infinity"],
    "double precision": ["0.1", "1e-300", "-Infinity", "123456789012345678"],
    "numeric": ["12345678901234567890.123456789", "NaN", "-0.10", "1e20"],
    "boolean": ["true", "false"],
    "text": ["", "héllo \"q\" \\ \n\t\x01 €", "{}", "null"],
    "varchar(5)": ["abc"],
    "char(5)": ["ab"],
    '"char"': ["a"],
    "name": ["public"],
    "uuid": ["6F9619FF-8B86-D011-B42D-00C04FC964FF"],
    "json": ['{"b": [1,  2], "a": null}', '"x"'],
    "jsonb": ['{"b": [1,  2], "a": null}', "1.50"],
    "date": ["2026-01-02", "infinity", "0044-03-15 BC", "12026-01-02"],
    "time": ["03:04:05.678", "24:00:00"],
    "timetz": ["03:04:05+02"],
    "timestamp": ["2026-01-02 03:04:05", "-infinity", "2026-01-02 03:04:05.000001", "0044-03-15 00:00:00 BC"],
    "timestamptz": ["2026-01-02 03:04:05.1+05:30", "infinity", "0044-03-15 00:00:00+00 BC", "12026-01-02 00:00:00+00"],
    "interval": ["1 day 2 hours", "-3 mons", "00:00:00.5"],
    "inet": ["192.168.0.1/24", "::1"],
    "cidr": ["10.0.0.0/8"],
    "macaddr": ["08:00:2b:01:02:03"],
    "bit(3)": ["101"],
    "money": ["12.34"],
    "point": ["(1,2)"],
    "int4range": ["[1,5)"],
    "tsvector": ["a fat cat"],
    "text[]": ["{a,\"b c\",NULL,\"q\\\"\"}", "{{a},{b}}", "{}"],
    "integer[]": ["{1,2,NULL}"],
    "jsonb[]": ['{"{\\"a\\": 1}"}'],
    "timestamptz[]": ["{2026-01-02 03:04:05+00}"],
    "xid8": ["5"],
}  # fmt: skip


@pytest.mark.parametrize("kind", VALUES)
async def test_a_value_is_shown_as_by_to_jsonb(kind: str, owner: psycopg.AsyncConnection[Any]) -> None:
    for value in VALUES[kind]:
        query = sql.SQL(
            "select format('%%s', v), to_jsonb(v)::text, pg_typeof(v)::oid::int from (select %s::{} as v) x"
        )
        row = await (await owner.execute(query.format(sql.SQL(kind)), (value,))).fetchone()
        assert row is not None
        text, wanted, oid = row
        name = await (await owner.execute("select typname from pg_type where oid = %s", (oid,))).fetchone()
        assert name is not None
        column = TypedColumn(name="v", type=name[0], sql=kind)
        shown = value_json(text, column)
        if isinstance(shown, ServerValue):
            asked = sql.SQL("select to_jsonb(%s::{})::text").format(sql.SQL(shown.sql))
            answer = await (await owner.execute(asked, (shown.text,))).fetchone()
            assert answer is not None
            shown = str(answer[0])
        if kind in {"json", "real", "double precision"}:
            # The same value, written as it came.
            assert json.loads(shown, parse_float=Decimal) == json.loads(wanted, parse_float=Decimal)
        else:
            assert shown == wanted


def test_an_object_has_the_order_and_spacing_of_jsonb() -> None:
    columns = [TypedColumn(name=name, type="int4", sql="integer") for name in ("bb", "a", "ccc", "ab", "gone")]
    assert (
        row_json({"bb": "1", "a": None, "ccc": "3", "ab": "4"}, columns, {})
        == '{"a": null, "ab": 4, "bb": 1, "ccc": 3}'
    )

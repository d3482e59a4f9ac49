"""Rows that a constraint would have refused: each is quarantined and named, and the others go on."""

from uuid import uuid4

import pytest

from services.entities import STREAMS
from tests.proxies import TcpProxy
from tests.services.realtime.watch import CONNECTED, Watch
from tests.world import until

pytestmark = pytest.mark.integration
ODD = {
    "an unknown status": ("goal_status", "'perhaps'"),
    "a negative amount": ("completed", "-1"),
    "an infinite amount": ("completed", "'infinity'"),
    "no number": ("completed", "'nan'"),
    "an infinite total": ("total", "'infinity'"),
    "an empty name": ("name", "''"),
    "a name of spaces": ("name", "'   '"),
}


@pytest.mark.parametrize("arrives", ["by an event", "with the snapshot"])
@pytest.mark.parametrize(("column", "value"), ODD.values(), ids=ODD)
async def test_an_odd_row_is_quarantined_and_the_rest_goes_on(
    watch: Watch, proxy: TcpProxy, column: str, value: str, arrives: str
) -> None:
    fields = {"id": "%s", "org_id": "%s", "name": "'Odd'", column: value}
    insert = f"insert into streams ({', '.join(fields)}) values ({', '.join(fields.values())})"
    id, topic = uuid4(), STREAMS.topic(watch.org)
    async with watch.world.odd_row("streams", f"streams_{column}_check", insert, id, watch.org):
        if arrives == "with the snapshot":
            proxy.reset()
        await watch.world.sql("insert into streams (org_id, name) values (%s, 'Fine')", watch.org)
        await until(
            lambda: [each.id for each in watch.service.quarantined(topic)] == [str(id)], what="it is quarantined"
        )
        ((count,),) = await watch.world.sql(
            "select count(*) from streams where org_id = %s and id <> %s", watch.org, id
        )
        await until(lambda: len(watch.subscription.rows()) == count, what="the others are there")
        await until(lambda: watch.subscription.status.status is CONNECTED)
    await until(lambda: watch.service.quarantined(topic) == [], what="a row that is gone is no longer named")
    await watch.converges()


async def test_a_name_that_only_spaces_make_long_is_shown_as_the_table_takes_it(watch: Watch) -> None:
    name = f"  {'n' * 200}  "
    await watch.world.sql("insert into streams (org_id, name) values (%s, %s)", watch.org, name)
    await watch.converges()
    assert watch.service.quarantined(STREAMS.topic(watch.org)) == []

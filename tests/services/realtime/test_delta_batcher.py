"""Changes are told at once to few, in batcher to many, and always in their order."""

import time
from uuid import uuid4

from services.entities import Stream
from services.realtime import Delta
from services.realtime.delta_batcher import MAX_DELAY_SECONDS, DeltaBatcher
from tests.world import until

ORG = uuid4()


def delta(number: int) -> Delta[Stream]:
    row = Stream(org_id=ORG, name=str(number), version=number)
    return Delta(id=row.id, old=None, new=row)


async def test_after_quiet_a_change_is_told_before_anything_else_happens() -> None:
    told: list[list[Delta[Stream]]] = []
    batcher = DeltaBatcher(told.append)
    batcher.add([first := delta(1)])
    assert told == [[first]]


async def test_when_telling_is_dear_changes_wait_for_each_other_and_keep_their_order() -> None:
    told: list[list[Delta[Stream]]] = []

    def tell(deltas: list[Delta[Stream]]) -> None:
        time.sleep(0.004)
        told.append(deltas)

    batcher = DeltaBatcher(tell)
    deltas = [delta(number) for number in range(20)]
    for each in deltas:
        batcher.add([each])
    assert told == [[deltas[0]]]
    await until(lambda: sum(map(len, told)) == len(deltas), within=10 * MAX_DELAY_SECONDS)
    assert told == [[deltas[0]], deltas[1:]]


async def test_what_waits_can_be_told_now_and_is_told_once() -> None:
    told: list[list[Delta[Stream]]] = []

    def tell(deltas: list[Delta[Stream]]) -> None:
        time.sleep(0.004)
        told.append(deltas)

    batcher = DeltaBatcher(tell)
    first, second = delta(1), delta(2)
    batcher.add([first])
    batcher.add([second])
    batcher.flush()
    batcher.flush()
    assert told == [[first], [second]]
    batcher.cancel()


async def test_changes_within_an_interval_are_told_together_the_first_at_once() -> None:
    told: list[list[Delta[Stream]]] = []
    batcher = DeltaBatcher(told.append, interval=0.2)
    deltas = [delta(number) for number in range(3)]
    began = time.monotonic()
    for each in deltas:
        batcher.add([each])
    assert told == [deltas[:1]]
    await until(lambda: len(told) == 2)
    assert time.monotonic() - began >= 0.2
    assert told == [deltas[:1], deltas[1:]]

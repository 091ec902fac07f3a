"""How many jobs a worker may claim."""

from datetime import timedelta

from contracts.analyze import Preset
from contracts.render import PoolState
from gateway.jobs.states import Claimed, Stage
from gateway.room import Room


def claimed(number: int, stage: Stage = Stage.RENDER) -> Claimed:
    return Claimed(
        id=f"an_{number}",
        tenant_id="local",
        url="https://shop.test/",
        preset=Preset.RULES,
        stage=stage,
        attempt=1,
        fence=1,
        trace="",
        age=timedelta(),
    )


def test_the_workers_own_limit_counts_jobs_in_any_stage() -> None:
    room = Room(3)
    room.admit(claimed(1))
    room.admit(claimed(2, Stage.ANALYZE))
    assert room.free() == 1
    room.leave(claimed(1))
    room.leave(claimed(2))
    assert room.free() == 3


def test_the_pools_slots_limit_renders_but_not_analyses() -> None:
    room = Room(10)
    room.learn(PoolState(slots=2, free=0))
    room.admit(claimed(1, Stage.ANALYZE))
    room.admit(claimed(2))
    assert room.free() == 1
    room.admit(claimed(3))
    assert room.free() == 0
    room.rendered(claimed(2))
    assert room.free() == 1


def test_a_pool_for_which_others_queue_gets_no_more_than_now() -> None:
    room = Room(10)
    room.admit(claimed(1))
    room.learn(PoolState(slots=8, free=0, queued=3))
    assert room.free() == 0
    room.leave(claimed(1))
    assert room.free() == 1
    room.learn(PoolState(slots=8, free=5, queued=0))
    assert room.free() == 8


def test_a_full_pool_closes_the_room_for_a_while() -> None:
    room = Room(2)
    room.close(timedelta(hours=1))
    assert room.free() == 0


def test_leaving_says_that_there_is_room() -> None:
    room = Room(1)
    room.admit(claimed(1))
    room.changed.clear()
    room.leave(claimed(1))
    assert room.changed.is_set()

from datetime import timedelta

from contracts.fetch import Tier
from renderer.tiers.memory import HostMemory


def test_a_host_is_remembered_for_a_while() -> None:
    now = [0.0]
    memory = HostMemory(10, timedelta(seconds=60), lambda: now[0])
    assert memory.recall("shop.test:443") is None
    memory.remember("shop.test:443", Tier.BROWSER)
    now[0] = 59.0
    assert memory.recall("shop.test:443") is Tier.BROWSER
    now[0] = 60.0
    assert memory.recall("shop.test:443") is None
    assert len(memory) == 0


def test_the_host_not_used_for_longest_goes_first() -> None:
    memory = HostMemory(2, timedelta(seconds=60), lambda: 0.0)
    memory.remember("a", Tier.STATIC)
    memory.remember("b", Tier.BROWSER)
    assert memory.recall("a") is Tier.STATIC
    memory.remember("c", Tier.UNBLOCKER)
    assert [memory.recall(host) for host in "abc"] == [Tier.STATIC, None, Tier.UNBLOCKER]


def test_ten_thousand_hosts_take_no_more_room_than_allowed() -> None:
    memory = HostMemory(100, timedelta(seconds=60))
    for number in range(10_000):
        memory.remember(f"host{number}", Tier.STATIC)
    assert len(memory) == 100

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from prometheus_client import REGISTRY

from contracts.errors import ErrorCode
from contracts.fetch import FetchRequest, Reason, Tier
from renderer.tiers.job import Climb, Found, Job
from renderer.tiers.ladder import Habits, Ladder
from renderer.tiers.memory import HostMemory
from renderer.tiers.seen import Seen
from renderer.tiers.verdict import Finding, Verdict
from renderer.tiers.visitor import visitor
from runtime import netguard
from runtime.errors import ServiceError

GOOD = Verdict()
SHELL = Verdict(Finding.NEEDS_JAVASCRIPT, "empty_root")
WALL = Verdict(Finding.BLOCKED, "cloudflare", certain=True)
HINT = Verdict(Finding.BLOCKED, "status_403")
PRICE = Decimal("0.002")
S, B, U = Tier.STATIC, Tier.BROWSER, Tier.UNBLOCKER
ALL = (S, B, U)

Outcome = Verdict | ErrorCode | Found | Callable[[], Awaitable[Found]]


def found(verdict: Verdict = GOOD, text: str = "words", cost: Decimal = Decimal(0)) -> Found:
    return Found(200, 10, verdict, seen=Seen(text=text), cost_usd=cost)


class World:
    """Tiers that do what a test says, and a ladder over them."""

    def __init__(
        self, outcomes: dict[Tier, Outcome], *, rolls: float = 1.0, room: bool = True, slow_s: float = 60
    ) -> None:
        self.outcomes = outcomes
        self.entered: list[Tier] = []
        self.cancelled: list[Tier] = []
        self.memory = HostMemory(100, timedelta(hours=1))
        self.rolls = rolls
        ways = {tier: self._way(tier) for tier in ALL}
        habits = Habits(timedelta(seconds=slow_s), recheck=0.05)
        self.ladder = Ladder(ways, self.memory, habits, lambda: room, lambda: self.rolls)

    def _way(self, tier: Tier) -> Callable[[Job], Awaitable[Found]]:
        async def way(_job: Job) -> Found:
            self.entered.append(tier)
            outcome = self.outcomes[tier]
            if isinstance(outcome, ErrorCode):
                raise ServiceError(outcome, "Told to.", retry_after_s=3)
            if isinstance(outcome, Found):
                return outcome
            if isinstance(outcome, Verdict):
                return found(outcome, cost=PRICE if tier is U else Decimal(0))
            try:
                return await outcome()
            except asyncio.CancelledError:
                self.cancelled.append(tier)
                raise

        return way

    def climb(self, tiers: tuple[Tier, ...] = (S, B), forced: Reason | None = None, **more: object) -> Climb:
        return asyncio.run(self.ladder.climb(job(tiers, **more), forced))

    def remembered(self) -> Tier | None:
        return self.memory.recall(job(ALL).site)


def job(tiers: tuple[Tier, ...], **more: object) -> Job:
    request = FetchRequest.model_validate({"url": "https://shop.test/", "outputs": [{"kind": "html"}], **more})
    target = netguard.parse(request.url)
    return Job(request, target, visitor(request.visit, target, "150"), tiers, time.monotonic())


def story(climb: Climb) -> list[tuple[Tier, Reason, str]]:
    return [(tried.tier, tried.reason, tried.outcome) for tried in climb.tried]


@pytest.mark.parametrize(
    ("outcomes", "tiers", "expected", "remembered"),
    [
        ({S: GOOD}, (S, B), [(S, Reason.FIRST, "ok")], S),
        ({S: SHELL, B: GOOD}, (S, B), [(S, Reason.FIRST, "needs_javascript"), (B, Reason.NEEDS_JAVASCRIPT, "ok")], B),
        ({S: WALL, B: GOOD}, (S, B), [(S, Reason.FIRST, "blocked"), (B, Reason.BLOCKED, "ok")], B),
        ({S: HINT, B: GOOD}, ALL, [(S, Reason.FIRST, "blocked"), (B, Reason.BLOCKED, "ok")], B),
        (
            {S: WALL, B: WALL, U: GOOD},
            ALL,
            [(S, Reason.FIRST, "blocked"), (B, Reason.BLOCKED, "blocked"), (U, Reason.BLOCKED, "ok")],
            U,
        ),
        (
            {S: ErrorCode.TARGET_REFUSED, B: GOOD},
            (S, B),
            [(S, Reason.FIRST, "target_refused"), (B, Reason.FAILED, "ok")],
            B,
        ),
        (
            {S: ErrorCode.TARGET_TLS, B: ErrorCode.TARGET_TLS, U: GOOD},
            ALL,
            [(S, Reason.FIRST, "target_tls"), (B, Reason.FAILED, "target_tls"), (U, Reason.FAILED, "ok")],
            U,
        ),
        ({S: SHELL}, (S,), [(S, Reason.FIRST, "needs_javascript")], None),
        ({S: HINT}, (S,), [(S, Reason.FIRST, "blocked")], None),
        ({S: HINT, B: HINT}, (S, B), [(S, Reason.FIRST, "blocked"), (B, Reason.BLOCKED, "blocked")], None),
    ],
)
def test_the_ladder_is_climbed_as_far_as_needed(
    outcomes: dict[Tier, Outcome], tiers: tuple[Tier, ...], expected: list[Any], remembered: Tier | None
) -> None:
    world = World(outcomes)
    climb = world.climb(tiers)
    assert story(climb) == expected
    assert climb.winner is climb.tried[-1]
    assert world.remembered() is remembered


@pytest.mark.parametrize(
    ("outcomes", "tiers", "code", "entered"),
    [
        ({S: ErrorCode.TARGET_DNS}, ALL, ErrorCode.TARGET_DNS, [S]),
        ({S: ErrorCode.URL_FORBIDDEN}, ALL, ErrorCode.URL_FORBIDDEN, [S]),
        ({S: ErrorCode.ROBOTS_DISALLOWED}, ALL, ErrorCode.ROBOTS_DISALLOWED, [S]),
        ({S: ErrorCode.TARGET_TOO_LARGE}, ALL, ErrorCode.TARGET_TOO_LARGE, [S]),
        ({S: ErrorCode.TARGET_IS_DOWNLOAD}, ALL, ErrorCode.TARGET_IS_DOWNLOAD, [S]),
        ({S: SHELL, B: ErrorCode.RENDERER_BUSY}, ALL, ErrorCode.RENDERER_BUSY, [S, B]),
        ({S: WALL, B: ErrorCode.RENDERER_BUSY}, ALL, ErrorCode.RENDERER_BUSY, [S, B]),
        ({S: SHELL, B: ErrorCode.PAGE_HUNG}, (S, B), ErrorCode.PAGE_HUNG, [S, B]),
        ({S: WALL}, (S,), ErrorCode.TARGET_BLOCKED, [S]),
        ({S: HINT, B: WALL}, (S, B), ErrorCode.TARGET_BLOCKED, [S, B]),
        ({S: WALL, B: WALL, U: WALL}, ALL, ErrorCode.TARGET_BLOCKED, [S, B, U]),
        ({S: WALL, B: WALL, U: ErrorCode.UNAVAILABLE}, ALL, ErrorCode.TARGET_BLOCKED, [S, B, U]),
    ],
)
def test_failures_are_honest(
    outcomes: dict[Tier, Outcome], tiers: tuple[Tier, ...], code: ErrorCode, entered: list[Tier]
) -> None:
    world = World(outcomes)
    with pytest.raises(ServiceError) as caught:
        world.climb(tiers)
    assert caught.value.code is code
    assert world.entered == entered
    assert world.remembered() is None


def test_a_provider_that_fails_takes_nothing_away() -> None:
    climb = World({S: HINT, B: HINT, U: ErrorCode.UNAVAILABLE}).climb(ALL)
    assert climb.winner is climb.tried[1]
    assert [tried.outcome for tried in climb.tried] == ["blocked", "blocked", "unavailable"]


def test_what_the_provider_bills_is_in_its_attempt() -> None:
    climb = World({S: WALL, B: WALL, U: GOOD}).climb(ALL)
    assert [tried.attempt().cost_usd for tried in climb.tried] == [0, 0, PRICE]


def test_what_the_provider_bills_is_counted_for_dashboards() -> None:
    def billed() -> float:
        return REGISTRY.get_sample_value("cro_fetch_cost_usd_total") or 0.0

    before = billed()
    World({S: WALL, B: WALL, U: GOOD}).climb(ALL)
    assert billed() - before == pytest.approx(float(PRICE))


def test_the_tier_that_worked_is_where_the_next_visit_begins() -> None:
    world = World({S: SHELL, B: GOOD})
    world.climb()
    assert story(world.climb()) == [(B, Reason.REMEMBERED, "ok")]
    world.rolls = 0.0
    assert story(world.climb())[0] == (S, Reason.RECHECK, "needs_javascript")
    world.outcomes[S] = GOOD
    assert story(world.climb()) == [(S, Reason.RECHECK, "ok")]
    world.rolls = 1.0
    assert story(world.climb()) == [(S, Reason.REMEMBERED, "ok")]


def test_a_remembered_tier_that_is_not_allowed_is_not_used() -> None:
    world = World({S: WALL, B: HINT, U: GOOD})
    world.climb(ALL)
    assert world.remembered() is U
    assert story(world.climb((S, B))) == [(B, Reason.REMEMBERED, "blocked")]


def test_now_and_then_the_browser_is_asked_whether_it_has_more() -> None:
    rich = found(text="words " * 300)
    world = World({S: found(text="few words"), B: rich}, rolls=0.0)
    world.climb()
    climb = world.climb()
    assert story(climb) == [(S, Reason.REMEMBERED, "ok"), (B, Reason.RECHECK, "ok")]
    assert climb.winner is climb.tried[1]
    assert world.remembered() is B


@pytest.mark.parametrize("other", [found(text="few words"), ErrorCode.RENDERER_BUSY, SHELL])
def test_a_browser_that_has_no_more_changes_nothing(other: Outcome) -> None:
    world = World({S: found(text="few words"), B: other}, rolls=0.0)
    world.climb()
    climb = world.climb()
    assert climb.winner is climb.tried[0]
    assert world.remembered() is S


def test_no_browser_is_asked_for_more_while_none_is_free() -> None:
    world = World({S: GOOD, B: GOOD}, rolls=0.0, room=False)
    world.climb()
    world.climb()
    assert world.entered == [S, S]


@pytest.mark.parametrize(("room", "rolls", "asked"), [(True, 0.01, 1), (True, 0.06, 0), (False, 0.01, 0)])
def test_an_idle_browser_may_check_where_only_plain_http_is_allowed(room: bool, rolls: float, asked: int) -> None:  # noqa: FBT001  # a row
    world = World({S: found(text="a" * 100), B: found(text="a" * 2_000)}, rolls=rolls, room=room)
    world.climb((S,), spare_browser=True)
    climb = world.climb((S,), spare_browser=True)
    assert world.entered.count(B) == asked
    assert climb.winner is not None
    assert (climb.winner.tier, climb.winner.reason) == ((B, Reason.RECHECK) if asked else (S, Reason.REMEMBERED))


@pytest.mark.parametrize(
    ("last", "tiers", "begins"),
    [
        ({"outcome": "needs_javascript"}, (S, B), (B, Reason.NEEDS_JAVASCRIPT)),
        ({"outcome": "blocked"}, ALL, (B, Reason.BLOCKED)),
        ({"outcome": "target_tls", "error": "target_tls"}, (S, B), (B, Reason.FAILED)),
        ({"outcome": "blocked"}, (S,), (S, Reason.FIRST)),
    ],
)
def test_what_was_tried_elsewhere_is_not_tried_again(
    last: dict[str, object], tiers: tuple[Tier, ...], begins: tuple[Tier, Reason]
) -> None:
    world = World(dict.fromkeys(ALL, GOOD))
    climb = world.climb(tiers, climbed=[{"tier": "static", "reason": "first", **last}])
    assert story(climb) == [(*begins, "ok")]


@pytest.mark.parametrize("tier", ALL)
def test_a_tier_that_was_asked_for_is_the_only_one(tier: Tier) -> None:
    world = World({tier: SHELL if tier is S else HINT}, rolls=0.0)
    climb = world.climb((tier,), Reason.ASKED)
    assert [tried.reason for tried in climb.tried] == [Reason.ASKED]
    assert world.entered == [tier]
    assert world.remembered() is None


def test_a_slow_first_tier_gets_company_and_loses() -> None:
    async def never() -> Found:
        await asyncio.Event().wait()
        raise AssertionError

    world = World({S: never, B: GOOD}, slow_s=0)
    assert story(world.climb()) == [(S, Reason.FIRST, "cancelled"), (B, Reason.SLOW, "ok")]
    assert world.cancelled == [S]
    assert world.remembered() is B


def test_a_slow_first_tier_may_still_win() -> None:
    begun = asyncio.Event()

    async def late() -> Found:
        await begun.wait()
        return found()

    async def later() -> Found:
        begun.set()
        await asyncio.Event().wait()
        raise AssertionError

    world = World({S: late, B: later}, slow_s=0)
    assert story(world.climb()) == [(B, Reason.SLOW, "cancelled"), (S, Reason.FIRST, "ok")]
    assert world.cancelled == [B]


def test_a_browser_that_is_busy_leaves_a_slow_first_tier_alone() -> None:
    tried = asyncio.Event()

    async def late() -> Found:
        await tried.wait()
        return found()

    async def busy() -> Found:
        tried.set()
        raise ServiceError(ErrorCode.RENDERER_BUSY, "Busy.", retry_after_s=1)

    world = World({S: late, B: busy}, slow_s=0)
    assert story(world.climb()) == [(B, Reason.SLOW, "renderer_busy"), (S, Reason.FIRST, "ok")]


def test_a_slow_shell_waits_for_the_browser_that_is_on_its_way() -> None:
    begun = asyncio.Event()
    shown = asyncio.Event()

    async def late() -> Found:
        await begun.wait()
        shown.set()
        return found(SHELL)

    async def browser() -> Found:
        begun.set()
        await shown.wait()
        return found()

    world = World({S: late, B: browser}, slow_s=0)
    assert story(world.climb()) == [(S, Reason.FIRST, "needs_javascript"), (B, Reason.SLOW, "ok")]
    assert world.entered == [S, B]


def test_a_caller_that_leaves_stops_every_tier() -> None:
    begun = asyncio.Event()

    async def never() -> Found:
        await asyncio.Event().wait()
        raise AssertionError

    async def noted() -> Found:
        begun.set()
        return await never()

    world = World({S: never, B: noted}, slow_s=0)

    async def test() -> None:
        task = asyncio.create_task(world.ladder.climb(job((S, B)), None))
        await begun.wait()
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()

    asyncio.run(test())
    assert sorted(world.cancelled) == sorted([S, B])

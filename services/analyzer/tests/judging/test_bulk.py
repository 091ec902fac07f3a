"""Pages in message batches: handed in together, found again by their tickets, checked like any other answer."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from decimal import Decimal

import pytest
from pydantic import SecretStr

from analyzer.fakeclaude.server import FakeServer
from analyzer.judged import BulkJudge, JudgedPage, Judgement
from analyzer.judging import tickets
from analyzer.judging.batches import Batches, BatchItem, BatchRecord
from analyzer.judging.bulk import Bulk, from_settings
from analyzer.judging.claude import Claude
from analyzer.judging.exchange import ClaudeUnavailable, Trouble
from analyzer.judging.judge import ClaudeJudge
from analyzer.judging.results import Results
from analyzer.judging.settings import ClaudeSettings
from contracts.analyze import Preset
from contracts.result import DegradedReason, Ticket, TicketState

BUDGET_MS = 30_000
HOUR_S = 3_600
DAY_S = 24 * HOUR_S
BATCHES = "/v1/messages/batches"
Fates = list[Judgement | Ticket | BaseException]


class Time:
    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def time(fake: FakeServer, monkeypatch: pytest.MonkeyPatch) -> Time:
    time = Time()
    monkeypatch.setattr(fake.state, "clock", time)
    return time


@pytest.fixture
def three(settings: ClaudeSettings) -> ClaudeSettings:
    """Settings with which a batch leaves when three pages are there, and not before."""
    return settings.model_copy(update={"claude_bulk_requests": 3, "claude_bulk_wait_seconds": 60})


@asynccontextmanager
async def process(settings: ClaudeSettings, time: Time) -> AsyncIterator[Bulk]:
    """An analyzer's process, as far as memory goes."""
    claude = Claude(settings)
    async with ClaudeJudge(settings, claude) as judge:
        batches = Batches(claude, wall=time)
        bulk = Bulk(judge, batches, settings, Results(batches, time, time))
        yield bulk
        await bulk.aclose()


def watched(bulk: Bulk) -> asyncio.Semaphore:
    """Return what is released for every page that waits for others."""
    entered = asyncio.Semaphore(0)
    hand_in = bulk._collector.hand_in

    async def noted(item: BatchItem, model: str) -> BatchRecord:
        entered.release()
        return await hand_in(item, model)

    bulk._collector.hand_in = noted  # type: ignore[method-assign]  # to see who waits
    return entered


def pages(page: JudgedPage, count: int = 3) -> list[JudgedPage]:
    return [replace(page, analysis_id=f"an_{number}") for number in range(count)]


def in_process(settings: ClaudeSettings, time: Time, work: Callable[[Bulk], Awaitable[Fates]]) -> Fates:
    async def run() -> Fates:
        async with process(settings, time) as bulk:
            return await work(bulk)

    return asyncio.run(run())


def handed_in(
    settings: ClaudeSettings, time: Time, them: list[JudgedPage], preset: Preset = Preset.FAST
) -> list[Ticket]:
    async def work(bulk: Bulk) -> Fates:
        return list(await asyncio.gather(*(bulk.hand_in(one, preset, BUDGET_MS) for one in them)))

    found = in_process(settings, time, work)
    assert all(isinstance(one, Ticket) for one in found)
    # As they come back out of a database.
    return [Ticket.model_validate_json(one.model_dump_json()) for one in found if isinstance(one, Ticket)]


def redeemed(
    settings: ClaudeSettings,
    time: Time,
    them: list[JudgedPage],
    kept: list[Ticket],
    preset: Preset = Preset.FAST,
) -> Fates:
    async def work(bulk: Bulk) -> Fates:
        asked = (bulk.redeem(one, preset, BUDGET_MS, ticket) for one, ticket in zip(them, kept, strict=True))
        return list(await asyncio.gather(*asked, return_exceptions=True))

    return in_process(settings, time, work)


def calls(fake: FakeServer, path: str, method: str = "GET") -> int:
    return sum(entry["method"] == method and entry["path"].endswith(path) for entry in fake.state.log)


def refusal(fate: Judgement | Ticket | BaseException) -> ClaudeUnavailable:
    assert isinstance(fate, ClaudeUnavailable), fate
    return fate


def test_is_what_the_rules_expect(settings: ClaudeSettings) -> None:
    judge, bulk = from_settings(settings)
    seam: BulkJudge = bulk
    assert callable(seam.redeem)
    asyncio.run(judge.aclose())


def test_many_pages_are_one_batch_and_each_is_judged_as_alone(
    three: ClaudeSettings, time: Time, page: JudgedPage, fake: FakeServer, judge: ClaudeJudge
) -> None:
    async def alone() -> Judgement:
        async with judge:
            return await judge(page, Preset.FAST, BUDGET_MS)

    usual = asyncio.run(alone())
    them = pages(page)
    kept = handed_in(three, time, them)
    assert calls(fake, BATCHES, "POST") == 1
    assert len(fake.requests) == 1, "none but the one alone"
    for answer in redeemed(three, time, them, kept):
        assert isinstance(answer, Judgement)
        assert [one.fingerprint for one in answer.findings] == [one.fingerprint for one in usual.findings]
        assert (answer.run.batch, answer.run.requests, answer.degraded_reason) == (True, 1, DegradedReason.NONE)
        assert (answer.run.verified, answer.run.rejected) == (usual.run.verified, usual.run.rejected)
        assert Decimal(answer.run.cost_usd) * 2 < Decimal(usual.run.cost_usd) * Decimal("1.1")
        assert usual.memo is not None
        assert answer.memo is not None
        assert answer.memo.key == usual.memo.key, "an unchanged page costs nothing the next time, either way"


def test_a_ticket_says_nothing_secret_and_what_it_may_cost(
    three: ClaudeSettings, time: Time, page: JudgedPage, fake: FakeServer
) -> None:
    kept = handed_in(three, time, pages(page))
    assert three.anthropic_api_key.get_secret_value() not in kept[0].claim
    assert page.tenant_id not in kept[0].claim
    (one, *_) = redeemed(three, time, pages(page), kept)
    assert isinstance(one, Judgement)
    assert Decimal(one.run.cost_usd) < kept[0].most_usd < Decimal("0.01")
    assert len({ticket.claim for ticket in kept}) == 3


def test_while_the_batch_runs_the_ticket_comes_back_and_few_calls_are_made(
    three: ClaudeSettings, time: Time, page: JudgedPage, fake: FakeServer
) -> None:
    fake.state.batch_s = HOUR_S
    them = pages(page)
    kept = handed_in(three, time, them)
    assert redeemed(three, time, them, kept) == kept
    before = len(fake.state.log)

    async def work(bulk: Bulk) -> Fates:
        for _ in range(20):
            assert [await bulk.look(ticket) for ticket in kept] == [TicketState.WAITING] * 3
        assert len(fake.state.log) == before + 1, "what was seen is believed for a while"
        time.now += 2 * HOUR_S
        assert [await bulk.look(ticket) for ticket in kept] == [TicketState.READY] * 3
        return []

    in_process(three, time, work)
    before = calls(fake, "/results")
    answers = redeemed(three, time, them, kept)
    assert all(isinstance(one, Judgement) for one in answers)
    assert calls(fake, "/results") == before + 1, "downloaded once in each process"


def test_results_are_kept_for_a_while_only(
    three: ClaudeSettings, time: Time, page: JudgedPage, fake: FakeServer
) -> None:
    (first, *_) = handed_in(three, time, pages(page))

    async def work(bulk: Bulk) -> Fates:
        for _ in range(3):
            assert await bulk.look(first) is TicketState.READY
        downloads = calls(fake, "/results")
        time.now += 2 * HOUR_S
        assert [await bulk.look(first) for _ in range(3)] == [TicketState.READY] * 3
        assert calls(fake, "/results") == downloads + 1
        return []

    in_process(three, time, work)


def test_a_batch_that_expired_is_asked_alone(
    three: ClaudeSettings, time: Time, page: JudgedPage, fake: FakeServer
) -> None:
    fake.state.batch_s = 2 * DAY_S
    kept = handed_in(three, time, pages(page))
    time.now += DAY_S + 1
    for fate in redeemed(three, time, pages(page), kept):
        assert (refusal(fate).trouble, refusal(fate).passes, refusal(fate).run) == (Trouble.EXPIRED, True, None)


def test_each_page_has_its_own_fate(three: ClaudeSettings, time: Time, page: JudgedPage, fake: FakeServer) -> None:
    fake.script("ok", "overloaded", "ok")
    them = pages(page)
    kept = handed_in(three, time, them)
    fates = redeemed(three, time, them, kept)
    (failed,) = (one for one in fates if not isinstance(one, Judgement))
    assert (refusal(failed).trouble, refusal(failed).passes) == (Trouble.OVERLOADED, True)


@pytest.mark.parametrize(
    ("scenario", "trouble"),
    [("refusal", Trouble.REFUSED), ("truncated", Trouble.TRUNCATED)],
)
def test_an_answer_of_no_use_is_paid_for(
    scenario: str, trouble: Trouble, three: ClaudeSettings, time: Time, page: JudgedPage, fake: FakeServer
) -> None:
    fake.script(*[scenario] * 3)
    kept = handed_in(three, time, pages(page))
    for fate in redeemed(three, time, pages(page), kept):
        error = refusal(fate)
        assert (error.trouble, error.passes) == (trouble, False)
        assert error.run is not None
        assert error.run.batch
        assert Decimal(error.run.cost_usd) > 0


def test_after_a_refusal_the_smaller_model_answers_at_once(
    three: ClaudeSettings, time: Time, page: JudgedPage, fake: FakeServer
) -> None:
    fake.script(*["refusal"] * 3)
    kept = handed_in(three, time, pages(page), Preset.STANDARD)
    for answer in redeemed(three, time, pages(page), kept, Preset.STANDARD):
        assert isinstance(answer, Judgement)
        assert answer.degraded_reason is DegradedReason.SMALLER_MODEL
        assert (answer.run.requests, answer.run.batch) == (2, False)


def test_a_key_that_is_gone_loses_the_ticket(
    three: ClaudeSettings, time: Time, page: JudgedPage, fake: FakeServer
) -> None:
    kept = handed_in(three, time, pages(page))
    other = three.model_copy(update={"anthropic_api_key": SecretStr("sk-ant-another")})
    before = len(fake.state.log)
    for fate in redeemed(other, time, pages(page), kept):
        assert refusal(fate).passes
    assert len(fake.state.log) == before


def looked(settings: ClaudeSettings, time: Time, ticket: Ticket) -> TicketState:
    states: list[TicketState] = []

    async def work(bulk: Bulk) -> Fates:
        states.append(await bulk.look(ticket))
        return []

    in_process(settings, time, work)
    return states[0]


def test_a_batch_that_nobody_knows_loses_the_ticket(
    three: ClaudeSettings, time: Time, page: JudgedPage, fake: FakeServer
) -> None:
    (first, *_) = handed_in(three, time, pages(page))
    fake.state.batches.clear()
    assert looked(three, time, first) is TicketState.LOST


@pytest.mark.parametrize("trouble", [Trouble.SERVER, Trouble.CREDENTIALS, Trouble.CIRCUIT_OPEN, Trouble.SPEND_LIMIT])
def test_a_provider_that_cannot_be_asked_loses_nothing(
    trouble: Trouble, three: ClaudeSettings, time: Time, page: JudgedPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    (first, *_) = handed_in(three, time, pages(page))
    asked = 0

    async def away(*_: object) -> None:
        nonlocal asked
        asked += 1
        raise ClaudeUnavailable(trouble, "not now")

    monkeypatch.setattr(Batches, "outcomes", away)
    assert looked(three, time, first) is TicketState.WAITING
    assert redeemed(three, time, [page], [first]) == [first]
    assert asked == 2, "and each process asks once for a while"


@pytest.mark.parametrize("claim", ["", "{}", "no ticket", '{"record": {"batch_id": "../files"}}'])
def test_a_ticket_that_cannot_be_read_is_lost(claim: str, three: ClaudeSettings, time: Time) -> None:
    assert looked(three, time, Ticket(claim=claim)) is TicketState.LOST


def test_no_ticket_leads_to_another_address(three: ClaudeSettings, time: Time, page: JudgedPage) -> None:
    (first, *_) = handed_in(three, time, pages(page))
    claim = tickets.opened(first)
    assert claim is not None
    for changes in ({"batch_id": "../../files"}, {"batch_id": ""}, {"base_url": "https://elsewhere.example"}):
        record = claim.record.model_copy(update=changes)
        bent = Ticket(claim=claim.model_copy(update={"record": record}).model_dump_json())
        assert looked(three, time, bent) is TicketState.LOST


def test_a_batch_that_cannot_be_sent_leaves_every_page_to_be_asked_alone(
    three: ClaudeSettings, time: Time, page: JudgedPage
) -> None:
    refused = three.model_copy(update={"anthropic_api_key": SecretStr("sk-ant-forbidden")})

    async def work(bulk: Bulk) -> Fates:
        them = (bulk.hand_in(one, Preset.FAST, BUDGET_MS) for one in pages(page))
        return list(await asyncio.gather(*them, return_exceptions=True))

    errors = [refusal(fate) for fate in in_process(refused, time, work)]
    assert all((one.trouble, one.passes) == (Trouble.CREDENTIALS, True) for one in errors)
    assert len({id(one) for one in errors}) == 3


def test_a_page_that_was_judged_before_is_not_sent(
    three: ClaudeSettings, time: Time, page: JudgedPage, fake: FakeServer
) -> None:
    kept = handed_in(three, time, pages(page))
    (first, *_) = redeemed(three, time, pages(page), kept)
    assert isinstance(first, Judgement)
    fake.state.reset()

    async def work(bulk: Bulk) -> Fates:
        return [await bulk.hand_in(replace(page, memo=first.memo), Preset.FAST, BUDGET_MS)]

    (again,) = in_process(three, time, work)
    assert isinstance(again, Judgement)
    assert (again.run.reused, again.run.cost_usd) == (True, "0")
    assert not fake.state.log


def test_the_budget_is_that_of_a_batch(three: ClaudeSettings, time: Time, page: JudgedPage) -> None:
    most = handed_in(three, time, pages(page))[0].most_usd
    just = pages(replace(page, ai_budget_usd=most))
    assert len(handed_in(three, time, just)) == 3

    async def work(bulk: Bulk) -> Fates:
        poor = replace(page, ai_budget_usd=most - Decimal("0.000001"))
        return list(await asyncio.gather(bulk.hand_in(poor, Preset.FAST, BUDGET_MS), return_exceptions=True))

    (fate,) = in_process(three, time, work)
    assert (refusal(fate).trouble, refusal(fate).passes) == (Trouble.BUDGET, False)


def test_what_only_the_smaller_model_can_afford_is_sent_to_it(
    three: ClaudeSettings, time: Time, page: JudgedPage
) -> None:
    them = pages(replace(page, ai_budget_usd=Decimal("0.02")))
    kept = handed_in(three, time, them, Preset.STANDARD)
    for answer in redeemed(three, time, them, kept, Preset.STANDARD):
        assert isinstance(answer, Judgement)
        assert (answer.run.model, answer.run.batch) == ("claude-haiku-5-5", True)
        assert answer.degraded_reason is DegradedReason.SMALLER_MODEL
        assert "budget" in answer.degraded_detail


def test_who_has_gone_is_not_sent(three: ClaudeSettings, time: Time, page: JudgedPage, fake: FakeServer) -> None:
    async def work(bulk: Bulk) -> Fates:
        entered = watched(bulk)
        them = [asyncio.create_task(bulk.hand_in(one, Preset.FAST, BUDGET_MS)) for one in pages(page, 2)]
        for _ in them:
            await entered.acquire()
        them[0].cancel()
        await asyncio.wait(them[:1])
        more = (bulk.hand_in(one, Preset.FAST, BUDGET_MS) for one in pages(page, 2))
        return list(await asyncio.gather(them[1], *more))

    assert len(in_process(three, time, work)) == 3
    (sent,) = (entry for entry in fake.state.log if entry["path"] == BATCHES)
    assert len(sent["body"]["requests"]) == 3


@pytest.mark.parametrize("changes", [{"claude_bulk_wait_seconds": 0.01}, {"claude_bulk_bytes": 1}])
def test_a_page_alone_leaves_after_its_time_or_when_it_is_large(
    changes: dict[str, float], three: ClaudeSettings, time: Time, page: JudgedPage
) -> None:
    assert len(handed_in(three.model_copy(update=changes), time, [page])) == 1


def test_a_process_that_ends_lets_those_who_wait_know(three: ClaudeSettings, time: Time, page: JudgedPage) -> None:
    async def work(bulk: Bulk) -> Fates:
        entered = watched(bulk)
        waiting = asyncio.create_task(bulk.hand_in(page, Preset.FAST, BUDGET_MS))
        await entered.acquire()
        await bulk.aclose()
        return list(await asyncio.gather(waiting, return_exceptions=True))

    (fate,) = in_process(three, time, work)
    assert refusal(fate).passes


def test_a_page_that_is_described_in_another_way_is_paid_for_and_asked_alone(
    three: ClaudeSettings, time: Time, page: JudgedPage
) -> None:
    kept = handed_in(three, time, pages(page))
    changed = [replace(one, language="de") for one in pages(page)]
    for fate in redeemed(three, time, changed, kept):
        error = refusal(fate)
        assert error.passes
        assert error.run is not None
        assert Decimal(error.run.cost_usd) > 0

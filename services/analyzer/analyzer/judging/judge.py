"""Claude as the judge of a page: asks, steps down to a smaller model where that helps, returns what was verified."""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from decimal import Decimal
from types import TracebackType
from typing import Protocol, Self, TypeVar

import structlog
from prometheus_client import Counter
from pydantic import ValidationError

from analyzer.judged import JudgedPage, Judgement
from analyzer.judging import fact_table, memos, pictures, prices, prompts
from analyzer.judging.answer import Answer
from analyzer.judging.deadline import Clock, Deadline
from analyzer.judging.exchange import ClaudeUnavailable, ModelState, Prompt, Reply, Trouble
from analyzer.judging.fact_table import SentPage
from analyzer.judging.ledger import Ledger
from analyzer.judging.lifecycle import Lifecycle
from analyzer.judging.settings import ClaudeSettings
from analyzer.judging.verify import Verified, verify
from contracts.analyze import Preset
from contracts.result import AiRun, DegradedReason, Memo, Outcome

log = structlog.get_logger(__name__)

FINDINGS = Counter("cro_claude_findings_total", "Findings that a model proposed, by what became of them", ["verdict"])
INJECTION = "possible_prompt_injection"
_OWN_MS = 250
"""Kept back from the budget for checking the answer."""
_ENCODERS = 2
"""Threads that decode and scale pictures."""
_SILENT_FAILS = 3
"""A model that sees nothing where rules fail this often may have been told to."""
SMALLER_HELPS = frozenset(
    {
        Trouble.RATE_LIMITED,
        Trouble.OVERLOADED,
        Trouble.SERVER,
        Trouble.REQUEST,
        Trouble.GARBLED,
        Trouble.REFUSED,
        Trouble.TRUNCATED,
        Trouble.MALFORMED,
        Trouble.CIRCUIT_OPEN,
        Trouble.BUDGET,
    }
)
"""Troubles of one model that another may not have."""

Done = TypeVar("Done")


@dataclass(frozen=True)
class Prepared:
    """A page as it is sent to one model. `memo_key`: what an answer to it is kept under."""

    page: JudgedPage
    sent: SentPage
    prompt: Prompt
    marker: str
    memo_key: str


@dataclass(frozen=True)
class _Answered:
    """An answer that fits the schema. `leaked`: it held the marker. `reused`: it was given to an earlier analysis."""

    answer: Answer
    memo: Memo | None = None
    leaked: bool = False
    reused: bool = False


class Asker(Protocol):
    """What the judge needs of the module that reaches Claude."""

    async def ask(self, prompt: Prompt, model: str, deadline: Deadline) -> Reply:
        """Return what the model said, or raise `ClaudeUnavailable`."""
        ...

    def most_usd(self, prompt: Prompt, model: str, *, batch: bool = False) -> Decimal | None:
        """Return what asking costs at most; None where the price is unknown."""
        ...

    async def lifecycle(self, model: str, deadline: Deadline) -> ModelState:
        """Return the state of a model, or raise `ClaudeUnavailable`."""
        ...

    async def aclose(self) -> None:
        """Close the connections."""
        ...


class ClaudeJudge:
    """A `Judge` that asks Claude. Owns the connections: use as a context manager, or call `aclose`."""

    def __init__(self, settings: ClaudeSettings, claude: Asker, clock: Clock = time.monotonic) -> None:
        """Take over `claude`; `clock` gives seconds that only grow."""
        self._settings = settings
        self._claude = claude
        self._clock = clock
        self._pool = ThreadPoolExecutor(_ENCODERS, "judge-pictures")
        self._turns = asyncio.Lock()
        self.models = Lifecycle(settings, claude)

    async def __aenter__(self) -> Self:
        """Return itself."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        """Close the connections."""
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        await self._claude.aclose()

    async def _in_turn(self, work: Callable[[], Done]) -> Done:
        """Do a page's worth of computing, one page in each round of the event loop.

        Not in a thread: for every byte sent meanwhile the loop would have to wait for the interpreter's lock.
        """
        async with self._turns:
            # The lock is handed on in the next round.
            await asyncio.sleep(0)
            return work()

    async def __call__(self, page: JudgedPage, preset: Preset, budget_ms: int) -> Judgement:
        """Judge one page within `budget_ms`. Raises `ClaudeUnavailable`, whose `run` says what was spent."""
        return await self.down(page, self._settings.ladder(preset), Ledger(preset), self.deadline(budget_ms))

    def deadline(self, budget_ms: int) -> Deadline:
        """Return until when a model may answer: some of the budget is for checking what it says."""
        return Deadline.after_ms(max(0, budget_ms - _OWN_MS), self._clock)

    async def down(
        self, page: JudgedPage, models: tuple[str, ...], ledger: Ledger, deadline: Deadline, degraded: str = ""
    ) -> Judgement:
        """Ask these models, largest first, until one answers. `degraded`: which others have failed already.

        Raises `ClaudeUnavailable`, whose `run` says what was spent.
        """
        for model in models:
            try:
                return await self._ask(page, model, ledger, deadline, degraded)
            except ClaudeUnavailable as exc:
                exc.run = ledger.run()
                log.warning("claude_model_failed", model=model, trouble=exc.trouble.value, reason=exc.reason)
                if model == models[-1] or exc.trouble not in SMALLER_HELPS:
                    raise
                degraded = f"{model} {exc.trouble}"
        raise AssertionError("the last model returns or raises")

    async def _ask(self, page: JudgedPage, model: str, ledger: Ledger, deadline: Deadline, degraded: str) -> Judgement:
        ready = await self.prepared(page, model, prompts.new_marker())
        known = await self.recalled(ready, ledger, degraded)
        if known is not None:
            return known
        self.afford(ready, model, ledger)
        reply = await self._claude.ask(ready.prompt, model, deadline)
        ledger.record(reply)
        return await self.judgement(reply, ready, ledger, degraded)

    async def prepared(self, page: JudgedPage, model: str, marker: str) -> Prepared:
        """Make the request for one model. Raises `ClaudeUnavailable` where nothing of the page can be judged."""
        images = {one.id: page.images[one.id] for one in fact_table.chosen(page) if one.id in page.images}
        widths = {one.id: one.box.width for one in page.sections}
        loop = asyncio.get_running_loop()
        ready = await loop.run_in_executor(self._pool, pictures.prepare, images, prices.find(model), widths)
        sent = await self._in_turn(lambda: fact_table.build(page, ready))
        if not sent.sections:
            raise ClaudeUnavailable(Trouble.NOTHING_TO_JUDGE, "no section lies in a measured viewport")
        prompt = prompts.build(sent, ready, marker, page.tenant_id)
        key = await self._in_turn(lambda: memos.key(prompt, self._asking(page, model)))
        return Prepared(page, sent, prompt, marker, key)

    async def recalled(self, ready: Prepared, ledger: Ledger, degraded: str) -> Judgement | None:
        """Return what was answered to the very same page before, checked anew; None where it was not."""
        known = _remembered(ready.page.memo, ready.memo_key, ready.prompt.answer)
        return None if known is None else await self._checked(known, ready, ledger, degraded)

    async def judgement(self, reply: Reply, ready: Prepared, ledger: Ledger, degraded: str) -> Judgement:
        """Make a judgement of a reply that `ledger` holds already. Raises `ClaudeUnavailable` for one of no use."""
        parsed = _parsed(reply, ready.marker, ready.prompt.answer)
        memo = memos.memo(reply, ready.memo_key, ready.marker)
        answer = _Answered(parsed, memo=memo, leaked=ready.marker in reply.text)
        return await self._checked(answer, ready, ledger, degraded and f"{degraded}; {reply.model} answered")

    def _asking(self, page: JudgedPage, model: str) -> memos.Asking:
        effort = self._settings.claude_effort
        return memos.Asking(page.tenant_id, page.rules_version, prompts.PROMPT_VERSION, model, effort)

    async def _checked(self, answered: _Answered, ready: Prepared, ledger: Ledger, degraded: str) -> Judgement:
        page, sent = ready.page, ready.sent
        suspicious = sent.suspicious or answered.leaked or _suspects(answered.answer, page)
        verified = await self._in_turn(lambda: verify(answered.answer, sent, page, suspicious=suspicious))
        _count(verified, page, sent, suspicious=suspicious)
        run = _run(verified, ledger, answered)
        return _judgement(verified, run, answered.memo, degraded, suspicious=suspicious)

    def afford(self, ready: Prepared, model: str, ledger: Ledger, *, batch: bool = False) -> Decimal:
        """Return what the dearest possible answer costs, 0 where nobody knows and nobody asked.

        Raises `ClaudeUnavailable` when that would not fit into the page's budget.
        """
        most = self._claude.most_usd(ready.prompt, model, batch=batch)
        if ready.page.ai_budget_usd is not None:
            left = ready.page.ai_budget_usd - ledger.spent_usd
            if most is None or most > left:
                raise ClaudeUnavailable(Trouble.BUDGET, f"{model} may cost {most} USD, and {left} are left")
        return most or Decimal(0)


def _parsed(reply: Reply, marker: str, form: type[Answer]) -> Answer:
    if reply.stop_reason == "refusal":
        raise ClaudeUnavailable(Trouble.REFUSED, f"{reply.model} refused, {reply.request_id}")
    if reply.stop_reason != "end_turn":
        raise ClaudeUnavailable(Trouble.TRUNCATED, f"{reply.model} stopped: {reply.stop_reason}, {reply.request_id}")
    try:
        return form.model_validate_json(reply.text.replace(marker, ""))
    except ValidationError as exc:
        reason = f"{reply.model}, {reply.request_id}: {exc.error_count()} errors, first {exc.errors()[0]['loc']}"
        raise ClaudeUnavailable(Trouble.MALFORMED, reason) from exc


def _remembered(memo: Memo | None, key: str, form: type[Answer]) -> _Answered | None:
    """Return the answer of a memo for exactly this page. One that cannot be read any more is as good as none."""
    if memo is None or memo.key != key:
        return None
    try:
        return _Answered(form.model_validate_json(memo.answer), memo=memo, reused=True)
    except ValidationError:
        log.warning("memo_unreadable", model=memo.model)
        return None


def _suspects(answer: Answer, page: JudgedPage) -> bool:
    fails = {rule.id for rule in page.rules if rule.outcome is Outcome.FAIL}
    silent = not any(part.findings for part in answer.sections) and len(fails) >= _SILENT_FAILS
    return silent or answer.page.suspicious_instructions_seen


def _count(verified: Verified, page: JudgedPage, sent: SentPage, *, suspicious: bool) -> None:
    for verdict, count in verified.verdicts.items():
        FINDINGS.labels(verdict).inc(count)
    verdicts = {verdict.value: count for verdict, count in verified.verdicts.items()}
    fields = {"analysis_id": page.analysis_id, "sections": len(sent.sections), "suspicious": suspicious}
    log.info("claude_answer_checked", verdicts=verdicts, **fields)


def _run(verified: Verified, ledger: Ledger, answered: _Answered) -> AiRun:
    kept = verified.proposed - verified.rejected
    counts = {
        "proposed": verified.proposed,
        "verified": kept - verified.supported,
        "supported": verified.supported,
        "rejected": verified.rejected,
    }
    spent = ledger.run(**counts)
    if answered.reused and answered.memo is not None:
        memo = answered.memo
        base = spent or AiRun(model=memo.model, api_version=memo.api_version)
        return base.model_copy(update={"model": memo.model, "reused": True, **counts})
    assert spent is not None
    return spent


def _judgement(verified: Verified, run: AiRun, memo: Memo | None, degraded: str, *, suspicious: bool) -> Judgement:
    return Judgement(
        findings=verified.findings,
        run=run,
        prompt_version=prompts.PROMPT_VERSION,
        merged=verified.merged,
        section_summaries=verified.summaries,
        section_types=verified.types,
        strengths=verified.strengths,
        warnings=(INJECTION,) if suspicious else (),
        degraded_reason=DegradedReason.SMALLER_MODEL if degraded else DegradedReason.NONE,
        degraded_detail=degraded,
        memo=memo,
    )


def from_settings(settings: ClaudeSettings) -> ClaudeJudge | None:
    """Return a judge, or None without a key. Takes about 1.5 s with one: the SDK's import."""
    if not settings.enabled:
        return None
    from analyzer.judging.claude import Claude  # noqa: PLC0415  # 1.5 s and 30 MB that an analyzer without a key never pays

    return ClaudeJudge(settings, Claude(settings))

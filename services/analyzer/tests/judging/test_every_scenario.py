"""Whatever the provider does, POST /analyze ends in time with a whole result and an honest bill."""

import asyncio
import base64
import hashlib
import time
from collections.abc import Callable

import pytest

from analyzer.analyze import analyze
from analyzer.artifacts import ArtifactReader
from analyzer.fakeclaude.scenarios import Kind
from analyzer.fakeclaude.server import FakeServer
from analyzer.judged import Judge, JudgedPage
from analyzer.judging.claude import MAX_ATTEMPTS, Claude, Sleep
from analyzer.judging.judge import ClaudeJudge
from analyzer.judging.settings import ClaudeSettings
from analyzer.rules import policy
from contracts.analyze import AnalyzeRequest, Preset
from contracts.geometry import ViewportName
from contracts.render import Artifact, RenderResult, Section
from contracts.result import Analysis

BUDGET_MS = 4_000
MODELS = 2
ANSWERED = {
    Kind.OK,
    Kind.THINKING,
    Kind.SLOW,
    Kind.STREAM_ERROR,  # breaks streams only, and we ask for none
    Kind.NONSENSE,
    Kind.FALSE_QUOTES,
    Kind.ECHO,
    Kind.SILENT,
    Kind.EXPIRED,  # of batches only
}
PAID = ANSWERED | {Kind.REFUSAL, Kind.REFUSAL_TEXT, Kind.TRUNCATED}
"""These cost money, so what they cost must be in the result."""


def inline(name: str, content: bytes, page: JudgedPage) -> Artifact:
    return Artifact(
        name=name,
        content_type="x/y",
        bytes=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
        viewport=page.facts[ViewportName.DESKTOP].viewport,
        data=base64.b64encode(content).decode(),
    )


@pytest.fixture
def order(page: JudgedPage) -> AnalyzeRequest:
    facts = page.facts[ViewportName.DESKTOP]
    parts = [inline("facts.desktop", facts.model_dump_json().encode(), page)]
    parts += [inline(f"sections.desktop.{number}", data, page) for number, data in enumerate(page.images.values(), 1)]
    sections = [
        Section(id=one.id, viewport=facts.viewport, box=one.box, artifact=f"sections.desktop.{number}")
        for number, one in enumerate(page.sections, 1)
    ]
    render = RenderResult(
        requested_url=page.url,
        final_url=page.url,
        http_status=200,
        artifacts={one.name: one for one in parts},
        sections=sections,
    )
    return AnalyzeRequest(analysis_id="an_1", render=render, downloads={}, preset=Preset.STANDARD, budget_ms=BUDGET_MS)


Analysed = Callable[[], Analysis]


@pytest.fixture
def analysed(settings: ClaudeSettings, sleep: Sleep, order: AnalyzeRequest) -> Analysed:
    async def run() -> Analysis:
        claude = ClaudeJudge(settings, Claude(settings, sleep=sleep))
        async with claude, ArtifactReader(frozenset(), 10**8) as reader:
            judge: Judge = claude
            return await analyze(order, reader, judge, policy.load())

    return lambda: asyncio.run(run())


@pytest.mark.parametrize("kind", list(Kind))
def test_a_whole_result_inside_the_deadline(kind: Kind, analysed: Analysed, fake: FakeServer) -> None:
    fake.state.default = {Kind.RATE_LIMITED: "rate_limited:2", Kind.SLOW: "slow:0.2"}.get(kind, kind.value)
    begun = time.monotonic()
    result = analysed()
    # Generous, for a machine that is busy: without a deadline, a hanging call would take 120 s.
    assert time.monotonic() - begun < 3 * BUDGET_MS / 1_000
    assert result.rules
    assert result.findings
    assert result.scores.explanation
    assert len(fake.requests) <= MODELS * MAX_ATTEMPTS
    engine = result.engine
    assert engine.degraded is (kind not in ANSWERED)
    assert bool(engine.degraded_reason) is engine.degraded
    assert (engine.mode == "rules+ai") is (kind in ANSWERED)
    assert (engine.ai is not None) is (kind in PAID)
    if engine.ai is not None:
        # Both models refuse: both bills are there.
        assert engine.ai.requests == (1 if kind in ANSWERED else MODELS)
        assert engine.ai.usage.input > 0
        assert float(engine.ai.cost_usd) > 0
        assert len(engine.ai.stop_reasons) == engine.ai.requests


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind not in ANSWERED and kind is not Kind.HANG])
def test_a_failure_that_passes_costs_at_most_the_model(kind: Kind, analysed: Analysed, fake: FakeServer) -> None:
    """One bad answer and then good ones: an answer all the same, unless the key itself was refused."""
    fake.script({Kind.RATE_LIMITED: "rate_limited:2"}.get(kind, kind.value))
    engine = analysed().engine
    shut = {Kind.UNAUTHORIZED, Kind.FORBIDDEN, Kind.SPEND_LIMIT}
    assert (engine.mode == "rules+ai") is (kind not in shut)
    assert len(fake.requests) <= 2

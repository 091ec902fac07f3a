"""Forty-odd pages that give orders to a model: what leaves is bounded, and what comes back changes nothing."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest
from pydantic import SecretStr

from analyzer.app import create_app
from analyzer.fakeclaude.server import FakeServer
from analyzer.judging.claude import Claude
from analyzer.judging.judge import INJECTION, ClaudeJudge
from analyzer.judging.settings import ClaudeSettings
from analyzer.settings import AnalyzerSettings
from contracts.analyze import AnalyzeRequest, Preset
from contracts.render import RenderResult
from contracts.result import Analyzed
from tests.injection.conftest import Attack, attacks

FOREIGN = re.compile(
    r"(?i)https?:|www\.|evil\.example|<[a-z/]|\]\(|250 ?%|[\x00-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e]|mk-"
)
EACH = pytest.mark.parametrize("attack", attacks(), ids=lambda attack: attack.name.replace(" ", "-"))


class Bench:
    """One analyzer over all tests, with a model that does as a scenario says."""

    def __init__(self, runner: asyncio.Runner, http: httpx2.AsyncClient, fake: FakeServer) -> None:
        self._runner = runner
        self._http = http
        self._known: dict[str, Analyzed] = {}
        self.fake = fake

    def judged(self, render: RenderResult, scenario: str) -> Analyzed:
        self.fake.state.reset()
        self.fake.state.default = scenario
        return self._asked(render, Preset.FAST)

    def alone(self, render: RenderResult) -> Analyzed:
        """Return what rules alone say."""
        if render.final_url not in self._known:
            self._known[render.final_url] = self._asked(render, Preset.RULES)
        return self._known[render.final_url]

    def _asked(self, render: RenderResult, preset: Preset) -> Analyzed:
        order = AnalyzeRequest(analysis_id="an_1", tenant_id="t", preset=preset, render=render, downloads={})
        answer = self._runner.run(self._http.post("/analyze", json=order.model_dump(mode="json")))
        assert answer.status_code == 200, answer.text
        return Analyzed.model_validate_json(answer.content)


@asynccontextmanager
async def analyzer(fake: FakeServer) -> AsyncIterator[httpx2.AsyncClient]:
    settings = ClaudeSettings(anthropic_api_key=SecretStr("sk-ant-test-0123456789"), anthropic_base_url=fake.url)
    async with ClaudeJudge(settings, Claude(settings)) as judge:
        app = create_app(AnalyzerSettings(), judge=judge)
        transport = httpx2.ASGITransport(app=app)
        async with (
            app.router.lifespan_context(app),
            httpx2.AsyncClient(transport=transport, base_url="http://analyzer", timeout=60) as http,
        ):
            yield http


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    with FakeServer() as fake, asyncio.Runner() as runner:
        opened = analyzer(fake)
        yield Bench(runner, runner.run(opened.__aenter__()), fake)
        runner.run(opened.__aexit__(None, None, None))


def measured(result: Analyzed) -> Any:  # noqa: ANN401  # plain data to compare
    own = [one for one in result.findings if one.source != "ai"]
    kept = {one.id: (one.severity, one.title, one.evidence, one.suggestion, one.verification) for one in own}
    return result.rules, result.scores, kept


def said_by_the_model(result: Analyzed) -> list[str]:
    texts = [section.summary for section in result.sections] + result.strengths
    for one in result.findings:
        if one.source == "ai":
            advice = one.suggestion
            texts += [one.title, one.description, advice.summary, advice.proposed, advice.hypothesis]
    return texts


def test_there_are_at_least_forty() -> None:
    assert len(attacks()) >= 40
    assert len({attack.needle for attack in attacks()}) == len(attacks())


@EACH
def test_orders_leave_only_as_page_text_and_hidden_ones_not_at_all(
    attack: Attack, taken: dict[str, RenderResult], bench: Bench
) -> None:
    result = bench.judged(taken[attack.needle], "ok")
    (request,) = bench.fake.requests
    body = request["body"]
    content = body["messages"][-1]["content"]
    page = content[0]["content"]
    trusted = json.dumps([body["system"], body["tools"], body["messages"][:-1], content[1:]], ensure_ascii=False)
    labels = [block["text"] for block in page[:-1] if block["type"] == "text"]
    document = page[-1]["text"]
    assert attack.needle not in trusted + json.dumps(labels)
    assert json.loads(document)["source"].endswith("written by its owner"), "one JSON document, whatever it quotes"
    assert "s3cr3t" not in json.dumps(body)
    if attack.reaches != "either":
        assert (attack.needle in document) is (attack.reaches == "text")
    if attack.needle in document:
        assert INJECTION in result.capture.warnings
        assert {one.verification for one in result.findings if one.source == "ai"} <= {"supported"}


@EACH
def test_a_model_that_obeys_changes_nothing_that_counts(
    attack: Attack, taken: dict[str, RenderResult], bench: Bench
) -> None:
    alone = bench.alone(taken[attack.needle])
    obeying = bench.judged(taken[attack.needle], "echo")
    assert measured(obeying) == measured(alone)
    assert len(alone.findings) >= 3, "the page has faults to talk away"
    assert INJECTION in obeying.capture.warnings
    assert {one.verification for one in obeying.findings if one.source == "ai"} <= {"supported"}
    assert obeying.memo is None
    for text in said_by_the_model(obeying):
        assert not FOREIGN.search(text), text
        assert len(text) <= 1_000
        assert not text.startswith(("=", "+", "-", "@"))


@EACH
def test_a_model_that_is_talked_into_silence_is_noticed(
    attack: Attack, taken: dict[str, RenderResult], bench: Bench
) -> None:
    alone = bench.alone(taken[attack.needle])
    silent = bench.judged(taken[attack.needle], "silent")
    assert measured(silent) == measured(alone)
    assert INJECTION in silent.capture.warnings


def test_the_clean_page_raises_no_flag(taken: dict[str, RenderResult], bench: Bench) -> None:
    clean = next(attack for attack in attacks() if attack.name == "data attributes and custom properties")
    result = bench.judged(taken[clean.needle], "ok")
    assert result.capture.warnings.count(INJECTION) == 0
    assert any(one.verification == "verified" for one in result.findings if one.source == "ai")

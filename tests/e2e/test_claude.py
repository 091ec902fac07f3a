"""With a key: the whole platform against a faithful local fake of the Messages API."""

import httpx2
import pytest

from analyzer.fakeclaude.server import FakeServer
from contracts.result import Analysis
from tests.e2e.conftest import CRO, environment, start, stop
from tests.fixtures.pages import Pages


def test_a_report_with_rules_and_model(pages: Pages, tmp_path_factory: pytest.TempPathFactory) -> None:
    with FakeServer() as fake:
        env = environment(
            pages.host,
            CRO_DATA=str(tmp_path_factory.mktemp("claude")),
            RENDERER_SLOTS="1",
            ANTHROPIC_API_KEY="sk-ant-test",
            ANTHROPIC_BASE_URL=fake.url,
        )
        process, base = start([CRO, "serve", "--port", "0"], env)
        try:
            with httpx2.Client(base_url=base, timeout=150, trust_env=False) as client:
                full = analyse(client, pages.urls["new-age"], "standard")
                fake.script(*["overloaded"] * 40)
                degraded = analyse(client, pages.urls["new-age"], "standard")
                rules = analyse(client, pages.urls["new-age"], "rules")
        finally:
            assert stop(process) == 0
    assert full.engine.mode == "rules+ai"
    assert full.engine.ai is not None
    assert full.engine.ai.verified + full.engine.ai.supported == len([f for f in full.findings if f.source == "ai"])
    assert full.engine.ai.usage.output > 0
    assert float(full.engine.ai.cost_usd) > 0
    assert (degraded.engine.mode, degraded.engine.degraded) == ("rules", True)
    assert degraded.engine.degraded_reason
    assert (rules.engine.mode, rules.engine.degraded) == ("rules", False)
    assert full.scores.overall == degraded.scores.overall == rules.scores.overall


def analyse(client: httpx2.Client, url: str, preset: str) -> Analysis:
    job = client.post("/v1/analyses", json={"url": url, "preset": preset, "wait": 120, "refresh": True}).json()
    assert job["status"] == "succeeded", job["error"]
    return Analysis.model_validate(job["result"])

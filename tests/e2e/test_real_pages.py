"""Real landing pages through the whole platform: the report must be whole, and point at the page."""

import httpx2
import pytest

from contracts.result import Analysis, Reliability
from tests.fixtures.pages import PACKAGES, Pages


@pytest.fixture(scope="module")
def analyses(served: httpx2.Client, pages: Pages) -> dict[str, Analysis]:
    done = {}
    for name, url in pages.urls.items():
        job = served.post("/v1/analyses", json={"url": url, "preset": "rules", "wait": 120}).json()
        assert job["status"] == "succeeded", (name, job["error"])
        done[name] = Analysis.model_validate(job["result"])
    return done


@pytest.mark.parametrize("name", PACKAGES)
def test_report_is_whole(analyses: dict[str, Analysis], name: str) -> None:
    analysis = analyses[name]
    assert analysis.status == "complete"
    assert len({rule.id for rule in analysis.rules}) >= 20
    assert [rule for rule in analysis.rules if rule.outcome == "error"] == []
    assert {rule.viewport for rule in analysis.rules} == {"desktop", "mobile"}
    assert analysis.engine.mode == "rules"
    assert len(analysis.sections) >= 4
    kinds = {(asset.kind, asset.viewport) for asset in analysis.capture.assets}
    assert kinds >= {(kind, view) for kind in ("full", "first_screen", "section") for view in ("desktop", "mobile")}


@pytest.mark.parametrize("name", PACKAGES)
def test_score_adds_up(analyses: dict[str, Analysis], name: str) -> None:
    scores = analyses[name].scores
    assert 0 < scores.overall <= 100
    if not scores.note:
        assert scores.overall == max(0, round(100 + sum(step.points for step in scores.explanation)))


@pytest.mark.parametrize("name", PACKAGES)
def test_findings_point_at_the_page(analyses: dict[str, Analysis], name: str) -> None:
    analysis = analyses[name]
    widths = {"desktop": 1440, "mobile": 390}
    for finding in analysis.findings:
        assert finding.evidence, finding.id
        for evidence in finding.evidence:
            if evidence.box is None:
                continue
            height = analysis.capture.height_px[evidence.viewport]
            assert -1 <= evidence.box.y <= height
            assert -widths[evidence.viewport] <= evidence.box.x <= 2 * widths[evidence.viewport]


def lasting(analysis: Analysis) -> set[str]:
    """Return the findings that do not hang on how busy the machine was."""
    timings = {rule.id for rule in analysis.rules if rule.reliability is Reliability.INDICATIVE}
    return {finding.fingerprint for finding in analysis.findings if not timings & set(finding.rule_ids)}


def test_the_same_page_gives_the_same_findings(
    served: httpx2.Client, pages: Pages, analyses: dict[str, Analysis]
) -> None:
    body = {"url": pages.urls["new-age"], "preset": "rules", "wait": 120, "refresh": True}
    again = Analysis.model_validate(served.post("/v1/analyses", json=body).json()["result"])
    first = analyses["new-age"]
    assert lasting(again) == lasting(first)
    if len(again.findings) == len(lasting(again)) and len(first.findings) == len(lasting(first)):
        assert again.scores.overall == first.scores.overall


def test_reports_are_self_contained(served: httpx2.Client, analyses: dict[str, Analysis]) -> None:
    job_id = analyses["agency"].job_id
    report = served.get(f"/v1/analyses/{job_id}/report")
    assert report.headers["content-type"].startswith("text/html")
    assert 'src="http' not in report.text
    assert report.text.count("data:image/") >= 2

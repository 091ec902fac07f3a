"""JSON to values: strict about what is needed, tolerant of what is new."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from contracts.result import Analysis as Sent
from cro_analyzer import decoding
from cro_analyzer.errors import UnreadableAnswerError
from cro_analyzer.models.accounts import UsageRead
from cro_analyzer.models.analyses import AnalysisRead
from cro_analyzer.models.report import Analysis
from tests.fixtures.report import unpictured

READ = {
    "id": "an_1",
    "status": "succeeded",
    "url": "https://shop.test/",
    "preset": "rules",
    "attempt": 1,
    "created_at": "2026-11-21T12:00:00Z",
    "started_at": None,
    "finished_at": "2026-11-21T12:00:01.5Z",
    "links": {"self": "/v1/analyses/an_1"},
    "cost_usd": "0.25",
    "made_tomorrow": {"a": 1},
}


def test_a_record_is_read_with_its_types() -> None:
    read = decoding.value(AnalysisRead, READ)
    assert read.finished_at == datetime(2026, 11, 21, 12, 0, 1, 500_000, UTC)
    assert (read.cost_usd, read.links.href, read.started_at) == (Decimal("0.25"), "/v1/analyses/an_1", None)


def test_a_whole_report_comes_through() -> None:
    sent: Sent = unpictured()
    read = decoding.decode(Analysis, sent.model_dump_json().encode())
    assert read.scores.overall == sent.scores.overall
    assert [one.title for one in read.findings] == [one.title for one in sent.findings]
    assert read.findings[0].evidence[0].value == sent.findings[0].evidence[0].value
    assert read.engine.degraded_reason == sent.engine.degraded_reason


def test_days_and_amounts_are_what_they_are() -> None:
    day = {"day": "2026-11-21", "kind": "analysis", "accepted": 1, "succeeded": 1, "failed": 0, "cancelled": 0}
    read = decoding.value(UsageRead, {"data": [{**day, "cost_usd": "0.1"}], "total": {}})
    assert (read.data[0].day, read.data[0].cost_usd + read.total.cost_usd) == (date(2026, 11, 21), Decimal("0.1"))


def test_a_word_of_a_newer_release_is_kept() -> None:
    status: str = decoding.value(AnalysisRead, {**READ, "status": "made_tomorrow"}).status
    assert status == "made_tomorrow"


@pytest.mark.parametrize(
    "wrong",
    [
        {key: value for key, value in READ.items() if key != "links"},
        {**READ, "attempt": "one"},
        {**READ, "created_at": "yesterday"},
        {**READ, "cost_usd": "much"},
        {**READ, "links": []},
        [],
        None,
    ],
)
def test_what_does_not_fit_is_said(wrong: object) -> None:
    with pytest.raises(UnreadableAnswerError, match="AnalysisRead"):
        decoding.value(AnalysisRead, wrong)


def test_what_is_no_json_is_said() -> None:
    with pytest.raises(UnreadableAnswerError, match="not JSON"):
        decoding.decode(AnalysisRead, b"<html>")

import pytest

from renderer.tiers.seen import Seen, look
from renderer.tiers.verdict import Finding, judge, judge_rendered, judge_title

from .corpus import BLOCKS, ORDINARY, SAMPLES, SHELLS, Sample


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_every_sample_is_told(sample: Sample) -> None:
    verdict = judge(sample.status, sample.headers, look(sample.html))
    assert (verdict.finding, verdict.certain) == (sample.finding, sample.certain), verdict.sign


def test_the_corpus_has_both_sides() -> None:
    assert len(SAMPLES) >= 40
    assert min(len(SHELLS), len(BLOCKS), len(ORDINARY)) >= 20
    assert len({sample.name for sample in SAMPLES}) == len(SAMPLES)


@pytest.mark.parametrize("sample", SHELLS, ids=lambda sample: sample.name)
def test_a_shell_is_no_finding_once_scripts_have_run(sample: Sample) -> None:
    assert judge_rendered(200, {}, look(sample.html)).finding is Finding.PAGE


@pytest.mark.parametrize(
    ("status", "title", "finding"),
    [
        (200, "Just a moment...", Finding.BLOCKED),
        (403, "", Finding.BLOCKED),
        (429, "Shop", Finding.BLOCKED),
        (200, "Access denied", Finding.BLOCKED),
        (200, "Sparrow Goods", Finding.PAGE),
        (404, "Not found", Finding.PAGE),
    ],
)
def test_a_title_tells_something(status: int, title: str, finding: Finding) -> None:
    assert judge_title(status, title).finding is finding


@pytest.mark.parametrize("html", ["", "<", "<!doctype html>", "\x00\x00", "<html><body></html>" * 100, "<div>" * 5_000])
def test_anything_can_be_looked_at(html: str) -> None:
    seen = look(html)
    assert isinstance(seen, Seen)
    assert judge(200, {}, seen).finding is Finding.PAGE


def test_what_is_not_shown_is_no_text() -> None:
    seen = look(
        "<title>T</title><body>a<script>b</script><style>c</style><noscript>d</noscript><template>e</template>f"
    )
    assert (seen.title, seen.text, seen.noscript, seen.inline_script) == ("T", "a f", "d", 1)

"""Each bad input ends in a typed error or a partial result within its budget, and the slot is healthy afterwards."""

import time

import pytest

from contracts.geometry import DESKTOP
from contracts.render import Warning  # noqa: A004  # the contract's word
from tests.fixtures.site import Site

from .conftest import Live, problem

BUDGET_MS = 5_000


def healthy(live: Live, site: Site) -> None:
    for _ in range(live.pressure().slots):
        assert live.shot(site.url("/static")).status_code == 200


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("nonsense", "url_invalid"),
        ("http://", "url_invalid"),
        ("ftp://example.com/", "url_forbidden"),
        ("file:///etc/passwd", "url_forbidden"),
        ("chrome://version", "url_forbidden"),
        ("http://10.0.0.1/", "url_forbidden"),
        ("http://169.254.169.254/latest/meta-data/", "url_forbidden"),
        ("http://localhost/", "url_forbidden"),
        ("http://nosuchhost.invalid/", "target_dns"),
    ],
)
def test_addresses(live: Live, site: Site, url: str, code: str) -> None:
    answer = live.shot(url, BUDGET_MS)
    assert problem(answer) == code
    assert answer.status_code == 422


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/redirect-private", "url_forbidden"),
        ("/redirect?to=file:///etc/passwd", "url_forbidden"),
        ("/redirect-loop", "target_redirects"),
        ("/download", "target_is_download"),
        ("/204", "page_empty"),
        ("/never", "target_timeout"),
        ("/spin", "page_hung"),
        ("/spin-at-once", "page_hung"),
        ("/alert-loop", "page_hung"),
        ("/reload", "page_unstable"),
    ],
)
@pytest.mark.parametrize("whole", [False, True], ids=["shot", "analysis"])
def test_pages_that_cannot_be_had(live: Live, site: Site, path: str, code: str, *, whole: bool) -> None:
    kinds = [{"kind": "screenshot"}, {"kind": "facts"}] if whole else [{"kind": "screenshot"}]
    begun = time.monotonic()
    answer = live.post({"url": site.url(path), "outputs": kinds, "budget_ms": BUDGET_MS})
    assert time.monotonic() - begun < BUDGET_MS / 1000 + 0.5
    # A lone picture may be had between two reloads; who wants more of such a page is always told.
    assert (path == "/reload" and not whole and answer.status_code == 200) or problem(answer) == code
    healthy(live, site)


def test_a_port_where_nobody_listens(live: Live, site: Site) -> None:
    assert problem(live.shot("http://127.0.0.1:1/", BUDGET_MS)) == "url_forbidden"


def test_an_empty_page_is_a_result_that_says_so(live: Live, site: Site) -> None:
    assert live.analyse(site.url("/empty"), {"desktop": DESKTOP}).warnings == [Warning.PAGE_EMPTY]
    assert live.shot(site.url("/empty")).headers["x-warnings"] == "page_empty"


@pytest.mark.parametrize("path", ["/slow", "/slow-style", "/slow-image"])
def test_a_load_that_never_ends_gives_what_there_is(live: Live, site: Site, path: str) -> None:
    result = live.analyse(site.url(path), {"desktop": DESKTOP}, budget_ms=BUDGET_MS)
    assert result.partial
    assert Warning.LOAD_TIMEOUT in result.warnings
    assert Warning.FACTS_MISSING not in result.warnings
    assert Warning.PICTURES_MISSING not in result.warnings
    assert live.shot(site.url(path), BUDGET_MS).headers["x-warnings"] == "load_timeout"
    healthy(live, site)


def test_a_page_that_never_settles_says_what_was_loading(live: Live, site: Site) -> None:
    result = live.analyse(site.url("/never-quiet"), {"desktop": DESKTOP}, budget_ms=BUDGET_MS)
    assert result.settled_by == "cap"
    assert Warning.NOT_SETTLED in result.warnings
    assert {"desktop.first_screen", "desktop.full_page", "desktop.facts"} <= set(result.artifacts)


@pytest.mark.parametrize("path", ["/infinite", "/broken", "/alert", "/tall"])
def test_odd_pages_are_results(live: Live, site: Site, path: str) -> None:
    assert not live.analyse(site.url(path), {"desktop": DESKTOP}).partial


def test_a_page_that_eats_memory_is_ended(live: Live, site: Site) -> None:
    assert problem(live.shot(site.url("/heap"), BUDGET_MS)) in {"page_crashed", "page_hung"}
    healthy(live, site)


def test_a_crash_of_the_page_is_one(live: Live, site: Site) -> None:
    answer = live.shot(site.url("/redirect?to=chrome://crash"), BUDGET_MS)
    assert problem(answer) == "url_forbidden"


def test_one_view_that_hangs_costs_only_what_it_would_have_given(live: Live, site: Site) -> None:
    phone = {"width": 390, "height": 844, "mobile": True, "device_scale_factor": 2}
    outputs = [
        {"kind": "screenshot", "name": "wide", "viewport": {"width": 1440, "height": 900}},
        {"kind": "screenshot", "name": "narrow", "viewport": phone},
    ]
    answer = live.post({"url": site.url("/spin-on-phones"), "outputs": outputs, "budget_ms": BUDGET_MS})
    result = answer.json()
    assert answer.status_code == 200
    assert result["partial"]
    assert result["warnings"] == ["pictures_missing"]
    assert list(result["artifacts"]) == ["wide"]
    healthy(live, site)

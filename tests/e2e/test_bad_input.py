"""Every bad address ends in a typed error or a partial report, in time, and the next page works."""

import httpx2
import pytest

from tests.fixtures.site import Site

REFUSED = {
    "not-an-address": ("not a web address", "url_invalid"),
    "no-scheme": ("example.com", "url_invalid"),
    "other-scheme": ("ftp://example.com/file", "url_forbidden"),
    "file": ("file:///etc/passwd", "url_forbidden"),
    "loopback": ("http://127.0.0.1:1/", "url_forbidden"),
    "metadata": ("http://169.254.169.254/latest/meta-data/", "url_forbidden"),
    "decimal-loopback": ("http://2130706433/", "url_forbidden"),
    "mapped-loopback": ("http://[::ffff:127.0.0.1]/", "url_forbidden"),
    "user-info": ("http://user:pass@example.com/", "url_forbidden"),
    "localhost": ("http://localhost/", "url_forbidden"),
    "port": ("http://example.com:6379/", "url_forbidden"),
}

FAILED = {
    "/404": "target_status",
    "/500": "target_status",
    "/empty": "page_empty",
    "/download": "target_is_download",
    "/redirect-loop": "target_redirects",
    "/redirect-private": "url_forbidden",
    "/login": "target_auth",
    "/spin": "page_hung",
    "/reload": "page_unstable",
}


def submit(served: httpx2.Client, url: str, wait: int = 120) -> httpx2.Response:
    return served.post("/v1/analyses", json={"url": url, "preset": "rules", "wait": wait})


@pytest.mark.parametrize("case", REFUSED)
def test_refused_at_once(served: httpx2.Client, case: str) -> None:
    url, code = REFUSED[case]
    answer = submit(served, url)
    assert answer.status_code == 422
    assert answer.headers["content-type"].startswith("application/problem+json")
    assert answer.json()["code"] == code
    assert answer.json()["detail"]


@pytest.mark.parametrize("path", FAILED)
def test_ends_in_a_typed_error(served: httpx2.Client, site: Site, path: str) -> None:
    answer = submit(served, site.url(path))
    assert answer.status_code == 200, answer.text
    job = answer.json()
    assert job["status"] == "failed"
    assert job["error"]["code"] == FAILED[path], job["error"]
    assert job["result"] is None


def test_unknown_host(served: httpx2.Client) -> None:
    job = submit(served, "http://no-such-host.invalid/").json()
    assert job["error"]["code"] == "target_dns", job


def test_a_certificate_that_nobody_vouches_for(served: httpx2.Client, untrusted: str) -> None:
    job = submit(served, f"https://{untrusted}/index.html").json()
    assert job["error"]["code"] == "target_tls", job


@pytest.mark.parametrize("path", ["/slow", "/never-quiet", "/infinite", "/slow-image", "/broken"])
def test_awkward_pages_get_a_report(served: httpx2.Client, site: Site, path: str) -> None:
    job = submit(served, site.url(path)).json()
    assert job["status"] == "succeeded", job["error"]
    if path in {"/slow", "/slow-image"}:
        assert job["result"]["capture"]["warnings"], "what is missing is said"


def test_200_000_pixels_are_cut_and_said(served: httpx2.Client, site: Site) -> None:
    job = submit(served, site.url("/tall")).json()
    assert job["status"] == "succeeded", job["error"]
    assert job["result"]["capture"]["truncated"] is True
    assert max(asset["h"] for asset in job["result"]["capture"]["assets"]) <= 16_000


def test_the_slots_are_healthy_afterwards(served: httpx2.Client, site: Site) -> None:
    job = submit(served, site.url("/static")).json()
    assert job["status"] == "succeeded", job["error"]
    assert served.get("/readyz").status_code == 200


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "url"),
        ({"url": 7}, "url"),
        ({"url": "https://example.com", "wait": -1}, "wait"),
        ({"url": "https://example.com", "preset": "best"}, "preset"),
        ({"url": "https://example.com", "colour": "red"}, "colour"),
        ({"url": "https://example.com/" + "a" * 5_000}, "url"),
    ],
)
def test_bodies_are_refused_by_field(served: httpx2.Client, body: dict[str, object], field: str) -> None:
    answer = served.post("/v1/analyses", json=body)
    assert answer.status_code == 422
    problem = answer.json()
    assert field in [error["field"] for error in problem["errors"]] or field in problem["detail"]


def test_broken_json_is_a_problem(served: httpx2.Client) -> None:
    answer = served.post("/v1/analyses", content=b'{"url": ', headers={"content-type": "application/json"})
    assert answer.status_code == 422
    assert answer.json()["code"] == "invalid_request"

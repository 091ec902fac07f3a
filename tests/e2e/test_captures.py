"""Captures through the whole platform: real Chromium, real files, one call."""

import struct
from pathlib import Path

import httpx2

from tests.e2e.conftest import environment
from tests.e2e.test_command_line import cro
from tests.fixtures.site import Site


def test_one_call_gives_a_picture(served: httpx2.Client, site: Site) -> None:
    headers = {"accept": "image/png"}
    answer = served.post("/v1/captures", json={"url": site.url("/static")}, headers=headers)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/png"), answer.text
    assert answer.content.startswith(b"\x89PNG")
    assert struct.unpack(">II", answer.content[16:24]) == (1440, 900)
    assert answer.headers["x-http-status"] == "200"


def test_one_load_gives_pictures_and_documents(served: httpx2.Client, site: Site) -> None:
    outputs = [
        {"kind": "screenshot", "area": "full_page", "format": "jpeg"},
        {"kind": "html"},
        {"kind": "markdown"},
        {"kind": "links"},
        {"kind": "pdf"},
    ]
    answer = served.post("/v1/captures", json={"url": site.url("/static"), "outputs": outputs, "wait": 120})
    capture = answer.json()
    assert (answer.status_code, capture["status"]) == (200, "succeeded"), answer.text
    artifacts = capture["result"]["artifacts"]
    assert set(artifacts) == {"screenshot", "html", "markdown", "links", "pdf"}
    assert capture["result"]["tier"] == "browser"
    for artifact in artifacts.values():
        own, signed = (served.get(artifact["links"][name]) for name in ("self", "signed"))
        assert (own.status_code, signed.status_code) == (200, 200)
        assert len(own.content) == len(signed.content) == artifact["bytes"]
    assert "Sparrow Goods" in served.get(artifacts["markdown"]["links"]["self"]).text
    assert served.delete(capture["links"]["self"]).status_code == 204
    assert served.get(artifacts["html"]["links"]["signed"]).status_code == 404


def test_a_page_as_text_needs_no_browser(served: httpx2.Client, site: Site) -> None:
    headers = {"accept": "text/markdown"}
    answer = served.post("/v1/captures", json={"url": site.url("/static"), "tier": "static"}, headers=headers)
    assert (answer.status_code, answer.headers["x-tier"]) == (200, "static"), answer.text
    assert "Sparrow Goods" in answer.text


def test_a_condition_that_is_met_ends_it_with_its_code(served: httpx2.Client, site: Site) -> None:
    body = {"url": site.url("/static"), "fail_if": {"text_present": ["Sparrow Goods"]}}
    answer = served.post("/v1/captures", json=body, headers={"accept": "image/*"})
    assert (answer.status_code, answer.json()["code"]) == (422, "capture_refused")


def test_the_command_line_takes_a_picture(site: Site, tmp_path: Path) -> None:
    out = tmp_path / "deep" / "page.jpg"
    done = cro("capture", site.url("/static"), "--out", str(out), "--full-page", env=environment(site.host))
    assert done.returncode == 0, done.stderr
    assert out.read_bytes().startswith(b"\xff\xd8")
    assert "image/jpeg" in done.stdout


def test_the_command_line_writes_markdown_to_a_pipe(site: Site) -> None:
    done = cro("capture", site.url("/static"), "--out", "-", "--markdown", env=environment(site.host))
    assert done.returncode == 0, done.stderr
    assert "Sparrow Goods" in done.stdout


def test_an_error_page_ends_with_2_unless_it_is_wanted(site: Site, tmp_path: Path) -> None:
    out = tmp_path / "page.jpg"
    done = cro("capture", site.url("/404"), "--out", str(out), env=environment(site.host))
    assert (done.returncode, "404" in done.stderr, out.exists()) == (2, True, False)
    done = cro("capture", site.url("/404"), "--out", str(out), "--any-status", env=environment(site.host))
    assert (done.returncode, out.exists()) == (0, True)

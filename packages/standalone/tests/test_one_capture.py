"""One output of a page through the API, and the command line's own refusals."""

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import httpx2
import pytest
from typer.testing import CliRunner

from contracts.errors import ErrorCode
from contracts.fetch import Tier
from contracts.outputs import Area, ScreenshotOutput
from contracts.visit import Prepare, Visit
from cro_analyzer.command.pages import Form, form_of
from gateway.captures import examples
from runtime.errors import ServiceError
from standalone import one_capture, report_files
from standalone.cli import app

ORDER = one_capture.order("https://shop.test/", ScreenshotOutput(), Tier.AUTO, Visit(), Prepare())
MINUTE = timedelta(minutes=1)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.mark.parametrize(
    ("file", "form"),
    [("a.png", "png"), ("A.JPG", "jpeg"), ("x/y.md", "markdown"), ("p.pdf", "pdf"), ("-", "jpeg"), ("x", "jpeg")],
)
def test_the_ending_says_what_is_taken(file: str, form: str) -> None:
    assert form_of(file) == form


@pytest.mark.parametrize("form", Form)
def test_every_form_can_be_asked_for(form: Form) -> None:
    wanted = one_capture.output(form, ScreenshotOutput(quality=50), full_page=True, banners=False)
    if isinstance(wanted, ScreenshotOutput):
        assert (wanted.format.value, wanted.area, wanted.banners, wanted.quality) == (
            form.value,
            Area.FULL_PAGE,
            "removed",
            50,
        )
    else:
        assert wanted.kind == form.value


def api(*answers: Callable[[httpx2.Request], httpx2.Response]) -> httpx2.AsyncClient:
    turns = iter(answers)

    def answered(request: httpx2.Request) -> httpx2.Response:
        return next(turns)(request)

    transport = httpx2.MockTransport(answered)
    return httpx2.AsyncClient(transport=transport, base_url="http://api.test")


@pytest.mark.anyio
async def test_it_is_followed_to_its_bytes() -> None:
    asked: list[str] = []

    def answer(document: object) -> Callable[[httpx2.Request], httpx2.Response]:
        def say(request: httpx2.Request) -> httpx2.Response:
            asked.append(f"{request.method} {request.url.path}")
            return httpx2.Response(200, content=document if isinstance(document, bytes) else json.dumps(document))

        return say

    async with api(answer(examples.QUEUED), answer(examples.DONE), answer(b"\xff\xd8")) as http:
        taken = await one_capture.capture(http, ORDER, MINUTE)
    assert (taken.data, taken.result.http_status) == (b"\xff\xd8", 200)
    path = f"/v1/captures/{examples.QUEUED['id']}"
    assert asked == ["POST /v1/captures", f"GET {path}", f"GET {path}/artifacts/screenshot"]


@pytest.mark.anyio
async def test_a_failure_keeps_its_code() -> None:
    async with api(lambda _: httpx2.Response(200, json=examples.CANCELLED)) as http:
        with pytest.raises(ServiceError) as caught:
            await one_capture.capture(http, ORDER, MINUTE)
    assert caught.value.code is ErrorCode.CANCELLED


@pytest.mark.parametrize(
    "options",
    [
        ["not a url", "--out", "x.png"],
        ["http://10.0.0.5/", "--out", "x.png"],
        ["https://shop.test/", "--out", "x.png", "--width", "5"],
        ["https://shop.test/", "--out", "x.pdf", "--full-page"],
        ["https://shop.test/", "--out", "x.png", "--full-page", "--selector", "h1"],
        ["https://shop.test/", "--out", "/dev/null/x.png"],
        ["https://shop.test/"],
        ["", "--out", "x.png"],
    ],
)
def test_what_cannot_be_is_refused_before_any_work(options: list[str]) -> None:
    done = CliRunner().invoke(app, ["capture", *options])
    refused = isinstance(done.exception, ServiceError) or done.exit_code == 2
    assert refused, done.output


def test_bytes_are_written_whole_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "page.png"
    report_files.write_bytes(target, b"\x89PNG")
    assert target.read_bytes() == b"\x89PNG"
    assert [path.name for path in target.parent.iterdir()] == ["page.png"]

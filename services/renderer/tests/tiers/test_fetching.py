import asyncio
import gc
import json
import tracemalloc
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import pytest

from contracts.errors import ErrorCode
from contracts.fetch import FetchRequest, FetchResult, Reason, Tier
from contracts.geometry import DESKTOP
from contracts.render import Artifact, PoolState, RenderResult
from renderer.render import Piece, Rendered
from renderer.settings import RendererSettings
from renderer.tiers.fetching import Fetching
from renderer.tiers.ways import PROBE
from runtime.errors import ServiceError
from runtime.netguard import AddressPolicy

from .conftest import Reply, Told, told
from .unblocker import serving

WORDS = b"<h1>Bags that outlive you</h1><p>" + b"Sewn by hand from waxed canvas. " * 20 + b"</p><a href=/buy>Buy</a>"
SHELL = b"<div id=root></div><script src=/a.js></script>"
WALL = Reply(b"<title>Just a moment...</title><script>window._cf_chl_opt={}</script>", 403)


class FakeBrowser:
    """Stands where the render path is: gives `html`, or fails."""

    def __init__(self, html: str = WORDS.decode(), status: int = 200, error: ServiceError | None = None) -> None:
        self.html, self.status, self.error = html, status, error
        self.orders: list[FetchRequest] = []

    async def __call__(self, request: FetchRequest) -> Rendered:
        self.orders.append(request)
        if self.error:
            raise self.error
        pieces = [_piece(output.name, output.kind, self.html) for output in request.outputs]
        artifacts = {piece.artifact.name: piece.artifact for piece in pieces}
        result = RenderResult(
            requested_url=request.url, final_url=request.url, http_status=self.status, artifacts=artifacts
        )
        return Rendered(result, pieces)


def _piece(name: str, kind: str, html: str) -> Piece:
    content_type = "text/html; charset=utf-8" if kind == "html" else "text/plain"
    artifact = Artifact(name=name, content_type=content_type, bytes=len(html), sha256="", viewport=DESKTOP)
    return Piece(artifact, html.encode())


@asynccontextmanager
async def service(site: Told, browser: FakeBrowser | None = None, **settings: Any) -> AsyncIterator[Fetching]:  # noqa: ANN401  # any setting
    private = settings.pop("private", f"127.0.0.1:{site.port}")
    values = RendererSettings(egress_allow_private=private, fetch_recheck=0, **settings)
    policy = AddressPolicy.from_setting(private)
    render = browser or FakeBrowser(error=ServiceError(ErrorCode.RENDERER_BUSY, "No browser here."))
    async with Fetching(values, policy, render, lambda: PoolState(slots=1, free=1), lambda: "150.0.1.2") as fetching:
        yield fetching


def ask(site: Told, path: str = "/page", *kinds: str, **more: Any) -> FetchRequest:  # noqa: ANN401  # any field
    outputs = [{"kind": kind} for kind in kinds or ("html",)]
    return FetchRequest.model_validate({"url": site.url(path), "outputs": outputs, **more})


def result(rendered: Rendered) -> FetchResult:
    assert isinstance(rendered.result, FetchResult)
    return rendered.result


def run(test: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(test())


async def failed(fetching: Fetching, request: FetchRequest) -> ServiceError:
    with pytest.raises(ServiceError) as caught:
        await fetching.fetch(request)
    return caught.value


def test_every_document_comes_from_plain_http() -> None:
    async def test() -> None:
        page = Reply(
            "<title>Größe</title>".encode("latin-1") + WORDS, headers={"content-type": "text/html;charset=latin1"}
        )
        page.cookies = ["id=secret"]
        async with told(page=page, hop=Reply(b"", 302, {"location": "/page"})) as site, service(site) as fetching:
            request = ask(site, "/hop", "html", "markdown", "text", "links", "metadata", job_id="job_1")
            had = await fetching.fetch(request)
            found = result(had)
            pieces = {piece.artifact.name: piece.data.decode() for piece in had.pieces}
        assert (found.tier, found.reason, found.charset) == (Tier.STATIC, Reason.FIRST, "windows-1252")
        assert found.cost_usd == Decimal(0)
        assert (found.job_id, found.http_status, found.redirects, found.title) == ("job_1", 200, 1, "Größe")
        assert found.final_url == site.url("/page")
        assert "set-cookie" not in found.response_headers
        assert [attempt.outcome for attempt in found.attempts] == ["ok"]
        assert found.attempts[0].bytes == len(page.body)
        assert "<title>Größe</title>" in pieces["html"]
        assert pieces["markdown"].startswith("# Bags that outlive you")
        assert "waxed canvas" in pieces["text"]
        assert json.loads(pieces["links"])[0]["url"] == site.url("/buy")
        assert json.loads(pieces["metadata"])["title"] == "Größe"
        assert set(found.artifacts) == set(pieces)

    run(test)


def test_a_shell_goes_to_the_browser_and_the_host_is_remembered() -> None:
    async def test() -> None:
        browser = FakeBrowser()
        async with told(page=Reply(SHELL)) as site, service(site, browser) as fetching:
            first = await fetching.fetch(ask(site, "/page", "text", uploads={"text": {"url": "http://x.test/"}}))
            second = await fetching.fetch(ask(site, "/other", "html"))
            assert [asked.target for asked in site.asked] == ["/page"]
        assert [attempt.outcome for attempt in result(first).attempts] == ["needs_javascript", "ok"]
        assert (result(first).tier, result(first).reason) == (Tier.BROWSER, Reason.NEEDS_JAVASCRIPT)
        assert (result(second).tier, result(second).reason) == (Tier.BROWSER, Reason.REMEMBERED)
        order = browser.orders[0]
        assert [output.name for output in order.outputs] == ["text", PROBE]
        assert [output.name for output in browser.orders[1].outputs] == ["html"]
        assert order.uploads == {}
        assert order.budget_ms < 45_000
        assert list(result(first).artifacts) == [piece.artifact.name for piece in first.pieces] == ["text"]

    run(test)


@pytest.mark.parametrize(
    "more",
    [
        {"outputs": [{"kind": "screenshot"}]},
        {"outputs": [{"kind": "html"}, {"kind": "facts"}]},
        {"prepare": {"click": ["#more"]}},
        {"fail_if": {"request_failed": ["*.js"]}},
    ],
)
def test_what_only_a_browser_has_goes_straight_there(more: dict[str, Any]) -> None:
    async def test() -> None:
        browser = FakeBrowser()
        async with told() as site, service(site, browser) as fetching:
            found = result(await fetching.fetch(ask(site, **more)))
            assert site.asked == []
            assert (found.tier, found.reason) == (Tier.BROWSER, Reason.NEEDS_BROWSER_OUTPUT)
            assert PROBE not in [output.name for output in browser.orders[0].outputs]
            for named, field in (({"tier": "static"}, "tier"), ({"max_tier": "static"}, "max_tier")):
                error = await failed(fetching, ask(site, **more, **named))
                assert error.code is ErrorCode.INVALID_REQUEST
                assert error.errors[0].field == field

    run(test)


def test_a_busy_pool_is_said_to_be_busy() -> None:
    async def test() -> None:
        busy = FakeBrowser(error=ServiceError(ErrorCode.RENDERER_BUSY, "Busy.", retry_after_s=7))
        async with told(page=Reply(SHELL)) as site, service(site, busy) as fetching:
            error = await failed(fetching, ask(site))
            assert (error.code, error.retry_after_s) == (ErrorCode.RENDERER_BUSY, 7)
            assert result(await fetching.fetch(ask(site, max_tier="static"))).attempts[0].outcome == "needs_javascript"

    run(test)


def test_the_provider_is_used_when_all_else_is_blocked_and_it_may_be() -> None:
    async def test() -> None:
        browser = FakeBrowser("<title>Just a moment...</title>", 403)
        async with told(page=WALL) as site, told(page=Reply(WORDS)) as behind, serving(behind) as proxy:
            private = f"127.0.0.1:{site.port},127.0.0.1:{proxy.port}"
            async with service(site, browser, private=private, unblocker_proxy_url=proxy.url) as fetching:
                assert (await failed(fetching, ask(site))).code is ErrorCode.TARGET_BLOCKED
                dear = ask(site, max_tier="unblocker", max_cost_usd="0.001")
                assert (await failed(fetching, dear)).code is ErrorCode.TARGET_BLOCKED
                assert proxy.asked == []
                had = await fetching.fetch(ask(site, max_tier="unblocker", max_cost_usd="0.002"))
                asked = await fetching.fetch(ask(site, tier="unblocker"))
        found = result(had)
        assert (found.tier, found.reason, found.cost_usd) == (Tier.UNBLOCKER, Reason.BLOCKED, Decimal("0.002"))
        assert [attempt.outcome for attempt in found.attempts] == ["blocked", "blocked", "ok"]
        assert had.pieces[0].data == WORDS
        assert result(asked).reason is Reason.ASKED
        assert len(behind.asked) == 2

    run(test)


def test_no_more_than_three_pages_go_through_the_provider_at_once() -> None:
    running, most = 0, 0
    gate, full = asyncio.Event(), asyncio.Event()

    async def held() -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        if running == 3:
            full.set()
        await gate.wait()
        running -= 1

    async def test() -> None:
        async with told(page=Reply(WORDS, before=held)) as site, serving(site) as proxy:
            private = f"127.0.0.1:{site.port},127.0.0.1:{proxy.port}"
            async with service(site, private=private, unblocker_proxy_url=proxy.url) as fetching:
                fetches = [asyncio.create_task(fetching.fetch(ask(site, tier="unblocker"))) for _ in range(8)]
                await full.wait()
                gate.set()
                await asyncio.gather(*fetches)
            assert (most, len(site.asked)) == (3, 8)

    run(test)


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"tier": "unblocker"}, "tier"),
        ({"max_tier": "auto"}, "max_tier"),
        ({"visit": {"headers": {"Host": "x"}}}, "visit.headers.Host"),
        ({"fail_if": {"selector_absent": ["h1", "]["]}}, "fail_if.selector_absent.1"),
    ],
)
def test_what_cannot_be_done_is_named(more: dict[str, Any], field: str) -> None:
    async def test() -> None:
        async with told(page=Reply(WORDS)) as site, service(site) as fetching:
            error = await failed(fetching, ask(site, **more))
        assert (error.code, error.errors[0].field) == (ErrorCode.INVALID_REQUEST, field)

    run(test)


@pytest.mark.parametrize(
    ("condition", "refused"),
    [
        ({"statuses": [200]}, True),
        ({"statuses": [404]}, False),
        ({"text_present": ["waxed canvas"]}, True),
        ({"text_present": ["leather"]}, False),
        ({"text_absent": ["leather"]}, True),
        ({"text_absent": ["waxed canvas"]}, False),
        ({"selector_absent": ["form"]}, True),
        ({"selector_absent": ["h1", "a[href]"]}, False),
    ],
)
def test_conditions_are_looked_for_without_a_browser(condition: dict[str, Any], refused: bool) -> None:  # noqa: FBT001  # a row
    async def test() -> None:
        async with told(page=Reply(WORDS)) as site, service(site) as fetching:
            request = ask(site, fail_if=condition)
            if refused:
                assert (await failed(fetching, request)).code is ErrorCode.CAPTURE_REFUSED
            else:
                assert result(await fetching.fetch(request)).tier is Tier.STATIC

    run(test)


def test_robots_are_asked_when_the_request_says_so() -> None:
    async def test() -> None:
        rules = Reply(b"User-agent: *\nDisallow: /private", headers={"content-type": "text/plain"})
        pages = {"page": Reply(WORDS), "private": Reply(WORDS), "hop": Reply(b"", 302, {"location": "/private"})}
        async with told(**pages, **{"robots.txt": rules}) as site, service(site) as fetching:
            polite = {"politeness": {"robots": True}}
            assert result(await fetching.fetch(ask(site, "/page", **polite))).http_status == 200
            for path in ("/private", "/hop"):
                assert (await failed(fetching, ask(site, path, **polite))).code is ErrorCode.ROBOTS_DISALLOWED
            assert result(await fetching.fetch(ask(site, "/private"))).http_status == 200
            assert [asked.target for asked in site.asked] == ["/robots.txt", "/page", "/hop", "/private"]

    run(test)


@pytest.mark.parametrize(
    ("robots", "allowed"), [(Reply(b"", 404), True), (Reply(b"x", 500), False), (Reply(b"", 200, cut=True), True)]
)
def test_a_site_without_robots_is_open_and_one_in_trouble_closed(robots: Reply, allowed: bool) -> None:  # noqa: FBT001  # a row
    async def test() -> None:
        async with told(page=Reply(WORDS), **{"robots.txt": robots}) as site, service(site) as fetching:
            request = ask(site, politeness={"robots": True})
            if allowed:
                assert result(await fetching.fetch(request)).http_status == 200
            else:
                assert (await failed(fetching, request)).code is ErrorCode.ROBOTS_DISALLOWED

    run(test)


def test_a_robots_file_that_redirects_into_private_ground_is_no_way_in() -> None:
    async def test() -> None:
        robots = Reply(b"", 302, {"location": "http://169.254.169.254/robots.txt"})
        async with told(page=Reply(WORDS), **{"robots.txt": robots}) as site, service(site) as fetching:
            assert result(await fetching.fetch(ask(site, politeness={"robots": True}))).http_status == 200

    run(test)


def test_the_budget_is_kept() -> None:
    async def test() -> None:
        never = asyncio.Event()
        async with told(page=Reply(before=never.wait)) as site, service(site) as fetching:
            error = await failed(fetching, ask(site, budget_ms=1_000, max_tier="static"))
        assert error.code is ErrorCode.DEADLINE_EXCEEDED

    run(test)


def test_plain_fetches_have_a_limit_of_their_own() -> None:
    async def test() -> None:
        gate, asked = asyncio.Event(), asyncio.Event()

        async def hold() -> None:
            asked.set()
            await gate.wait()

        pages = {"page": Reply(WORDS), "held": Reply(WORDS, before=hold)}
        async with told(**pages) as site, service(site, fetch_concurrency=1, renderer_wait_s=0.01) as fetching:
            held = asyncio.create_task(fetching.fetch(ask(site, "/held")))
            await asked.wait()
            error = await failed(fetching, ask(site, "/page", max_tier="static"))
            assert error.code is ErrorCode.RENDERER_BUSY
            assert error.retry_after_s
            gate.set()
            assert result(await held).http_status == 200

    run(test)


def test_memory_stays_flat() -> None:
    async def test() -> None:
        async with told() as site, service(site) as fetching:
            site.pages = {f"/{n}": Reply(WORDS) for n in range(900)}

            async def visit(numbers: range) -> None:
                for number in numbers:
                    await fetching.fetch(ask(site, f"/{number}", "html", "text", max_tier="static"))
                site.asked.clear()
                gc.collect()

            await visit(range(300))
            tracemalloc.start()
            before = tracemalloc.get_traced_memory()[0]
            await visit(range(300, 900))
            grown = tracemalloc.get_traced_memory()[0] - before
            tracemalloc.stop()
        assert grown < 600 * 200, f"{grown} bytes for 600 pages of {len(WORDS)} bytes"

    run(test)

import asyncio
import gzip
import zlib
from collections.abc import Callable

import brotli  # type: ignore[import-untyped]  # it ships no types
import pytest
from backports import zstd
from pydantic import SecretStr

from contracts.errors import ErrorCode
from contracts.visit import Cookie, Credentials, Visit
from renderer.tiers.body import Caps
from renderer.tiers.page import Kind, Page
from runtime import netguard
from runtime.errors import ServiceError

from .conftest import Reply, Told, fetch, fetching, order, told


def deflated(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "deflate ": deflated,
    "br": lambda data: brotli.compress(data, quality=5),
    "zstd": zstd.compress,
}


def redirect(to: str, status: int = 302, cookies: list[str] | None = None) -> Reply:
    return Reply(b"", status, {"location": to}, cookies or [])


def failed(reply: Reply, caps: Caps | None = None) -> ErrorCode:
    async def test() -> ErrorCode:
        async with told(page=reply) as site:
            with pytest.raises(ServiceError) as caught:
                await fetch(site, caps=caps)
            return caught.value.code

    return asyncio.run(test())


def fetched(visit: Visit | None = None, /, **pages: Reply) -> tuple[Page, Told]:
    async def test() -> tuple[Page, Told]:
        async with told(**pages) as site:
            return await fetch(site, visit=visit), site

    return asyncio.run(test())


@pytest.mark.parametrize("packing", PACKERS)
def test_every_packing_is_read(packing: str) -> None:
    body = "<h1>Grüße</h1>".encode() * 1_000
    page, _ = fetched(page=Reply(PACKERS[packing](body), headers={"content-encoding": packing.strip()}))
    assert page.body == body
    assert page.wire_bytes < len(body)
    assert page.markup_bytes is page.body


def sitemap_gz(data: bytes, content_type: str = "application/x-gzip", caps: Caps | None = None) -> Page:
    async def test() -> Page:
        reply = Reply(data, headers={"content-type": content_type})
        async with told(**{"map.xml.gz": reply}) as site:
            return await fetch(site, "/map.xml.gz", caps=caps)

    return asyncio.run(test())


@pytest.mark.parametrize("content_type", ["application/x-gzip", "application/gzip", "application/octet-stream"])
def test_a_sitemap_in_a_gzip_file_is_xml(content_type: str) -> None:
    text = b"<urlset><url><loc>https://shop.test/</loc></url></urlset>"
    for data in (gzip.compress(text), text):
        page = sitemap_gz(data, content_type)
        assert (page.kind, page.markup_bytes) == (Kind.XML, text)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (gzip.compress(bytes(5_000_000)), ErrorCode.TARGET_TOO_LARGE),
        (gzip.compress(b"<urlset/>", mtime=0)[:-12] + b"nonsense....", ErrorCode.TARGET_REFUSED),
    ],
    ids=["bomb", "broken"],
)
def test_a_gzip_file_is_unpacked_under_the_caps(data: bytes, code: ErrorCode) -> None:
    with pytest.raises(ServiceError) as caught:
        sitemap_gz(data)
    assert caught.value.code is code


@pytest.mark.parametrize("packing", PACKERS)
def test_a_bomb_is_too_large(packing: str) -> None:
    packed = PACKERS[packing](bytes(30_000_000))
    assert failed(Reply(packed, headers={"content-encoding": packing.strip()})) is ErrorCode.TARGET_TOO_LARGE


@pytest.mark.parametrize("packing", ["gzip", "br", "zstd"])
def test_a_bomb_under_the_size_cap_is_caught_by_its_ratio(packing: str) -> None:
    packed = PACKERS[packing](bytes(30_000_000))
    caps = Caps(size=100_000_000)
    assert failed(Reply(packed, headers={"content-encoding": packing}), caps) is ErrorCode.TARGET_TOO_LARGE


def test_bombs_within_bombs_are_unpacked_no_further_than_the_cap() -> None:
    packed = gzip.compress(gzip.compress(bytes(200_000_000), compresslevel=1))
    assert failed(Reply(packed, headers={"content-encoding": "gzip, gzip"})) is ErrorCode.TARGET_TOO_LARGE


def test_a_dense_honest_page_is_read() -> None:
    rows = b"".join(b"<tr><td>Bag</td><td>%d</td></tr>" % n for n in range(100_000))
    page, _ = fetched(page=Reply(gzip.compress(rows), headers={"content-encoding": "gzip"}))
    assert len(page.body) == len(rows)


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        (Reply(bytes(3_000_000)), ErrorCode.TARGET_TOO_LARGE),
        (Reply(b"x", headers={"content-encoding": "compress"}), ErrorCode.TARGET_REFUSED),
        (Reply(b"not gzip", headers={"content-encoding": "gzip"}), ErrorCode.TARGET_REFUSED),
        (Reply(b"PK", headers={"content-type": "application/zip"}), ErrorCode.TARGET_IS_DOWNLOAD),
        (Reply(b"%PDF", headers={"content-type": "application/pdf"}), ErrorCode.TARGET_IS_DOWNLOAD),
        (Reply(b"GIF", headers={"content-type": "image/gif"}), ErrorCode.TARGET_IS_DOWNLOAD),
        (Reply(b"x", headers={"content-disposition": "attachment; filename=a"}), ErrorCode.TARGET_IS_DOWNLOAD),
        (Reply(bytes(range(40)), headers={"content-type": ""}), ErrorCode.TARGET_IS_DOWNLOAD),
        (Reply(b""), ErrorCode.PAGE_EMPTY),
        (Reply(b"", 204, {"content-length": "", "content-type": ""}), ErrorCode.PAGE_EMPTY),
        (redirect("/page"), ErrorCode.TARGET_REDIRECTS),
        (redirect("http://"), ErrorCode.TARGET_REDIRECTS),
        (redirect("javascript:alert(1)"), ErrorCode.URL_FORBIDDEN),
        (redirect("file:///etc/passwd"), ErrorCode.URL_FORBIDDEN),
        (redirect("http://169.254.169.254/latest/"), ErrorCode.URL_FORBIDDEN),
        (redirect("http://[::ffff:10.0.0.1]/"), ErrorCode.URL_FORBIDDEN),
        (redirect("http://127.0.0.1:1/"), ErrorCode.URL_FORBIDDEN),
        (redirect("http://user:secret@127.0.0.1/"), ErrorCode.URL_FORBIDDEN),
    ],
)
def test_what_is_no_page_is_named(reply: Reply, code: ErrorCode) -> None:
    assert failed(reply, Caps(size=2_000_000)) is code


@pytest.mark.parametrize(
    ("content_type", "kind"),
    [
        ("text/html", Kind.HTML),
        ("application/xhtml+xml; charset=utf-8", Kind.HTML),
        ("application/rss+xml", Kind.XML),
        ("text/xml", Kind.XML),
        ("text/plain", Kind.TEXT),
        ("application/json", Kind.TEXT),
        ("application/problem+json", Kind.TEXT),
        ("", Kind.HTML),
    ],
)
def test_documents_of_every_kind_are_pages(content_type: str, kind: Kind) -> None:
    page, _ = fetched(page=Reply(b"<b>1 & 2</b>", headers={"content-type": content_type}))
    assert page.kind is kind
    expected = "<pre>&lt;b&gt;1 &amp; 2&lt;/b&gt;</pre>" if kind is Kind.TEXT else "<b>1 & 2</b>"
    assert expected in page.markup
    assert expected.encode() in page.markup_bytes


@pytest.mark.parametrize("status", [200, 401, 403, 404, 410, 429, 500, 503])
def test_a_status_is_a_page_as_in_the_browser(status: int) -> None:
    page, _ = fetched(page=Reply(b"<h1>Words</h1>", status))
    assert (page.status, page.text) == (status, "<h1>Words</h1>")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_followed(status: int) -> None:
    page, site = fetched(page=redirect("next?a=b#part", status), **{"next?a=b": redirect("../end")}, end=Reply())
    assert (page.url, page.redirects) == (site.url("/end"), 2)


def test_ten_redirects_are_followed_and_no_more() -> None:
    chain = {f"n{n}": redirect(f"/n{n + 1}") for n in range(1, 11)} | {"n11": Reply()}
    page, _ = fetched(page=redirect("/n2"), **chain)
    assert page.redirects == 10
    assert failed_chain({**chain, "page": redirect("/n1")}) is ErrorCode.TARGET_REDIRECTS


def failed_chain(pages: dict[str, Reply]) -> ErrorCode:
    async def test() -> ErrorCode:
        async with told(**pages) as site:
            with pytest.raises(ServiceError) as caught:
                await fetch(site)
            return caught.value.code

    return asyncio.run(test())


def test_a_redirect_that_sets_a_cookie_may_come_back() -> None:
    async def test() -> None:
        async with told() as site:
            gate = redirect("/page", cookies=["seen=1; Path=/"])
            site.pages["/page"] = gate

            def opened() -> None:
                if "seen=1" in site.asked[-1].headers.get("cookie", ""):
                    gate.status, gate.body, gate.headers = 200, b"<h1>In</h1>", {}

            gate.before = opened
            page = await fetch(site)
            assert (page.text, page.redirects) == ("<h1>In</h1>", 1)

    asyncio.run(test())


def test_nothing_is_carried_from_one_job_to_the_next() -> None:
    async def test() -> None:
        async with told(page=Reply(cookies=["id=7; Path=/"]), hop=redirect("/page", cookies=["hop=1"])) as site:
            async with fetching(site) as fetcher:
                await fetcher.get(order(site.url("/hop")))
                await fetcher.get(order(site.url("/page")))
            assert [asked.headers.get("cookie") for asked in site.asked] == [None, "hop=1", None]

    asyncio.run(test())


def test_what_is_private_goes_to_its_own_origin_only() -> None:
    async def test() -> None:
        visit = Visit(
            headers={"X-Key": "k", "Accept-Language": "fi"},
            cookies=[Cookie(name="a", value="1"), Cookie(name="b", value="2", secure=True)],
            auth=Credentials(username="me", password=SecretStr("pass")),
            user_agent="Mine/1.0",
        )
        async with told(end=Reply()) as site:
            site.pages["/page"] = redirect(site.url("/end", "localhost"))
            page = await fetch(site, visit=visit)
            assert page.url == site.url("/end", "localhost")
            first, second = (asked.headers for asked in site.asked)
        assert (first["x-key"], first["cookie"], first["authorization"]) == ("k", "a=1", "Basic bWU6cGFzcw==")
        assert (first["accept-language"], second["accept-language"]) == ("fi", "en-US,en;q=0.9")
        assert not {"x-key", "cookie", "authorization"} & set(second)
        assert first["user-agent"] == second["user-agent"] == "Mine/1.0"

    asyncio.run(test())


def test_a_visit_looks_like_the_browsers() -> None:
    _, site = fetched(Visit(locale="de-CH"), page=Reply())
    headers = site.asked[0].headers
    assert "Chrome/150.0.0.0" in headers["user-agent"]
    assert "Headless" not in headers["user-agent"]
    assert headers["accept"].startswith("text/html,")
    assert headers["accept-encoding"] == "gzip, deflate, br, zstd"
    assert headers["accept-language"] == "de-CH,de;q=0.9,en;q=0.8"
    assert not any(name.startswith("sec-ch") for name in headers)
    assert "python" not in site.asked[0].raw.lower()


@pytest.mark.parametrize("name", ["Host", "Cookie", "Content-Length", "Bad name", "X-\r\nSet"])
def test_headers_that_cannot_be_sent_are_named(name: str) -> None:
    with pytest.raises(ServiceError) as caught:
        order("http://shop.test/", Visit(headers={name: "1"}))
    assert caught.value.code is ErrorCode.INVALID_REQUEST
    assert caught.value.errors[0].field.startswith("visit.headers.")


def test_a_header_value_cannot_hold_a_line_break() -> None:
    with pytest.raises(ServiceError):
        order("http://shop.test/", Visit(headers={"X-A": "1\r\nX-B: 2"}))
    with pytest.raises(ServiceError):
        order("http://shop.test/", Visit(user_agent="a\nb"))


def test_silence_is_a_timeout_and_a_closed_door_a_refusal() -> None:
    async def test() -> None:
        never = asyncio.Event()
        async with told(page=Reply(before=never.wait)) as site, fetching(site) as fetcher:
            with pytest.raises(ServiceError) as caught:
                await fetcher.get(order(site.url("/page"), longest_s=0.05))
            assert caught.value.code is ErrorCode.TARGET_TIMEOUT
        async with fetching(site) as fetcher:
            with pytest.raises(ServiceError) as caught:
                await fetcher.get(order(site.url("/page")))
            assert caught.value.code is ErrorCode.TARGET_REFUSED

    asyncio.run(test())


def test_a_connection_that_was_closed_while_idle_is_no_failure() -> None:
    async def test() -> None:
        turns = iter([False, True, False])

        def hang_up() -> None:
            if next(turns):
                raise EOFError

        async with told(page=Reply(before=hang_up)) as site, fetching(site) as fetcher:
            for _ in range(2):
                assert (await fetcher.get(order(site.url("/page")))).status == 200
            assert len(site.asked) == 3

    asyncio.run(test())


def test_a_site_that_always_hangs_up_refuses() -> None:
    def hang_up() -> None:
        raise EOFError

    assert failed(Reply(before=hang_up)) is ErrorCode.TARGET_REFUSED


@pytest.mark.parametrize("path", ["/a|b{c}", "/%zz", "/ä?q=ü#x", "/a//b/../c", "/a?x=[1]&y='2'", "/" + "a" * 3_000])
def test_odd_addresses_are_asked_for_as_a_browser_does(path: str) -> None:
    async def test() -> None:
        async with told() as site:
            page = await fetch(site, path)
            assert page.status == 404
            assert netguard.parse(site.url(path)).url.partition("#")[0] == site.url(site.asked[0].target)

    asyncio.run(test())


def test_a_body_that_is_cut_short_is_a_refusal() -> None:
    assert failed(Reply(b"x" * 100, headers={"content-length": "500"}, cut=True)) is ErrorCode.TARGET_REFUSED

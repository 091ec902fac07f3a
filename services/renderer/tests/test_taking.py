import base64
import io
import json
from typing import Any

import httpx2
import pytest
from pypdf import PdfReader

from contracts.render import (
    RenderResult,
    Warning,  # noqa: A004  # the contract's word
)
from renderer.taking import MAX_DOM
from tests.fixtures import writings
from tests.fixtures.site import Site

from .conftest import Live, pixels, problem

ALL = ("html", "markdown", "text", "links", "metadata")


@pytest.fixture(scope="module", autouse=True)
def served(site: Site) -> None:
    writings.serve()


def ask(live: Live, url: str, *kinds: str, **more: Any) -> httpx2.Response:  # noqa: ANN401  # a request body
    return live.post({"url": url, "outputs": [{"kind": kind} for kind in kinds], "budget_ms": 40_000, **more})


def had(live: Live, url: str, *kinds: str, **more: Any) -> RenderResult:  # noqa: ANN401  # a request body
    answer = ask(live, url, *kinds, **more)
    assert answer.status_code == 200, answer.text
    return RenderResult.model_validate_json(answer.content)


def text(result: RenderResult, name: str) -> str:
    return pixels(result, name).decode()


def test_what_a_script_wrote_is_read_and_links_hang_on_the_base(live: Live, site: Site) -> None:
    result = had(live, site.url("/read/rendered"), *ALL)
    terms = site.url("/shop/terms")
    assert text(result, "html").startswith('<!DOCTYPE html>\n<html lang="fr">')
    assert text(result, "html").endswith("</body></html>")
    assert text(result, "markdown") == f"# Made by a script\n\nRead [the terms]({terms})\n"
    assert text(result, "text") == "Made by a script\n\nRead the terms\n"
    assert json.loads(text(result, "links"))[0]["url"] == terms
    assert json.loads(text(result, "metadata"))["language"] == "fr"
    assert result.title == "Rendered"
    assert result.warnings == []


def test_pictures_and_papers_come_from_one_load(live: Live, site: Site) -> None:
    site.hits.clear()
    outputs = [{"kind": "screenshot", "area": "full_page"}, {"kind": "facts"}, {"kind": "pdf"}, {"kind": "markdown"}]
    answer = live.post({"url": site.url("/static"), "outputs": outputs, "budget_ms": 40_000})
    result = RenderResult.model_validate_json(answer.content)
    assert set(result.artifacts) == {"screenshot", "facts", "pdf", "markdown"}
    assert not result.partial
    assert site.hits.count("/static") == 1


def test_open_shadow_roots_are_read_and_closed_ones_are_not(live: Live, site: Site) -> None:
    result = had(live, site.url("/read/shadow"), *ALL)
    assert '<template shadowrootmode="open">' in text(result, "html")
    markdown = text(result, "markdown")
    assert "From 12 francs" in markdown
    assert "per month" in markdown
    assert "unused fallback" not in markdown
    assert f"[Two levels down]({site.url('/deep')})" in markdown
    assert "<section></section>" in text(result, "html")
    assert "Nobody reads this" not in markdown


def test_right_to_left_text_keeps_its_letters_and_order(live: Live, site: Site) -> None:
    result = had(live, site.url("/read/hebrew"), "markdown", "metadata")
    assert text(result, "markdown") == "# שלום עולם\n\nמחירים **הוגנים** ומשלוח מהיר\n"  # noqa: RUF001  # Hebrew
    assert json.loads(text(result, "metadata"))["title"] == "עברית"


def test_text_has_what_scrolling_brings_and_html_alone_does_not_wait_for_it(live: Live, site: Site) -> None:
    assert "Came by scrolling" in ask(live, site.url("/read/later"), "text").text
    unmoved = had(live, site.url("/read/later"), "html", "metadata")
    assert '<div id="late">not yet</div>' in text(unmoved, "html")


def test_a_dom_beyond_the_cap_is_cut_and_the_result_says_so(live: Live, site: Site) -> None:
    result = had(live, site.url("/read/big"), "html", "metadata")
    assert Warning.TRUNCATED in result.warnings
    assert len(text(result, "html")) == MAX_DOM
    assert json.loads(text(result, "metadata"))["title"] == "Big"


def test_a_dom_that_scripts_made_deep_is_read_all_the_same(live: Live, site: Site) -> None:
    result = had(live, site.url("/read/deep"), "text", "markdown")
    assert text(result, "text") == "Deep\n\nThe bottom\n"
    assert text(result, "markdown") == "# Deep\n\nThe bottom\n"


@pytest.mark.parametrize(
    ("kind", "content_type"),
    [
        ("html", "text/html; charset=utf-8"),
        ("markdown", "text/markdown; charset=utf-8"),
        ("text", "text/plain; charset=utf-8"),
        ("links", "application/json"),
        ("metadata", "application/json"),
        ("pdf", "application/pdf"),
    ],
)
def test_one_document_is_the_answer_itself(live: Live, site: Site, kind: str, content_type: str) -> None:
    answer = ask(live, site.url("/static"), kind)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == content_type
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["x-final-url"] == site.url("/static")
    assert ("attachment" in answer.headers.get("content-disposition", "")) == (kind in {"html", "pdf"})
    assert answer.headers.get("content-security-policy", "") == ("sandbox" if kind in {"html", "pdf"} else "")
    assert b"Sparrow" in answer.content or kind == "pdf"


def test_a_document_with_a_slot_is_put_there(live: Live, site: Site) -> None:
    slots = {"markdown": {"url": site.url("/put/page.md")}}
    result = had(live, site.url("/static"), "markdown", uploads=slots)
    assert result.artifacts["markdown"].data is None
    assert site.uploads["/put/page.md"].startswith(b"[Sparrow Goods](")


@pytest.mark.parametrize(
    ("paper", "landscape", "size"),
    [("a4", False, (595, 842)), ("letter", False, (612, 792)), ("a4", True, (842, 595))],
)
def test_a_page_is_printed(live: Live, site: Site, paper: str, landscape: bool, size: tuple[int, int]) -> None:  # noqa: FBT001  # a row of the table above
    output = {"kind": "pdf", "paper": paper, "landscape": landscape}
    printed = PdfReader(io.BytesIO(live.post({"url": site.url("/static"), "outputs": [output]}).content))
    assert len(printed.pages) > 1
    box = printed.pages[0].mediabox
    assert (float(box.width), float(box.height)) == pytest.approx(size, abs=1)
    assert "Bags that outlive you" in "".join(page.extract_text() for page in printed.pages)


def test_backgrounds_are_printed_only_when_they_are_wanted(live: Live, site: Site) -> None:
    def fills(*, background: bool) -> bool:
        output = {"kind": "pdf", "background": background}
        answer = live.post({"url": site.url("/static"), "outputs": [output]})
        contents = PdfReader(io.BytesIO(answer.content)).pages[0].get_contents()
        assert contents is not None
        return b".0627 .1961 .2902 rg" in contents.get_data()

    assert fills(background=True)
    assert not fills(background=False)


def test_a_page_that_hangs_while_it_prints_keeps_what_was_had_before(live: Live, site: Site) -> None:
    result = had(live, site.url("/read/prints-never"), "text", "pdf", budget_ms=6_000)
    assert text(result, "text") == "Prints never\n"
    assert result.partial
    assert Warning.DOCUMENTS_MISSING in result.warnings


def test_a_page_that_only_hangs_is_named(live: Live, site: Site) -> None:
    assert problem(ask(live, site.url("/spin"), "markdown", budget_ms=6_000)) == "page_hung"


def test_headers_and_status_are_told_and_secrets_are_not(live: Live, site: Site) -> None:
    result = had(live, site.url("/read/headers"), "text", "metadata")
    headers = result.response_headers
    assert headers["x-served-by"] == "Sparrow"
    assert headers["link"] == "</a>; rel=preload, </b>; rel=preload"
    assert len(headers["x-long"]) == 2_000
    assert {name for name in headers if "cookie" in name or "token" in name} == set()
    assert had(live, site.url("/404"), "text", "metadata").http_status == 404


def test_they_are_those_of_the_last_document(live: Live, site: Site) -> None:
    result = had(live, site.url("/redirect?to=/read/headers"), "text", "metadata")
    assert result.response_headers["x-served-by"] == "Sparrow"
    assert "location" not in result.response_headers


def test_inline_documents_are_base64(live: Live, site: Site) -> None:
    result = had(live, site.url("/static"), "text", "links")
    data = result.artifacts["text"].data
    assert data is not None
    assert len(base64.b64decode(data)) == result.artifacts["text"].bytes

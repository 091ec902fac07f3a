import json
from html import escape

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from contracts.outputs import DocumentKind
from renderer.documents import Kind, piece, read, safeguards
from renderer.documents.nesting import MAX_DEPTH, bounded, rewritten

HERE = "https://shop.test/bags/blue?size=1"


def markdown(body: str, base_url: str = HERE) -> str:
    return read(body, base_url).markdown()


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("<h1>One</h1><h3>Three</h3>", "# One\n\n### Three\n"),
        ("<p>a<p>b", "a\n\nb\n"),
        ("<p>a<br>b<br><br>c<br></p>", "a  \nb  \nc\n"),
        ("<p> much \n  <b> space </b>\tof&nbsp;all&#x200b; kinds ", "much **space** of all kinds\n"),
        ("<p><b>bold</b> <em>lean</em> <del>gone</del> <code>a*b`c</code>", "**bold** *lean* ~~gone~~ ``a*b`c``\n"),
        ("<p><b><b>twice</b></b> <b></b>", "**twice**\n"),
        (
            "<p><a href=/a>in</a> <a href='b c'>near</a>",
            "[in](https://shop.test/a) [near](https://shop.test/bags/b%20c)\n",
        ),
        ("<p><a href='javascript:alert(1)'>no</a> <a href=/x></a>", "no\n"),
        ("<p><a href='/w_(x)'>wiki</a>", "[wiki](https://shop.test/w_%28x%29)\n"),
        (
            "<a href=/c><div><h2>Card</h2><p>Text</p></div></a>",
            "## [Card](https://shop.test/c)\n\n[Text](https://shop.test/c)\n",
        ),
        ("<img src=a.png alt='A [b]'>", "![A \\[b\\]](https://shop.test/bags/a.png)\n"),
        ("<img src=a.png alt=''><img src=p.gif width=1 alt=x>", ""),
        ("<img src='data:x' data-src=/l.png alt=late>", "![late](https://shop.test/l.png)\n"),
        ("<a href=/h><img src=/l.png alt=Logo></a>", "[![Logo](https://shop.test/l.png)](https://shop.test/h)\n"),
        ("<ul><li>a<ul><li>b</ul><li>c</ul>d", "- a\n  - b\n- c\n\nd\n"),
        ("<ol start=9><li>a<li><p>b<p>c</ol>", "9. a\n10. b\n\n    c\n"),
        ("<ul><li></li><li>a</li></ul>", "- a\n"),
        ("<blockquote><p>a<p>b</blockquote>", "> a\n>\n> b\n"),
        ("<blockquote><ul><li>a<li>b</ul></blockquote>", "> - a\n> - b\n"),
        ("<pre><code class=language-py>a\n  *b*\n</code></pre>", "```py\na\n  *b*\n```\n"),
        ("<pre>a\n```\nb</pre>", "````\na\n```\nb\n````\n"),
        ("<p>a<hr><p>b", "a\n\n---\n\nb\n"),
        ("<table><tr><th>a<th>b|c<tr><td>1</table>", "| a | b\\|c |\n| --- | --- |\n| 1 |  |\n"),
        ("<table><tr><td><p>a<p>b<td>c</table>", "a\n\nb\n\nc\n"),
        ("<table><tr><td><table><tr><td>a<td>b<tr><td>c<td>d</table></table>", "| a | b |\n| --- | --- |\n| c | d |\n"),
        (
            "<p>*a* [b] &lt;c> `d` _e_ f_g &amp;amp; ~~h~~",
            "\\*a\\* \\[b\\] \\<c> \\`d\\` \\_e\\_ f_g \\&amp; \\~~h\\~~\n",
        ),
        ("<p># a<p>1. b<p>- c<p>> d", "\\# a\n\n1\\. b\n\n\\- c\n\n\\> d\n"),
        ("<dl><dt>a<dd>b</dl>", "**a**\n\nb\n"),
        ("<button>Buy</button> <input type=submit value=Go><input value=no>", "Buy Go\n"),
        ("<style>a</style><script>b</script><svg><text>c</text></svg><noscript>d</noscript><template>e</template>", ""),
        ("<p hidden>a<p style='display:none'>b<dialog>c</dialog><details><summary>d</summary>e</details>", "d\n\ne\n"),
        ("<nav><a href=/>Home</a></nav><p>Body", "Body\n"),
        ("<nav><a href=/>Home</a></nav>", "[Home](https://shop.test/)\n"),
        ("<frameset><frame src=a></frameset>", ""),
        ("", ""),
    ],
)
def test_markdown(body: str, expected: str) -> None:
    assert markdown(body) == expected


def test_text_has_a_line_for_each_block_and_keeps_navigation() -> None:
    body = "<nav><a>Home</a><a> Shop</a></nav><h1>A</h1><div>b</div><div>c<br>d</div><p>e<table><tr><td>1<td>2</table>"
    assert read(body, HERE).text() == "Home Shop\n\nA\n\nb\nc\nd\n\ne\n\n1\t2\n"


def test_preformatted_text_keeps_its_lines() -> None:
    assert read("<pre>a\n  b</pre>c", HERE).text() == "a\nb\n\nc\n"


def test_links_say_where_they_lead() -> None:
    body = """<base href="/base/"><a href="x" rel="NoFollow noopener">X <b>y</b></a><a href="//www.shop.test/z">Z</a>
      <a href="http://other.test">O</a><a href="mailto:a@b.test">M</a><a href="tel:+41 44">T</a>
      <a href="https://shop.test/bags/blue?size=1#top">Top</a><a href="javascript:0">J</a><a href="http://[">B</a>
      <a href="/i"><svg><title>no</title></svg><img alt="Icon" src=i></a><a href="/l" aria-label="Label"></a>"""
    found = [(link.url, link.text, link.kind) for link in read(body, HERE).links()]
    assert found == [
        ("https://shop.test/base/x", "X y", Kind.INTERNAL),
        ("https://www.shop.test/z", "Z", Kind.INTERNAL),
        ("http://other.test", "O", Kind.EXTERNAL),
        ("mailto:a@b.test", "M", Kind.MAILTO),
        ("tel:+41%2044", "T", Kind.TEL),
        ("https://shop.test/bags/blue?size=1#top", "Top", Kind.ANCHOR),
        ("https://shop.test/i", "Icon", Kind.INTERNAL),
        ("https://shop.test/l", "Label", Kind.INTERNAL),
    ]
    first = read(body, HERE).links()[0]
    assert first.nofollow
    assert first.rel == ["nofollow", "noopener"]


@pytest.mark.parametrize(
    ("href", "url"),
    [
        (" \n/a\t/b ", "https://shop.test/a/b"),
        ("..\\up", "https://shop.test/up"),
        ("?q=ä b", "https://shop.test/bags/blue?q=%C3%A4%20b"),
        ("https://bücher.test/ü", "https://xn--bcher-kva.test/%C3%BC"),
        ("HTTPS://Other.test/A", "https://Other.test/A"),
        ("#top", "https://shop.test/bags/blue?size=1#top"),
    ],
)
def test_addresses_are_made_absolute_as_a_browser_does(href: str, url: str) -> None:
    [link] = read(f'<a href="{href}">x</a>', HERE).links()
    assert link.url == url


@pytest.mark.parametrize(
    "href", ["data:text/html,x", "blob:x", "vbscript:x", "http://", "https:///", "http://a\u2100b/x"]
)
def test_what_is_no_address_on_the_web_is_no_link(href: str) -> None:
    assert read(f'<a href="{href}">x</a>', "about:blank").links() == []


HEAD = """<html lang="de-CH"><head><title> A &amp; B </title><meta charset="ISO-8859-1">
<meta name="Description" content="Good  bags"><meta name=robots content=noindex><meta name=viewport content="width=1">
<meta property="og:title" content="OG"><meta property="og:title" content="second">
<meta name="twitter:card" content=large>
<meta property="article:modified_time" content="2026-02-03">
<link rel=canonical href="/c"><link rel="shortcut icon" href="/f.ico" sizes="16x16">
<link rel=apple-touch-icon href=t.png>
<link rel=alternate type="application/rss+xml" title=News href=/rss><link rel=alternate hreflang=fr href=/fr>
<script type="application/ld+json">{"@type": "Product", "datePublished": "2026-01-01", "x": NaN}</script>
<script type="application/ld+json">{broken</script>
</head><body><h1>One <b>two</b></h1><p>three isn't four<h2>ありがとう</h2>"""


def test_metadata() -> None:
    found = json.loads(piece(read(HEAD, HERE), DocumentKind.METADATA)[1])
    assert found == {
        "title": "A & B",
        "description": "Good bags",
        "canonical": "https://shop.test/c",
        "language": "de-CH",
        "charset": "iso-8859-1",
        "robots": "noindex",
        "viewport": "width=1",
        "open_graph": {"og:title": "OG"},
        "twitter": {"twitter:card": "large"},
        "json_ld": [{"@type": "Product", "datePublished": "2026-01-01", "x": None}],
        "json_ld_invalid": 1,
        "icons": [
            {"url": "https://shop.test/f.ico", "rel": "shortcut icon", "sizes": "16x16", "type": ""},
            {"url": "https://shop.test/bags/t.png", "rel": "apple-touch-icon", "sizes": "", "type": ""},
        ],
        "feeds": [{"url": "https://shop.test/rss", "title": "News", "type": "application/rss+xml"}],
        "alternates": [{"url": "https://shop.test/fr", "language": "fr"}],
        "headings": [{"level": 1, "text": "One two"}, {"level": 2, "text": "ありがとう"}],
        "word_count": 10,
        "published_time": "2026-01-01",
        "modified_time": "2026-02-03",
    }


def test_declared_shadow_roots_are_part_of_the_page() -> None:
    body = """<x-a><template shadowrootmode="open"><p>In <slot>fallback</slot></p><template><i>not</i></template>
      <a href=/s>S</a></template>light</x-a><p>After"""
    assert markdown(body) == "In\n\n[S](https://shop.test/s)\n\nlight\n\nAfter\n"


HOSTILE = {
    "open elements": "<div>" * 100_000 + "x",
    "open lists": "<ul><li>" * 50_000 + "x",
    "open formatting": "<p>" + "".join(f"<b id={n}>" for n in range(5_000)) + "<p>x" * 5_000,
    "formatting in blocks": "<p>" + "".join(f"<b id={n}>" for n in range(250)) + "<div>" + "<div>x</div>" * 20_000,
    "closed in a comment": "<div><!--</div>-->" * 50_000 + "x",
    "closed out of scope": "<div><table><tr><td></div></table>" * 20_000 + "x",
    "tables in tables": "<table><tr><td>x" * 20_000,
    "start tags without an end": "<a " * 1_000_000,
    "quotes without an end": '<a b="' * 500_000,
    "comments without an end": "<!--" * 1_000_000,
    "scripts without an end": "<script>" * 200_000,
    "shadow roots": "<template shadowrootmode=open>" * 20_000 + "x",
    "one long line": "_*" * 500_000,
    "brackets": "<script type='application/ld+json'>" + "[" * 100_000 + "</script>",
}


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.timeout(30)
def test_markup_made_to_hurt_is_read_all_the_same(name: str) -> None:
    document = read(HOSTILE[name], HERE)
    for kind in DocumentKind:
        piece(document, kind)[1].decode()


@pytest.mark.parametrize("name", ["open elements", "open formatting", "closed in a comment", "closed out of scope"])
def test_it_is_written_anew_within_bounds(name: str) -> None:
    document = read(HOSTILE[name], HERE)
    assert bounded(HOSTILE[name]) != HOSTILE[name]
    assert len(document.parsed.css("*")) < 150_000
    deepest, node = 0, document.parsed.css("*")[-1]
    while node.parent is not None:
        deepest, node = deepest + 1, node.parent
    assert deepest < MAX_DEPTH + 10
    assert document.text().rstrip().endswith("x")


def test_a_large_page_that_is_written_anew_says_the_same() -> None:
    row = "<tr><td><a href='/p/{0}' title='a > b'>Bag {0}</a><td>{0} francs &lt;b>&amp;</td>"
    rows = "".join(map(row.format, range(9_000)))
    large = f"<html lang=en><title>T</title>{HEAD}<p>one<p>two<ul><li>a<li>b</ul><table>{rows}"
    assert bounded(large) != large
    lines = markdown(large).splitlines()
    assert lines[2:9] == ["three isn't four", "", "## ありがとう", "", "one", "", "two"]
    assert lines[-1] == "| [Bag 8999](https://shop.test/p/8999) | 8999 francs \\<b>& |"
    found = read(large, HERE)
    assert len(found.links()) == 9_000
    assert found.metadata().json_ld == [{"@type": "Product", "datePublished": "2026-01-01", "x": None}]


def test_ordinary_pages_are_not_touched() -> None:
    ordinary = "<div><p>" + "<b>x</b> <i>y</i></p><p>" * 300 + "</div>"
    assert bounded(ordinary) is ordinary


def test_what_is_too_long_is_cut_and_says_so() -> None:
    assert read("a" * 10_000_001, HERE).truncated
    assert not read("a", HERE).truncated


TAGS = [
    "a",
    "b",
    "p",
    "li",
    "ul",
    "ol",
    "td",
    "tr",
    "table",
    "pre",
    "code",
    "h2",
    "blockquote",
    "template",
    "svg",
    "nav",
]
MARKUP = st.lists(
    st.one_of(
        st.text(max_size=8),
        st.sampled_from([f"<{tag}>" for tag in TAGS] + [f"</{tag}>" for tag in TAGS]),
        st.sampled_from(
            ["<br>", "<hr>", "<!--", "-->", "<img src=a alt=b>", "<template shadowrootmode=open>", "<slot>"]
        ),
        st.text(max_size=12).map(lambda href: f'<a href="{href}">x</a>'),
        st.text(max_size=6).map(lambda text: f"<script type='application/ld+json'>{text}</script>"),
    ),
    max_size=30,
).map("".join)


@given(MARKUP, st.sampled_from([HERE, "about:blank", "", "http://[", "\ud800"]))
def test_no_page_raises_and_every_form_is_utf8_and_the_same_each_time(html: str, base_url: str) -> None:
    for kind in DocumentKind:
        content_type, data = piece(read(html, base_url), kind)
        assert piece(read(html, base_url), kind) == (content_type, data)
        assert isinstance(json.loads(data) if content_type == "application/json" else data.decode(), object)


@given(MARKUP)
def test_every_link_is_absolute(html: str) -> None:
    for link in read(html, HERE).links():
        assert link.url.startswith(("http://", "https://", "mailto:", "tel:"))
        assert link.url.isascii()
        assert " " not in link.url


def _element(inside: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    around = st.sampled_from(["div", "section", "ul", "blockquote", "span", "h2", "b", "x-y"])
    return st.builds(
        lambda tag, parts: f"<{tag} title='a>b'>{''.join(parts)}</{tag}>", around, st.lists(inside, max_size=4)
    )


WELL_NESTED = st.recursive(st.text("ab <&>;\u05d0\n", max_size=6).map(escape), _element, max_leaves=20)


@given(WELL_NESTED)
@example("<div>; <b> ;</b></div>")
def test_writing_anew_changes_no_text(html: str) -> None:
    assert read(rewritten(html), HERE).text() == read(html, HERE).text()


def test_only_what_could_run_is_handed_out_as_a_file() -> None:
    assert safeguards("text/html; charset=utf-8")["Content-Security-Policy"] == "sandbox"
    assert "Content-Disposition" not in safeguards("text/plain; charset=utf-8")
    assert safeguards("image/png") == {"X-Content-Type-Options": "nosniff"}

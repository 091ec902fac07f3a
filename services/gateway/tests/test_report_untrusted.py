import pytest

from gateway.report.untrusted import host, plain, short, web_address


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("price\x00\x08\x1b[31m", "price[31m"),
        ("\u202egnp.exe\u2066", "gnp.exe"),
        ("zero\u200bwidth\ufeff", "zerowidth"),
        ("tag\U000e0041", "tag"),
        ("half\ud800", "half"),
        ("family 👨\u200d👩 \u0645\u06cc\u200c\u062e", "family 👨\u200d👩 \u0645\u06cc\u200c\u062e"),
        ("two\nlines\t", "two\nlines\t"),
    ],
)
def test_what_cannot_be_seen_is_taken_out(text: str, seen: str) -> None:
    assert plain(text) == seen


def test_short_cuts_and_says_so() -> None:
    assert short("  one\n\n two ", 20) == "one two"
    assert short("abcdefghij", 5) == "abcd…"


@pytest.mark.parametrize(
    "url", ["https://example.com/a?b=c#d", "http://example.com:8080/", "https://xn--bcher-kva.example/"]
)
def test_web_addresses_are_linked(url: str) -> None:
    assert web_address(url) == url


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "JaVaScRiPt:alert(1)",
        "java\nscript:alert(1)",
        "data:text/html,x",
        "file:///etc/passwd",
        "ftp://example.com/",
        "//example.com/",
        "https://",
        "https://user:secret@example.com/",
        "https://exam ple.com/",
        "https://example.com/<b>",
        'https://example.com/"onclick="',
        "https://example.com/\\@evil.example",
        "https://example.com/\u202ecod.exe",
        "https://[::1",
        "WCAG 2.2 SC 1.4.3",
        "https://example.com/" + "a" * 2_000,
        "",
    ],
)
def test_nothing_else_is_linked(url: str) -> None:
    assert web_address(url) == ""


def test_host_of_anything() -> None:
    assert host("https://www.example.com:8443/a") == "www.example.com"
    assert host("no address") == "no address"
    assert host("https://[::1") == "https://[::1"

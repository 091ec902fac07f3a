import ipaddress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.errors import ErrorCode
from runtime.errors import ServiceError
from runtime.netguard import AddressPolicy, Target, parse

POLICY = AddressPolicy()


def code_of(url: str, policy: AddressPolicy = POLICY) -> ErrorCode | None:
    try:
        policy.check_target(parse(url))
    except ServiceError as exc:
        return exc.code
    return None


@pytest.mark.parametrize(
    ("url", "canonical", "host", "port"),
    [
        ("https://example.com", "https://example.com/", "example.com", 443),
        ("  HTTP://EXAMPLE.com:80/%7Efoo?x y#f\n", "http://example.com/%7Efoo?x%20y#f", "example.com", 80),
        ("https://münchen.de/ü", "https://xn--mnchen-3ya.de/%C3%BC", "xn--mnchen-3ya.de", 443),
        ("http://010.0.0.1/", "http://8.0.0.1/", "8.0.0.1", 80),
        ("http://[2606:4700:0::1]:8080", "http://[2606:4700::1]:8080/", "2606:4700::1", 8080),
        ("http://shop.test./", "http://shop.test./", "shop.test.", 80),
    ],
)
def test_parse_gives_the_canonical_form(url: str, canonical: str, host: str, port: int) -> None:
    assert parse(url) == Target(canonical, canonical.partition(":")[0], host, port)


@pytest.mark.parametrize(
    "url",
    [
        *["", "   ", "example.com", "//example.com/", "example.com:8000/x", "localhost:8000", "http:10.0.0.5"],
        *["http:///10.0.0.5/", "http:/example.com", "http://", "https://?q", "http://a b/", "ht\ntp://x.com/"],
        *["http://x.com/\ty", "http://good.test\\@10.0.0.5/", "http://x.com/a\\b", "http://x.com/\x00"],
        *["http://x.com:99999/", "http://a..b/", "http://.com", "http://./", "http://1.2.3.4.5/", "http://256.1.1.1/"],
        *["http://good.test%00/", "http://[fe80::1%25eth0]/", "http://[::1", "http://a*b.com/", "http://\ud800/"],
        *[
            "http://x.com/\x85",
            "http://" + "a" * 64 + ".com/",
            "http://x.com/" + "a" * 4090,
            "http://x.com/" + "ü" * 1000,
        ],
        *["http:\\\\x.com/", "http://x\u3000y.com/", "http://" + "a." * 127 + "com/"],
    ],
)
def test_what_is_no_web_address_is_invalid(url: str) -> None:
    assert code_of(url) is ErrorCode.URL_INVALID


@pytest.mark.parametrize(
    "url",
    [
        *[
            "file:///etc/passwd",
            "FILE:/etc/passwd",
            "view-source:http://x.com",
            "chrome://version",
            "devtools://devtools",
        ],
        *[
            "data:text/html,x",
            "blob:https://x.com/1",
            "filesystem:http://x.com/",
            "javascript:alert(1)",
            "ftp://x.com/",
        ],
        *[
            "gopher://x.com/",
            "ws://x.com/",
            "wss://x.com/",
            "about:blank",
            "chrome-extension://a/",
            "mailto:a@b.example",
        ],
        *["http://user@example.com/", "http://user:pw@example.com/", "http://@example.com/", "http://good@10.0.0.5/"],
        "http://good%00@example.com/",
    ],
)
def test_other_schemes_and_user_names_are_forbidden(url: str) -> None:
    assert code_of(url) is ErrorCode.URL_FORBIDDEN


@pytest.mark.parametrize(
    "host",
    [
        *["127.0.0.1", "10.0.0.5", "172.16.0.1", "192.168.0.1", "169.254.169.254", "0.0.0.0", "0.1.2.3", "100.64.0.1"],
        *["100.100.100.200", "168.63.129.16", "192.0.0.192", "198.18.0.1", "240.0.0.1", "255.255.255.255", "224.0.0.1"],
        *["0177.0.0.1", "2130706433", "0x7f.1", "127.1", "0", "10.0.0.5.", "①②⑦.0.0.1", "127.0.0.1。", "0X7F000001"],
        *["%31%32%37.0.0.1", "[::1]", "[::]", "[fe80::1]", "[fd00:ec2::254]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]"],
        *[
            "[::127.0.0.1]",
            "[64:ff9b::a9fe:a9fe]",
            "[64:ff9b:1::1]",
            "[2002:a9fe:a9fe::1]",
            "[2001:0:1::1]",
            "[ff02::1]",
        ],
        *["localhost", "LOCALHOST", "localhost.", "a.localhost", "printer", "router.local", "db.internal", "x.lan"],
        *["metadata.google.internal", "metadata.goog", "kubernetes.default.svc", "kubernetes.default", "a.b.svc"],
        *[
            "kubernetes.default.svc.cluster.local",
            "nas.home.arpa",
            "ⓛocalhost",
            "10.0.0.5#@good.test",
            "10.0.0.5?@good.test",
        ],
    ],
)
def test_private_hosts_are_forbidden_in_every_spelling(host: str) -> None:
    assert code_of(f"http://{host}/") is ErrorCode.URL_FORBIDDEN


@pytest.mark.parametrize(
    "host", ["example.com", "8.0.0.1", "010.0.0.1", "93.184.216.34", "[2606:4700::1111]", "a_b.shop.test"]
)
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_public_hosts_pass(host: str, scheme: str) -> None:
    assert code_of(f"{scheme}://{host}/") is None


@pytest.mark.parametrize("port", [0, 22, 25, 2375, 5432, 6379, 8080, 9200, 10250])
def test_other_ports_are_forbidden(port: int) -> None:
    assert code_of(f"http://example.com:{port}/") is ErrorCode.URL_FORBIDDEN
    assert code_of(f"http://example.com:{port}/", AddressPolicy(extra_ports=frozenset({port}))) is None


def test_a_bare_host_gets_the_remedy() -> None:
    with pytest.raises(ServiceError) as caught:
        parse("example.com/shop")
    assert "Write https://example.com/shop" in caught.value.detail


def test_named_private_hosts_pass_with_their_port_only() -> None:
    policy = AddressPolicy.from_setting(" 127.0.0.1:8000, SHOP.test , [0:0::1]:9000,")
    allowed = ["http://127.1:8000/", "http://shop.test/", "https://shop.test/", "http://[::1]:9000/"]
    assert [code_of(url, policy) for url in allowed] == [None] * 4
    refused = ["http://127.0.0.1/", "http://127.0.0.1:8001/", "http://shop.test:8000/", "http://localhost:8000/"]
    assert [code_of(url, policy) for url in refused] == [ErrorCode.URL_FORBIDDEN] * 4


@pytest.mark.parametrize(
    "entry", ["::1", "localhost:x", "http://a.test", "*.a.test", "10.0.0.0/8", "a b", "a:99999", "u@a"]
)
def test_an_unreadable_entry_is_named(entry: str) -> None:
    with pytest.raises(ValueError, match="is not a host") as caught:
        AddressPolicy.from_setting(f"shop.test,{entry}")
    assert entry in str(caught.value)


def test_an_unreadable_own_range_is_named() -> None:
    with pytest.raises(ValueError, match=r"10\.0\.0\.1/8"):
        AddressPolicy.from_setting("", own_ranges="10.0.0.1/8")


def addresses(*texts: str) -> list[ipaddress.IPv4Address | ipaddress.IPv6Address]:
    return [ipaddress.ip_address(text) for text in texts]


@pytest.mark.parametrize(
    "answers", [["93.184.216.34", "10.0.0.5"], ["10.0.0.5"], ["2606:4700::1", "fd00::1"], ["93.184.216.34", "::1"]]
)
def test_one_bad_answer_refuses_all_without_naming_it(answers: list[str]) -> None:
    with pytest.raises(ServiceError) as caught:
        POLICY.check_answers("shop.example", 80, addresses(*answers))
    assert caught.value.code is ErrorCode.URL_FORBIDDEN
    assert not any(answer in caught.value.detail for answer in answers)
    assert any(answer in caught.value.reason for answer in answers)


def test_good_answers_are_pinned_and_named_hosts_may_be_private() -> None:
    good = addresses("93.184.216.34", "2606:4700::1")
    assert POLICY.check_answers("shop.example", 443, good) == good
    private = addresses("10.0.0.5")
    assert AddressPolicy.from_setting("shop.test").check_answers("shop.test", 80, private) == private


def test_no_answer_is_no_permission() -> None:
    with pytest.raises(ServiceError) as caught:
        POLICY.check_answers("shop.example", 80, [])
    assert caught.value.code is ErrorCode.TARGET_DNS


def test_own_public_ranges_are_refused() -> None:
    policy = AddressPolicy.from_setting("", own_ranges="93.184.216.0/24, 2606:4700::/32")
    assert code_of("http://93.184.216.34/", policy) is ErrorCode.URL_FORBIDDEN
    assert code_of("http://[2606:4700::1]/", policy) is ErrorCode.URL_FORBIDDEN
    assert code_of("http://93.184.217.1/", policy) is None


TRICKS = st.lists(
    st.sampled_from(
        [
            *[
                "http://",
                "https://",
                "HTTP:",
                "//",
                "/",
                "\\",
                "@",
                ":",
                "?",
                "#",
                "[",
                "]",
                "::1",
                "127.1",
                "0x7f",
                ".",
            ],
            *["%", "%2e", "%00", "。", "①", "xn--", "é", "ß", " ", "\t", "\x00", "\ud800", "80", "99999", "a", "a.com"],
        ]
    ),
    max_size=12,
).map("".join)
PREFIXED = st.text(max_size=40).map("http://example.com/".__add__)


@settings(deadline=None)
@given(st.one_of(st.text(), TRICKS, TRICKS.map("http://".__add__), PREFIXED))
def test_parse_is_a_fixpoint_and_raises_nothing_else(text: str) -> None:
    try:
        target = parse(text)
    except ServiceError:
        return
    assert parse(target.url) == target
    assert target.url.isascii()
    assert not set(target.host) & set("/\\@?#[]% \t\r\n")


@settings(deadline=None)
@given(st.one_of(st.text(), TRICKS))
def test_a_setting_is_read_or_named(text: str) -> None:
    try:
        policy = AddressPolicy.from_setting(text)
    except ValueError:
        return
    assert all(host and (port is None or 0 <= port <= 65535) for host, port in policy.private)

"""The strict reader: what two readers could understand differently is refused."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.errors import ErrorCode
from renderer.egress.message import (
    Framing,
    MalformedError,
    read_request,
    read_response,
    write_refusal,
    write_request,
    write_response,
)
from runtime.errors import ServiceError


def head(*lines: str) -> bytes:
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def get(*fields: str, url: str = "http://a.example/") -> bytes:
    return head(f"GET {url} HTTP/1.1", *fields)


@pytest.mark.parametrize(
    "line",
    [
        *[
            "GET / HTTP/1.1",
            "GET https://a.example/ HTTP/1.1",
            "GET ftp://a.example/ HTTP/1.1",
            "GET //a.example/ HTTP/1.1",
        ],
        *["GET http://a.example/#f HTTP/1.1", "GET http:///x HTTP/1.1", "GET http://u@a.example/ HTTP/1.1"],
        *[
            "GET http://a.example\\@10.0.0.5/ HTTP/1.1",
            "GET http://a.example:99999/ HTTP/1.1",
            "GET http://a.example:/ HTTP/1.1",
        ],
        *[
            "GET  http://a.example/ HTTP/1.1",
            "GET http://a.example/ HTTP/2.0",
            "GET http://a.example/",
            "get http://a.example/ HTTP/1.1",
        ],
        *["GET http://a.example/ x HTTP/1.1", "GET http://[::1%25lo]/ HTTP/1.1", "GET http://%61.example/ HTTP/1.1"],
        *["TRACE http://a.example/ HTTP/1.1", "PROPFIND http://a.example/ HTTP/1.1", "OPTIONS * HTTP/1.1", " ", ""],
        *["CONNECT a.example HTTP/1.1", "CONNECT a@b:443 HTTP/1.1", "CONNECT http://a.example:443 HTTP/1.1"],
        *[
            "CONNECT a.example:443/ HTTP/1.1",
            "CONNECT ::1:443 HTTP/1.1",
            "CONNECT a.example:x HTTP/1.1",
            "CONNECT :443 HTTP/1.1",
        ],
        *["CONNECT a.example:443:80 HTTP/1.1", f"CONNECT {'a.' * 150}b:443 HTTP/1.1", "CONNECT a\x00b:443 HTTP/1.1"],
        "GET http://a\xa0b.example/ HTTP/1.1",
    ],
)
def test_odd_request_lines_are_refused(line: str) -> None:
    with pytest.raises(MalformedError):
        read_request(head(line, "Host: a.example"))


@pytest.mark.parametrize(
    "fields",
    [
        ["Content-Length: 1", "Transfer-Encoding: chunked"],
        ["Content-Length: 1", "Content-Length: 1"],
        ["Content-Length: 1, 1"],
        ["Content-Length: +1"],
        ["Content-Length: -1"],
        ["Content-Length: 0x1"],
        ["Content-Length: "],
        ["Content-Length: 9999999999999999"],
        ["Transfer-Encoding: gzip, chunked"],
        ["Transfer-Encoding: chunked", "Transfer-Encoding: chunked"],
        ["Transfer-Encoding: identity"],
        ["Transfer-Encoding: xchunked"],
        ["Host: a.example", "Host: b.example"],
        ["Content-Length : 1"],
        [" folded"],
        ["No colon"],
        ["X: a\x00b"],
        ["X: a\nY: b"],
        ["X: a\rb"],
        ["X\x0b: a"],
        [": empty"],
    ],
)
def test_ambiguous_fields_are_refused(fields: list[str]) -> None:
    with pytest.raises(MalformedError):
        read_request(get(*fields))


def test_a_field_of_blanks_is_refused_in_no_time() -> None:
    # A reader that tries every split of the blanks would need minutes.
    with pytest.raises(MalformedError):
        read_request(get("X:" + " " * 60_000 + "\x01"))


def test_chunks_need_a_version_that_knows_them_and_tunnels_have_no_body() -> None:
    with pytest.raises(MalformedError):
        read_request(head("POST http://a.example/ HTTP/1.0", "Transfer-Encoding: chunked"))
    with pytest.raises(MalformedError):
        read_request(head("CONNECT a.example:443 HTTP/1.1", "Content-Length: 5"))


@pytest.mark.parametrize(
    ("line", "host", "port", "path"),
    [
        ("GET http://a.example HTTP/1.1", "a.example", 80, "/"),
        ("GET http://A.example?q=a\\b HTTP/1.1", "a.example", 80, "/?q=a\\b"),
        ("GET http://a.example:8080/x//y HTTP/1.1", "a.example", 8080, "/x//y"),
        ("GET http://127.1/ HTTP/1.1", "127.0.0.1", 80, "/"),
        ("GET http://[0:0::1]:81/ HTTP/1.1", "::1", 81, "/"),
        ("CONNECT a.example:443 HTTP/1.1", "a.example", 443, ""),
        ("CONNECT a.example:80 HTTP/1.1", "a.example", 80, ""),
        ("CONNECT 2130706433:443 HTTP/1.1", "127.0.0.1", 443, ""),
        ("CONNECT [::1]:443 HTTP/1.0", "::1", 443, ""),
    ],
)
def test_the_destination_is_canonical(line: str, host: str, port: int, path: str) -> None:
    request = read_request(head(line))
    assert (request.host, request.port, request.path) == (host, port, path)


def test_a_long_address_is_no_reason_to_refuse_a_sub_resource() -> None:
    path = "/?" + "a" * 10_000
    assert read_request(get(url=f"http://a.example{path}")).path == path


def test_host_is_rewritten_and_hop_by_hop_fields_go() -> None:
    fields = ["Host: other.example", "Connection: keep-alive, X-Private, Content-Length, Host", "X-Private: 1"]
    fields += ["Proxy-Connection: keep-alive", "Proxy-Authorization: Basic abc", "Keep-Alive: 5", "TE: trailers"]
    request = read_request(
        get(*fields, "Upgrade: h2c", "Content-Length: 3", "Accept: */*", url="http://a.example:81/x?y")
    )
    assert write_request(request) == head("GET /x?y HTTP/1.1", "Host: a.example:81", "Content-Length: 3", "Accept: */*")
    assert (request.body.length, request.upgrade, request.persistent) == (3, False, True)


@pytest.mark.parametrize(
    ("url", "host"),
    [("http://a.example:80/", "a.example"), ("http://[::1]/", "[::1]"), ("http://[::1]:81/", "[::1]:81")],
)
def test_host_is_written_as_a_browser_writes_it(url: str, host: str) -> None:
    assert f"\r\nHost: {host}\r\n".encode() in write_request(read_request(get(url=url)))


@pytest.mark.parametrize(
    ("fields", "persistent"),
    [
        ([], True),
        (["Connection: close"], False),
        (["Proxy-Connection: Close"], False),
        (["Connection: x, close"], False),
    ],
)
def test_a_connection_is_kept_unless_the_browser_says_otherwise(fields: list[str], persistent: bool) -> None:  # noqa: FBT001  # a column of the table
    assert read_request(get(*fields)).persistent is persistent


@pytest.mark.parametrize(
    "lines",
    [
        ["HTTP/1.1 200 OK", "Content-Length: 1", "Content-Length: 2"],
        ["HTTP/1.1 200 OK", "Content-Length: x"],
        ["HTTP/1.1 200 OK", "Transfer-Encoding: gzip, chunked"],
        ["HTTP/1.1 200 OK", "Transfer-Encoding: chunked", "Transfer-Encoding: chunked"],
        ["HTTP/1.1 20 OK"],
        ["HTTP/2 200 OK"],
        ["ICY 200 OK"],
        ["HTTP/1.1 200 OK", "broken line"],
    ],
)
def test_ambiguous_answers_are_refused(lines: list[str]) -> None:
    with pytest.raises(MalformedError):
        read_response(head(*lines), "GET")


@pytest.mark.parametrize(
    ("lines", "method", "framing", "length", "persistent"),
    [
        (["HTTP/1.1 200 OK", "Content-Length: 5"], "GET", Framing.LENGTH, 5, True),
        (["HTTP/1.1 200 OK", "Content-Length: 5", "Content-Length: 5"], "GET", Framing.LENGTH, 5, True),
        (["HTTP/1.1 200", "Content-Length: 5", "Connection: close"], "GET", Framing.LENGTH, 5, False),
        (["HTTP/1.0 200 OK", "Content-Length: 5"], "GET", Framing.LENGTH, 5, False),
        (["HTTP/1.1 200 OK", "Transfer-Encoding: Chunked"], "GET", Framing.CHUNKED, 0, True),
        (["HTTP/1.1 200 OK", "Transfer-Encoding: chunked", "Content-Length: 5"], "GET", Framing.CHUNKED, 0, False),
        (["HTTP/1.1 200 OK"], "GET", Framing.UNTIL_CLOSE, 0, False),
        (["HTTP/1.1 200 OK", "Content-Length: 5"], "HEAD", Framing.LENGTH, 0, True),
        (["HTTP/1.1 304 Not Modified", "Content-Length: 5"], "GET", Framing.LENGTH, 0, True),
        (["HTTP/1.1 204 No Content"], "GET", Framing.LENGTH, 0, True),
    ],
)
def test_the_end_of_an_answer_is_found(
    lines: list[str],
    method: str,
    framing: Framing,
    length: int,
    persistent: bool,  # noqa: FBT001  # a column of the table
) -> None:
    response = read_response(head(*lines), method)
    assert (response.body.framing, response.body.length, response.persistent) == (framing, length, persistent)


def test_a_site_cannot_speak_as_the_proxy() -> None:
    lines = ["X-Egress-Refused: url_forbidden", "Proxy-Authenticate: Basic", "Set-Cookie: a=1", "Set-Cookie: b=2"]
    response = read_response(
        head("HTTP/1.1 200 Fine", *lines, "Transfer-Encoding: chunked", "Content-Length: 9"), "GET"
    )
    expected = ["Set-Cookie: a=1", "Set-Cookie: b=2", "transfer-encoding: chunked", "Connection: close"]
    assert write_response(response, keep=False) == head("HTTP/1.1 200 Fine", *expected)


@pytest.mark.parametrize(
    ("code", "status"),
    [
        (ErrorCode.URL_FORBIDDEN, 403),
        (ErrorCode.TARGET_TOO_LARGE, 403),
        (ErrorCode.INVALID_REQUEST, 400),
        (ErrorCode.TARGET_DNS, 502),
        (ErrorCode.TARGET_REFUSED, 502),
        (ErrorCode.TARGET_TIMEOUT, 504),
    ],
)
def test_a_refusal_names_its_code_and_keeps_its_reason(code: ErrorCode, status: int) -> None:
    text = write_refusal(ServiceError(code, "Not ⟨this⟩.", reason="10.0.0.5")).decode()
    assert text.startswith(f"HTTP/1.1 {status} ")
    assert f"\r\nx-egress-refused: {code.value}\r\n" in text
    assert text.endswith("\r\n\r\nNot ⟨this⟩.\n")
    assert "10.0.0.5" not in text


@settings(deadline=None)
@given(
    st.binary(max_size=200),
    st.sampled_from([b"GET http://a.example/ HTTP/1.1\r\n", b"CONNECT ", b"HTTP/1.1 200 ", b""]),
)
def test_any_bytes_are_read_or_malformed(noise: bytes, start: bytes) -> None:
    for read in (read_request, lambda data: read_response(data, "GET")):
        try:
            read(start + noise + b"\r\n\r\n")
        except MalformedError:
            continue

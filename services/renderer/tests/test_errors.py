import pytest

from contracts.errors import ErrorCode
from renderer import errors


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("net::ERR_NAME_NOT_RESOLVED", ErrorCode.TARGET_DNS),
        ("net::ERR_CONNECTION_REFUSED", ErrorCode.TARGET_REFUSED),
        ("net::ERR_EMPTY_RESPONSE", ErrorCode.TARGET_REFUSED),
        ("net::ERR_CERT_DATE_INVALID", ErrorCode.TARGET_TLS),
        ("net::ERR_SSL_PROTOCOL_ERROR", ErrorCode.TARGET_TLS),
        ("net::ERR_CONNECTION_TIMED_OUT", ErrorCode.TARGET_TIMEOUT),
        ("net::ERR_TOO_MANY_REDIRECTS", ErrorCode.TARGET_REDIRECTS),
        ("net::ERR_UNSAFE_REDIRECT", ErrorCode.URL_FORBIDDEN),
        ("net::ERR_HTTP_RESPONSE_CODE_FAILURE", ErrorCode.TARGET_STATUS),
        ("net::ERR_PROXY_CONNECTION_FAILED", ErrorCode.UNAVAILABLE),
        ("something else", ErrorCode.BROWSER_FAILED),
    ],
)
def test_chromiums_errors(text: str, code: ErrorCode) -> None:
    error = errors.navigation(text, None)
    assert error.code is code
    assert "ERR_" not in error.detail
    assert text in error.reason


def test_the_way_out_knows_better() -> None:
    error = errors.navigation("net::ERR_TUNNEL_CONNECTION_FAILED", ErrorCode.URL_FORBIDDEN)
    assert error.code is ErrorCode.URL_FORBIDDEN


def test_an_unknown_refusal_is_still_a_refusal() -> None:
    assert errors.refused("target_dns").code is ErrorCode.TARGET_DNS
    assert errors.refused("nonsense").code is ErrorCode.URL_FORBIDDEN

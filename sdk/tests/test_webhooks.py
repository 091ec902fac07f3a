"""Signatures: the published example, our own messages, and everything that must not pass."""

import base64
import hashlib
import hmac
import json

import pytest

from cro_analyzer import SignatureError, verify_webhook

SECRET = "whsec_" + base64.b64encode(b"0123456789abcdef01234567").decode()
OLD = "whsec_" + base64.b64encode(b"the secret before this one").decode()
NOW = 1_800_000_000
EVENT = {"type": "analysis.succeeded", "event_id": "evt_1", "timestamp": "2026-11-21T12:00:31.250Z", "id": "an_1"}
BODY = json.dumps(EVENT).encode()


def signature(secret: str, body: bytes, at: int = NOW, name: str = "evt_1") -> str:
    key = base64.b64decode(secret.removeprefix("whsec_"))
    digest = hmac.new(key, f"{name}.{at}.".encode() + body, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}"


def headers(signed: str, at: int | str = NOW) -> dict[str, str]:
    return {"Webhook-Id": "evt_1", "webhook-timestamp": str(at), "WEBHOOK-SIGNATURE": signed}


def test_a_message_of_ours_is_read() -> None:
    event = verify_webhook(SECRET, headers(signature(SECRET, BODY)), BODY, now=NOW + 10)
    assert (event.type, event.event_id, event.data["id"]) == ("analysis.succeeded", "evt_1", "an_1")
    assert event.timestamp.year == 2026


def test_the_example_of_the_specification_has_a_good_signature() -> None:
    example = {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }
    with pytest.raises(SignatureError, match="is signed, but is no event"):
        verify_webhook("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", example, b'{"test": 2432232314}', now=1_614_265_330)


def test_while_secrets_change_one_signature_that_fits_is_enough() -> None:
    both = f"{signature(OLD, BODY)} {signature(SECRET, BODY)} v2,whatever"
    for secret in (SECRET, OLD, [OLD, SECRET]):
        assert verify_webhook(secret, headers(both), BODY, now=NOW).event_id == "evt_1"


@pytest.mark.parametrize(
    ("given", "body"),
    [
        (headers(signature(SECRET, BODY)), BODY + b" "),
        (headers(signature(OLD, BODY)), BODY),
        (headers(signature(SECRET, BODY, NOW - 1)), BODY),
        (headers(signature(SECRET, BODY, name="evt_2")), BODY),
        (headers(signature(SECRET, BODY).replace("v1,", "v2,")), BODY),
        (headers(""), BODY),
        (headers("é"), BODY),
        (headers(signature(SECRET, BODY), "soon"), BODY),
        ({}, BODY),
    ],
)
def test_what_is_not_to_be_trusted_is_refused(given: dict[str, str], body: bytes) -> None:
    with pytest.raises(SignatureError):
        verify_webhook(SECRET, given, body, now=NOW)


@pytest.mark.parametrize("late", [-301, 301])
def test_what_is_too_old_or_too_new_is_refused(late: int) -> None:
    signed = headers(signature(SECRET, BODY))
    with pytest.raises(SignatureError, match="clock"):
        verify_webhook(SECRET, signed, BODY, now=NOW + late)
    assert verify_webhook(SECRET, signed, BODY, now=NOW + late, tolerance_s=302).event_id == "evt_1"


def test_a_secret_that_is_none_is_named() -> None:
    with pytest.raises(SignatureError, match="whsec_"):
        verify_webhook("not base64!", headers(signature(SECRET, BODY)), BODY, now=NOW)

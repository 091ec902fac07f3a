"""Verifying messages of webhooks: the Standard Webhooks signature, with nothing but the standard library."""

import base64
import binascii
import hashlib
import hmac
import json
import time
from collections.abc import Mapping, Sequence
from datetime import datetime

from cro_analyzer.errors import SignatureError
from cro_analyzer.models.webhooks import WebhookEvent

TOLERANCE_S = 300.0
"""How old or early a message may be. Source: the Standard Webhooks specification 1.0.0."""

_PREFIX = "whsec_"
_VERSION = "v1,"


def verify(
    secret: str | Sequence[str],
    headers: Mapping[str, str],
    body: bytes,
    *,
    tolerance_s: float = TOLERANCE_S,
    now: float | None = None,
) -> WebhookEvent:
    """Return the event of a message, or raise `SignatureError`. Pass the body as it arrived, before parsing it.

    `secret`: `whsec_…`, or several of them while they change. `now`: seconds since 1970; missing: the present.
    """
    fields = {name.lower(): value for name, value in headers.items()}
    try:
        message_id, stamp = fields["webhook-id"], fields["webhook-timestamp"]
        signatures, sent_at = fields["webhook-signature"].split(" "), int(stamp)
    except (KeyError, ValueError) as exc:
        raise SignatureError(f"a header of the signature is missing or unreadable: {exc}") from exc
    if abs((time.time() if now is None else now) - sent_at) > tolerance_s:
        raise SignatureError("the message is too old, or from the future: is this machine's clock right?")
    signed = f"{message_id}.{stamp}.".encode() + body
    expected = [_signature(one, signed) for one in ([secret] if isinstance(secret, str) else secret)]
    fits = [hmac.compare_digest(ours.encode(), one.encode()) for ours in expected for one in signatures]
    if not any(fits):
        raise SignatureError("no signature of the message fits the secret")
    return _event(body)


def _signature(secret: str, signed: bytes) -> str:
    try:
        key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError) as exc:
        raise SignatureError("the secret is not one of ours: it begins with whsec_") from exc
    return _VERSION + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


def _event(body: bytes) -> WebhookEvent:
    try:
        data = json.loads(body)
        moment = datetime.fromisoformat(data["timestamp"])
        return WebhookEvent(type=str(data["type"]), event_id=str(data["event_id"]), timestamp=moment, data=data)
    except (ValueError, KeyError, TypeError) as exc:
        raise SignatureError("the message is signed, but is no event of ours") from exc

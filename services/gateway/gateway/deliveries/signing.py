"""Signatures by the Standard Webhooks specification 1.0.0, and how the secrets behind them are kept."""

import base64
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from standardwebhooks import Webhook

from contracts.errors import ErrorCode
from runtime.errors import ServiceError

_BYTES = 32
_PREFIX = "whsec_"
_WRAPPED = "fernet:"


def new_secret() -> str:
    """Return a new signing secret, `whsec_…`."""
    return _PREFIX + base64.b64encode(secrets.token_bytes(_BYTES)).decode()


class Wrapping:
    """Wraps secrets for the database. Without a key they are stored as they are: one file would guard both."""

    def __init__(self, keys: str) -> None:
        """Take Fernet keys with commas between: the first wraps, all unwrap. Raises `ValueError` for what is no key."""
        found = [Fernet(key.strip()) for key in keys.split(",") if key.strip()]
        self._fernet = MultiFernet(found) if found else None

    def wrap(self, secret: str) -> str:
        """Return what is stored."""
        return _WRAPPED + self._fernet.encrypt(secret.encode()).decode() if self._fernet else secret

    def unwrap(self, stored: str) -> str:
        """Return the secret. Raises `ServiceError` (internal) when no key opens it."""
        if not stored.startswith(_WRAPPED):
            return stored
        try:
            if self._fernet:
                return self._fernet.decrypt(stored.removeprefix(_WRAPPED)).decode()
        except InvalidToken:
            pass
        reason = "no key of WEBHOOK_SECRET_KEYS opens a signing secret"
        raise ServiceError(ErrorCode.INTERNAL, "Something failed on our side.", reason=reason)


def signed_headers(event_id: str, body: bytes, valid: Sequence[str], now: datetime | None = None) -> dict[str, str]:
    """Return the three headers of one attempt, with a signature for each secret that is valid."""
    # In UTC: the library takes the clock's face for UTC whatever its zone.
    moment = (now or datetime.now(UTC)).astimezone(UTC)
    text = body.decode("ascii")
    return {
        "webhook-id": event_id,
        "webhook-timestamp": str(int(moment.timestamp())),
        "webhook-signature": " ".join(Webhook(secret).sign(event_id, moment, text) for secret in valid),
    }

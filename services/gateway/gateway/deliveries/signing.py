"""Signatures by the Standard Webhooks specification 1.0.0, and how the secrets behind them are kept."""

import base64
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from standardwebhooks import Webhook

from contracts.errors import ErrorCode
from gateway.settings import GatewaySettings
from runtime.errors import ServiceError

_BYTES = 32
_PREFIX = "whsec_"
_WRAPPED = "fernet:"
_PURPOSE = b"cro-analyzer/webhook-secrets"


def new_secret() -> str:
    """Return a new signing secret, `whsec_…`."""
    return _PREFIX + base64.b64encode(secrets.token_bytes(_BYTES)).decode()


class Wrapping:
    """Wraps secrets for the database. Without a key they are stored as they are: one file would guard both."""

    def __init__(self, keys: Sequence[str | bytes]) -> None:
        """Take Fernet keys: the first wraps, all unwrap. Raises `ValueError` for what is no key."""
        self._fernets = [Fernet(key) for key in keys]

    def wrap(self, secret: str) -> str:
        """Return what is stored."""
        return _WRAPPED + self._fernets[0].encrypt(secret.encode()).decode() if self._fernets else secret

    def unwrap(self, stored: str) -> str:
        """Return the secret. Raises `ServiceError` (internal) when no key opens it."""
        if not stored.startswith(_WRAPPED):
            return stored
        try:
            if self._fernets:
                return MultiFernet(self._fernets).decrypt(stored.removeprefix(_WRAPPED)).decode()
        except InvalidToken:
            pass
        reason = "neither WEBHOOK_SECRET_KEYS nor API_KEY_PEPPER opens a signing secret"
        raise ServiceError(ErrorCode.INTERNAL, "Something failed on our side.", reason=reason)

    def renewed(self, stored: str) -> str | None:
        """Return the same secret under the first key; None: it is, or nothing here opens it."""
        if not self._fernets or self._is_new(stored):
            return None
        try:
            return self.wrap(self.unwrap(stored))
        except ServiceError:
            return None

    def _is_new(self, stored: str) -> bool:
        if not stored.startswith(_WRAPPED):
            return False
        try:
            self._fernets[0].decrypt(stored.removeprefix(_WRAPPED))
        except InvalidToken:
            return False
        return True


def wrapping(settings: GatewaySettings) -> Wrapping:
    """Return what the operator has chosen: WEBHOOK_SECRET_KEYS, then keys made from the peppers of API keys.

    So wherever callers need keys, secrets are wrapped; on a machine of one's own without either they are not.
    """
    named = [key.strip() for key in settings.webhook_secret_keys.split(",") if key.strip()]
    return Wrapping([*named, *(_derived(pepper) for pepper in settings.peppers)])


def _derived(pepper: str) -> bytes:
    # A key of its own: who learns the one learns nothing of the other (RFC 5869).
    made = HKDF(SHA256(), length=_BYTES, salt=None, info=_PURPOSE).derive(pepper.encode())
    return base64.urlsafe_b64encode(made)


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

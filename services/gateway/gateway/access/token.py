"""API keys as text: made, checked for typing errors without a database, and turned into what is stored of them.

`cro_live_` + 30 characters of base 62 (178 bits) + `_` + CRC-32 of all before it as six characters of base 62.
"""

import hashlib
import hmac
import re
import secrets
import string
import zlib

_ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
_PREFIX = "cro_live_"
_SECRET_CHARS = 30
_CHECK_CHARS = 6
_SHOWN_CHARS = 4
_FORM = re.compile(rf"{_PREFIX}[0-9A-Za-z]{{{_SECRET_CHARS}}}_[0-9A-Za-z]{{{_CHECK_CHARS}}}", re.ASCII)


def mint() -> str:
    """Return a new key."""
    body = _PREFIX + "".join(secrets.choice(_ALPHABET) for _ in range(_SECRET_CHARS))
    return f"{body}_{_checksum(body)}"


def well_formed(token: str) -> bool:
    """Tell whether a text can be a key of ours: a typing error or a guess is seen without a look-up."""
    if not _FORM.fullmatch(token):
        return False
    body, _, check = token.rpartition("_")
    return hmac.compare_digest(check, _checksum(body))


def hint(token: str) -> str:
    """Return the beginning of a key, by which its owner knows it again."""
    return f"{token[: len(_PREFIX) + _SHOWN_CHARS]}…"


def digest(pepper: str, token: str) -> str:
    """Return what is stored of a key. A fast hash is enough: nobody guesses 178 bits."""
    return hmac.new(pepper.encode(), token.encode(), hashlib.sha256).hexdigest()


def _checksum(body: str) -> str:
    number, text = zlib.crc32(body.encode()), ""
    for _ in range(_CHECK_CHARS):
        number, rest = divmod(number, len(_ALPHABET))
        text = _ALPHABET[rest] + text
    return text

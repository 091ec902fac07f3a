"""URLs of a CloudFront distribution in front of the bucket, for people.

The form is Amazon's "canned policy": RSA with SHA-1 over one JSON statement, in base64 with `-_~` for `+=/`.
"""

import base64
import time
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.serialization import load_pem_private_key

_POLICY = '{{"Statement":[{{"Resource":"{url}","Condition":{{"DateLessThan":{{"AWS:EpochTime":{expires}}}}}}}]}}'
_SAFE = str.maketrans("+=/", "-_~")


@dataclass(frozen=True)
class Cdn:
    """One distribution and the key of one of its trusted key groups."""

    origin: str
    key_id: str
    key: RSAPrivateKey

    def link(self, path: str, lifetime: timedelta) -> str:
        """Sign the URL of `path` (no slash before it, characters of a key only) for `lifetime`."""
        url = f"{self.origin}/{path}"
        expires = int(time.time() + lifetime.total_seconds())
        policy = _POLICY.format(url=url, expires=expires).encode()
        # CloudFront knows no other hash for this form; what it protects is dead in minutes.
        signature = self.key.sign(policy, PKCS1v15(), SHA1())  # noqa: S303
        words = base64.b64encode(signature).decode().translate(_SAFE)
        return f"{url}?Expires={expires}&Signature={words}&Key-Pair-Id={self.key_id}"


def open_cdn(url: str, key_id: str, key_file: str) -> Cdn | None:
    """Return the distribution at `url`, or None without one. Raises `ValueError` for settings that cannot work."""
    if not url:
        return None
    parts = urlsplit(url)
    if parts.scheme != "https" or not parts.hostname or parts.path.strip("/") or parts.query or parts.username:
        raise ValueError("CDN_URL must be an origin such as https://d111111abcdef8.cloudfront.net.")
    if not key_id or not key_file:
        raise ValueError("CDN_URL needs CDN_KEY_ID and CDN_PRIVATE_KEY_FILE.")
    return Cdn(url.rstrip("/"), key_id, _key(Path(key_file)))


def _key(file: Path) -> RSAPrivateKey:
    try:
        key = load_pem_private_key(file.read_bytes(), password=None)
    except (OSError, TypeError, ValueError) as error:
        raise ValueError("CDN_PRIVATE_KEY_FILE must be a PEM file with an RSA key and no password.") from error
    if not isinstance(key, RSAPrivateKey):
        raise ValueError("CDN_PRIVATE_KEY_FILE must hold an RSA key: the links are signed with nothing else.")  # noqa: TRY004  # a setting's value is wrong, not a caller's type
    return key

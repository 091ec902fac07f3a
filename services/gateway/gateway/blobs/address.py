"""Where a bucket is: `s3://bucket/prefix?region=…&endpoint=…&public=…&addressing=path`."""

import re
from dataclasses import dataclass
from typing import Literal, cast, get_args
from urllib.parse import parse_qsl, urlsplit

Addressing = Literal["path", "virtual"]

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_PREFIX = re.compile(r"(?:[A-Za-z0-9_-]{1,64}/){0,4}")
_OPTIONS = frozenset({"region", "endpoint", "public", "addressing"})
_ANY_REGION = "us-east-1"
"""What servers other than AWS are signed for when nobody says: all of them accept it."""


@dataclass(frozen=True)
class Address:
    """A bucket, and how it is reached.

    `prefix` is empty or ends in a slash. `endpoint` is empty for AWS itself; `public` is where customers reach the same
    server, when that is another address. An empty `region` is left to the SDK.
    """

    bucket: str
    prefix: str = ""
    region: str = ""
    endpoint: str = ""
    public: str = ""
    addressing: Addressing = "virtual"


def parse(url: str) -> Address:
    """Read an `s3:` URL. Raises `ValueError`, which never quotes it: somebody may have put a password there."""
    parts = urlsplit(url)
    if parts.scheme != "s3" or not _BUCKET.fullmatch(parts.netloc):
        raise ValueError("BLOBS_URL must be s3://bucket/prefix?…; credentials do not belong there.")
    prefix = parts.path.strip("/")
    prefix = f"{prefix}/" if prefix else ""
    if not _PREFIX.fullmatch(prefix):
        raise ValueError("The prefix in BLOBS_URL may have letters, digits, _ and -, in up to four folders.")
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    if set(options) - _OPTIONS:
        raise ValueError(f"BLOBS_URL knows {', '.join(sorted(_OPTIONS))}, and no other option.")
    endpoint, public = (_origin(name, options.get(name, "")) for name in ("endpoint", "public"))
    region = options.get("region", "") or (_ANY_REGION if endpoint else "")
    return Address(parts.netloc, prefix, region, endpoint, public or endpoint, _addressing(options, parts.netloc))


def _origin(name: str, value: str) -> str:
    parts = urlsplit(value)
    if value and (parts.scheme not in {"http", "https"} or not parts.hostname or parts.path.strip("/") or parts.query):
        raise ValueError(f"{name} in BLOBS_URL must be an origin such as https://s3.example.")
    if parts.username is not None:
        raise ValueError("Credentials do not belong in BLOBS_URL.")
    return value.rstrip("/")


def _addressing(options: dict[str, str], bucket: str) -> Addressing:
    # A name with dots is no single label, so no certificate covers it; few servers but AWS answer to bucket names.
    usual: Addressing = "path" if options.get("endpoint") or "." in bucket else "virtual"
    asked = options.get("addressing", usual)
    for known in get_args(Addressing):
        if asked == known:
            return cast("Addressing", known)
    raise ValueError("addressing in BLOBS_URL must be path or virtual.")

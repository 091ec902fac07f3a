"""What makes two requests the same, and how old an answer may be."""

import hashlib
import json
from dataclasses import dataclass
from datetime import timedelta
from importlib.metadata import version

from gateway.jobs.states import Kind

DEFAULT_AGE_S = 86_400
MAX_AGE_S = 7 * 86_400

_RELEASE = version("cro-gateway")


@dataclass(frozen=True)
class Wish:
    """How old an answer may be. `refresh`: neither a stored nor a running one will do; `store`: keep it for others."""

    max_age: timedelta = timedelta(seconds=DEFAULT_AGE_S)
    refresh: bool = False
    store: bool = True


def cache_key(kind: Kind, url: str, options: object) -> str:
    """Return the name of everything that two requests must have in common besides the tenant."""
    document = json.dumps([_RELEASE, kind.value, url, options], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(document.encode("utf-8", "replace")).hexdigest()

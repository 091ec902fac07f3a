"""Where the files of one run are written."""

import re
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

_UNSAFE = re.compile(r"[^A-Za-z0-9.-]+")


def default_html(url: str, now: datetime) -> Path:
    """Return `reports/<host>-<path>-<time>.html` under the current folder."""
    parts = urlsplit(url)
    name = _UNSAFE.sub("-", f"{parts.netloc}{parts.path}").strip("-.")[:80] or "page"
    return Path("reports") / f"{name}-{now:%Y%m%d-%H%M%S}.html"


def write(path: Path, text: str) -> None:
    """Write `text`, making the folder; a failure leaves no half-written file. Raises `OSError`."""
    write_bytes(path, text.encode("utf-8"))


def write_bytes(path: Path, data: bytes) -> None:
    """Write `data`, making the folder; a failure leaves no half-written file. Raises `OSError`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.part")
    try:
        partial.write_bytes(data)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)

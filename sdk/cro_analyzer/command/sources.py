"""Files of URLs, read line by line: nothing grows with them."""

import csv
import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import cast

from cro_analyzer.asking import Entry
from cro_analyzer.command.endings import CommandEndedError

_NDJSON = frozenset({".ndjson", ".jsonl"})


@dataclass(frozen=True)
class Survey:
    """What a file holds: how many URLs, and a digest by which it is known again."""

    urls: int
    digest: str


def survey(path: Path) -> Survey:
    """Read a file once. Raises `CommandEndedError` where it cannot be read or holds no URL."""
    digest = hashlib.sha256()
    count = 0
    for entry in entries(path):
        digest.update(json.dumps(entry, sort_keys=True).encode())
        count += 1
    if not count:
        raise CommandEndedError(f"{path} holds no URL: one on each line, a CSV with a column `url`, or NDJSON")
    return Survey(count, digest.hexdigest())


def entries(path: Path, skip: int = 0) -> Iterator[str | Entry]:
    """Give the URLs of a file but for the first `skip`: CSV (column `url`, or the first), NDJSON, or one a line."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            kind = path.suffix.lower()
            read = _csv if kind == ".csv" else _ndjson if kind in _NDJSON else _plain
            yield from islice(read(file), skip, None)
    except OSError as exc:
        raise CommandEndedError(f"cannot read {path}: {exc.strerror}") from exc
    except UnicodeDecodeError as exc:
        raise CommandEndedError(f"{path} is not text in UTF-8") from exc
    except csv.Error as exc:
        raise CommandEndedError(f"{path} is no CSV: {exc}") from exc


def _plain(lines: Iterable[str]) -> Iterator[str | Entry]:
    for line in lines:
        text = line.strip()
        if text and not text.startswith("#"):
            yield text


def _csv(lines: Iterable[str]) -> Iterator[str | Entry]:
    column: int | None = None
    for row in csv.reader(lines):
        if column is None:
            names = [cell.strip().lower() for cell in row]
            column = names.index("url") if "url" in names else 0
            if "url" in names:
                continue
        cell = row[column].strip() if column < len(row) else ""
        if cell:
            yield cell


def _ndjson(lines: Iterable[str]) -> Iterator[str | Entry]:
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            found = json.loads(line)
        except ValueError as exc:
            raise CommandEndedError(f"line {number} is no JSON: a string, or an object with `url`") from exc
        if isinstance(found, str):
            yield found
        elif isinstance(found, dict) and isinstance(found.get("url"), str):
            yield cast("Entry", found)
        else:
            raise CommandEndedError(f"line {number} has no `url`")

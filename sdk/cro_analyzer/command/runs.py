"""A batch run on disk: what was written and where to go on, changed together, so that no line is lost or doubled."""

import json
import os
import shutil
import sys
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from cro_analyzer.command.endings import CommandEndedError
from cro_analyzer.models.batches import BatchResult, Bookmark

if sys.platform != "win32":
    import fcntl

_VERSION = 1


@dataclass(frozen=True)
class State:
    """Where a run is. `written`: bytes of the results file that hold; what is behind them is of a broken write.

    `order`: what was asked, by which the same command is known. `part`: batches that are wholly written.
    """

    order: dict[str, object]
    urls: int
    part_size: int
    run_id: str = field(default_factory=lambda: uuid.uuid4().hex)
    version: int = _VERSION
    part: int = 0
    batch_id: str = ""
    cursor: str | None = None
    told: list[int] = field(default_factory=list)
    written: int = 0
    seconds: float = 0
    counts: dict[str, int] = field(default_factory=dict)
    failures: dict[str, int] = field(default_factory=dict)
    cost: str = "0"

    @property
    def lines(self) -> int:
        """How many URLs have their line."""
        return sum(self.counts.values())

    @property
    def bookmark(self) -> Bookmark:
        """Where to go on in the batch."""
        return Bookmark(self.cursor, frozenset(self.told))

    def counted(self, results: Iterable[BatchResult]) -> "State":
        """Return the state with these results counted."""
        counts, failures = Counter(self.counts), Counter(self.failures)
        for one in results:
            counts[one.status] += 1
            if one.error is not None:
                failures[one.error.code] += 1
        return replace(self, counts=dict(counts), failures=dict(failures))

    def at(self, bookmark: Bookmark) -> "State":
        """Return the state at another place of its batch."""
        return replace(self, cursor=bookmark.cursor, told=sorted(bookmark.told))


def folder_of(out: Path) -> Path:
    """Return where a run keeps what it needs to go on: beside its results."""
    return out.with_name(f"{out.name}.run")


def known(out: Path) -> State | None:
    """Return the state of a run that is not finished. Raises `CommandEndedError` where it cannot be read."""
    path = folder_of(out) / "state.json"
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        return State(**document)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError) as exc:
        text = f"{path} cannot be read: remove {folder_of(out)} and {out} to begin anew"
        raise CommandEndedError(text) from exc


class Run:
    """A run that is held: nobody else writes its files meanwhile."""

    def __init__(self, out: Path, state: State) -> None:
        """Hold it through `held`."""
        self.out = out
        self.state = state

    @property
    def platform_folder(self) -> Path:
        """Where a platform of its own keeps its database and files."""
        return folder_of(self.out).absolute() / "platform"

    def write(self, lines: Iterable[str], state: State) -> None:
        """Append lines and make `state` the present one, both or neither, even when the power fails in between."""
        data = "".join(f"{line}\n" for line in lines).encode()
        if data:
            with self.out.open("r+b" if self.out.exists() else "w+b") as file:
                file.seek(self.state.written)
                file.truncate()
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
        self._save(replace(state, written=self.state.written + len(data)))

    def finish(self) -> None:
        """Forget all but the results."""
        shutil.rmtree(folder_of(self.out), ignore_errors=True)

    def _save(self, state: State) -> None:
        path = folder_of(self.out) / "state.json"
        beside = path.with_suffix(".new")
        with beside.open("w", encoding="utf-8") as file:
            json.dump(asdict(state), file)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
        self.state = state


@contextmanager
def held(out: Path, fresh: State) -> Iterator[Run]:
    """Hold the run of a results file: the one that was interrupted, or a new one. Raises `CommandEndedError`."""
    before = known(out)
    if before is None and out.exists() and out.stat().st_size:
        raise CommandEndedError(f"{out} is there already, and no run of it is unfinished: choose another --out")
    if before is not None and (before.order != fresh.order or before.version != _VERSION):
        text = f"{out} belongs to a run with another file or other options: give the same, or choose another --out"
        raise CommandEndedError(text)
    folder = folder_of(out)
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        _lock(lock.fileno(), out)
        run = Run(out, before or fresh)
        if before is None:
            run.write([], fresh)
        yield run


def _lock(descriptor: int, out: Path) -> None:
    # Where there are no such locks, two runs of one file at once are the caller's to avoid.
    if sys.platform != "win32":
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as exc:
            raise CommandEndedError(f"another command is writing {out} right now") from exc

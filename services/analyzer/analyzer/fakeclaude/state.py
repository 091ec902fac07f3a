"""What the fake remembers between requests: its log, its script, its prompt cache, files, batches and limits."""

import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field

from analyzer.fakeclaude.limits import LIMITS, Window
from analyzer.fakeclaude.scenarios import Scenario, parse
from analyzer.fakeclaude.tokens import PromptCache
from analyzer.fakeclaude.wire import Json

_LOG_ENTRIES = 2_000


@dataclass(frozen=True)
class StoredFile:
    """An uploaded file; times are seconds of the fake's clock."""

    document: Json
    content: bytes
    expires_s: float | None


@dataclass
class StoredBatch:
    """A batch: its document without what time changes, and one result line for each request."""

    document: Json
    results: list[Json]
    created_s: float
    ends_s: float
    cancelled_s: float | None = None


@dataclass
class State:
    """Everything that changes. `clock` gives seconds and drives cache expiry, limit resets, files and batches.

    `latency_s` is how long every message takes, `batch_s` how long a batch does, `default` the scenario of a request
    that names none, and `by_key` the scenario of every request with a key.
    """

    clock: Callable[[], float] = time.time
    limits: dict[str, int] = field(default_factory=lambda: dict(LIMITS))
    latency_s: float = 0.0
    batch_s: float = 0.0
    default: str = "ok"
    by_key: dict[str, str] = field(default_factory=dict)
    log: deque[Json] = field(default_factory=lambda: deque(maxlen=_LOG_ENTRIES))
    script: deque[str] = field(default_factory=deque)
    cache: PromptCache = field(default_factory=PromptCache)
    met: Counter[str] = field(default_factory=Counter)
    windows: dict[str, Window] = field(default_factory=dict)
    files: dict[str, StoredFile] = field(default_factory=dict)
    batches: dict[str, StoredBatch] = field(default_factory=dict)
    served: int = 0

    def reset(self) -> None:
        """Forget everything that was received, and every wish about what comes."""
        for part in (self.log, self.script, self.met, self.windows, self.by_key, self.files, self.batches):
            part.clear()
        self.cache = PromptCache()
        self.limits = dict(LIMITS)
        self.served = 0
        self.latency_s = self.batch_s = 0.0
        self.default = "ok"

    def next_id(self, prefix: str) -> str:
        """Return an identifier that is the same in every run."""
        self.served += 1
        return f"{prefix}_fake{self.served:016d}"

    def window(self, key: str) -> Window:
        """Return a key's present minute."""
        now = self.clock()
        known = self.windows.get(key)
        if known is None or now >= known.reset_s:
            known = self.windows[key] = Window(now)
        return known

    def scenario(self, key: str, *specs: str) -> Scenario:
        """Choose the next request's scenario: the script's next line, else its key's, else the first of `specs`."""
        wishes = (self.by_key.get(key, ""), *specs, self.default)
        spec = self.script.popleft() if self.script else next(filter(None, wishes), "ok")
        chosen = parse(spec)
        self.met[spec] += 1
        return Scenario() if chosen.times and self.met[spec] > chosen.times else chosen

"""What the fake remembers between requests: its log, its script and its prompt cache."""

import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field

from analyzer.fakeclaude.scenarios import Scenario, parse
from analyzer.fakeclaude.tokens import PromptCache
from analyzer.fakeclaude.wire import Json

LIMITS = {"requests": 1_000, "tokens": 600_000, "input-tokens": 500_000, "output-tokens": 100_000}
"""Per minute, as the first paid tier of the large models has them."""
_LOG_ENTRIES = 1_000


@dataclass
class State:
    """Everything that changes. `clock` gives seconds and drives cache expiry and limit resets."""

    clock: Callable[[], float] = time.time
    log: deque[Json] = field(default_factory=lambda: deque(maxlen=_LOG_ENTRIES))
    script: deque[str] = field(default_factory=deque)
    cache: PromptCache = field(default_factory=PromptCache)
    met: Counter[str] = field(default_factory=Counter)
    spent: Counter[str] = field(default_factory=Counter)
    served: int = 0

    def reset(self) -> None:
        """Forget everything."""
        for part in (self.log, self.script, self.met, self.spent):
            part.clear()
        self.cache = PromptCache()
        self.served = 0

    def next_id(self, prefix: str) -> str:
        """Return an identifier that is the same in every run."""
        self.served += 1
        return f"{prefix}_fake{self.served:016d}"

    def scenario(self, *specs: str) -> Scenario:
        """Choose the next request's scenario: the script's next line, else the first of `specs` that is not empty."""
        spec = self.script.popleft() if self.script else next(filter(None, specs), "ok")
        chosen = parse(spec)
        self.met[spec] += 1
        return Scenario() if chosen.times and self.met[spec] > chosen.times else chosen

    def spend(self, usage: Json) -> None:
        """Take a message's tokens off the limits."""
        taken = usage["input_tokens"] + usage["cache_creation_input_tokens"]
        self.spent.update({"tokens": taken + usage["output_tokens"], "input-tokens": taken})
        self.spent.update({"output-tokens": usage["output_tokens"]})

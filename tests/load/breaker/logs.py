"""What the processes complained of, by kind."""

import json
from collections import Counter

from tests.load.breaker.cluster import Cluster

_LOUD = frozenset({"error", "critical"})


def complaints(here: Cluster) -> list[str]:
    """Return each error that was logged, with its count and the first of its kind's reason."""
    found: Counter[str] = Counter()
    for one in here.members:
        for line in one.log.read_text(errors="replace").splitlines():
            found.update(_kind(one.role, line))
    return [f"{count} × {what}" for what, count in found.most_common()]


def _kind(role: str, line: str) -> list[str]:
    try:
        event = json.loads(line)
    except ValueError:
        return [f"{role}: {line[:120]}"] if line.startswith(("Traceback", "Task exception", "Exception")) else []
    if not isinstance(event, dict) or event.get("level") not in _LOUD:
        return []
    cause = str(event.get("exception", "")).strip().rpartition("\n")[2][:120]
    return [f"{role}: {event.get('event')} {cause}".replace("|", "/")]

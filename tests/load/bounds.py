"""What a suite measured beside what it promised, as a table."""

from dataclasses import dataclass, field

import psutil


def p95(seconds: list[float]) -> float:
    """Return the 95th percentile; 0 for nothing."""
    return sorted(seconds)[int(len(seconds) * 0.95) - 1] if seconds else 0.0


@dataclass
class Report:
    """Lines for a reader, and whether every bound held."""

    title: str
    rows: list[tuple[str, str, str, str]] = field(default_factory=list)
    broken: int = 0

    def note(self, what: str, value: str) -> None:
        """Add a figure that promises nothing."""
        self.rows.append((what, value, "", ""))

    def bound(self, what: str, value: str, promise: str, kept: bool) -> None:  # noqa: FBT001  # a row's last cell
        """Add a figure and whether it keeps its promise."""
        self.broken += not kept
        self.rows.append((what, value, promise, "yes" if kept else "NO"))

    def print(self) -> None:
        """Print the table in Markdown."""
        load = psutil.getloadavg()[0]
        print(f"### {self.title}\n\n{psutil.cpu_count()} CPUs, load average {load:.1f} at the end\n")
        print("| figure | measured | promised | kept |\n|---|---|---|---|")
        for row in self.rows:
            print(f"| {' | '.join(row)} |")
        print(flush=True)

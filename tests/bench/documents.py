"""What it costs to turn a page into each of its forms, in CPU time: `python -m tests.bench documents`."""

import time
from collections.abc import Callable

from contracts.outputs import DocumentKind
from renderer import documents
from tests.fixtures import pages

BASE = "https://site.test/"
SIZE = 100_000
ROUNDS = 20
_LONG = "<p>Fair <b>prices</b>, honest <a href='/photos'>photographs</a> and delivery within two days.</p>"


def _cpu_ms(work: Callable[[], object], rounds: int) -> float:
    work()
    begun = time.process_time()
    for _ in range(rounds):
        work()
    return (time.process_time() - begun) / rounds * 1000


def _form(html: str, kind: DocumentKind) -> Callable[[], object]:
    return lambda: documents.piece(documents.read(html, BASE), kind)


def _row(name: str, html: str, rounds: int) -> str:
    def everything() -> None:
        document = documents.read(html, BASE)
        for kind in DocumentKind:
            documents.piece(document, kind)

    costs = [_cpu_ms(lambda: documents.read(html, BASE).parsed, rounds)]
    costs += [_cpu_ms(_form(html, kind), rounds) for kind in DocumentKind if kind is not DocumentKind.HTML]
    costs.append(_cpu_ms(everything, rounds))
    return f"| {name} | {len(html) // 1000} | {' | '.join(f'{cost:.1f}' for cost in costs)} |"


def report() -> list[str]:
    """Measure a real page, 100 KB of it, 10 MB of prose, and markup that is made to hurt."""
    real = (pages.fetch("agency") / "index.html").read_text(encoding="utf-8")
    rows = [
        _row("landing page", real, ROUNDS),
        _row("100 KB of it", (real * (SIZE // len(real) + 1))[:SIZE], ROUNDS),
        _row("10 MB of prose", _LONG * (10_000_000 // len(_LONG)), 1),
        _row("100,000 nested elements", "<div>" * 100_000 + "x", 1),
    ]
    return [
        "### Documents: CPU milliseconds for each form, its parse included",
        "",
        "| page | KB | parse | markdown | text | links | metadata | all, one parse |",
        "|---|---|---|---|---|---|---|---|",
        *rows,
        "",
    ]

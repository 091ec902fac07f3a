"""Seeded pages through the real renderer and the rules: precision and recall of failures, and each wrong verdict."""

import asyncio
import random
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from analyzer import view
from analyzer.rules import engine
from analyzer.rules.policy import load
from analyzer.rules.registry import RULES
from contracts.facts import PageFacts
from contracts.result import Outcome
from evals.rendering import Studio, studio
from evals.seeds import Seed
from tests.fixtures import pages

_AT_ONCE = 3


@dataclass
class Tally:
    """How often `fail` was said and meant, over every rule on every page."""

    right: int = 0
    false_alarms: list[str] = field(default_factory=list)
    missed: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    verdicts: int = 0

    @property
    def precision(self) -> float:
        """Share of failures that are real."""
        said = self.right + len(self.false_alarms)
        return self.right / said if said else 1.0

    @property
    def recall(self) -> float:
        """Share of real failures that were found."""
        meant = self.right + len(self.missed)
        return self.right / meant if meant else 1.0


def noise(side: int) -> bytes:
    """Return a square PNG that cannot be compressed: three bytes a pixel."""
    source = random.Random(side)  # noqa: S311  # nothing secret
    rows = b"".join(b"\0" + source.randbytes(side * 3) for _ in range(side))

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows, 0)) + chunk(b"IEND", b"")


def furnish(root: Path) -> None:
    """Write the files that seeded pages load."""
    (root / "picture.png").write_bytes(noise(40))
    (root / "noise-450.png").write_bytes(noise(380))
    (root / "noise-1400.png").write_bytes(noise(700))
    dark = b"\x89PNG\r\n\x1a\n"
    (root / "dark.png").write_bytes(_plain(dark))
    (root / "there.html").write_text("<!doctype html><title>There</title><h1>There</h1>")
    for size in (2000, 3000, 5200):
        (root / f"weight-{size}.bin").write_bytes(bytes(size * 1000))


def _plain(start: bytes) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = (b"\0" + bytes((20, 20, 20)) * 40) * 40
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 40, 40, 8, 2, 0, 0, 0))
    return start + header + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def write(root: Path, seeds: Sequence[Seed]) -> list[str]:
    """Write the pages; return their paths. Each folder is one level deep, so that page types stay as they are."""
    paths = []
    for number, seed in enumerate(seeds):
        path = f"s{number}/{seed.file}" if "/" in seed.file else f"s{number}.html"
        place = root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(seed.template.html(), encoding="utf-8")
        paths.append(path)
    return paths


def outcomes(facts: PageFacts, seed: Seed) -> dict[str, Outcome]:
    """Apply every rule to one page in one viewport."""
    said = engine.run(RULES, view.build({seed.viewport: facts}), load())
    return {one.rule.id: engine.worst_of(one).outcome for one in said}


def count(tally: Tally, seed: Seed, found: dict[str, Outcome]) -> None:
    """Compare what was said of a page with what is known of it."""
    name = f"{seed.rule} [{seed.name}]"
    for rule, outcome in found.items():
        tally.verdicts += 1
        meant = seed.expected if rule == seed.rule else Outcome.PASS
        if rule == seed.rule and outcome is not seed.expected:
            tally.wrong.append(f"{name}: {outcome} instead of {seed.expected}")
        if outcome is Outcome.ERROR:
            tally.wrong.append(f"{name}: {rule} broke")
        if outcome is Outcome.FAIL and meant is Outcome.FAIL:
            tally.right += 1
        elif outcome is Outcome.FAIL and rule not in seed.also:
            tally.false_alarms.append(f"{name}: {rule} fails")
        elif meant is Outcome.FAIL and outcome is not Outcome.FAIL:
            tally.missed.append(name)


async def _one(studio: Studio, base: str, path: str, seed: Seed) -> dict[str, Outcome]:
    facts = await studio.facts(f"{base}/{path}", seed.viewport, seed.probes)
    return outcomes(facts, seed)


async def run(seeds: Sequence[Seed]) -> Tally:
    """Render and judge all pages."""
    tally, gate = Tally(), asyncio.Semaphore(_AT_ONCE)
    with TemporaryDirectory() as folder:
        root = Path(folder)
        furnish(root)
        paths = write(root, seeds)
        server = pages.serve(root)
        host = f"127.0.0.1:{server.server_port}"
        async with studio(host) as opened:

            async def judged(path: str, seed: Seed) -> None:
                async with gate:
                    count(tally, seed, await _one(opened, f"http://{host}", path, seed))

            await asyncio.gather(*(judged(path, seed) for path, seed in zip(paths, seeds, strict=True)))
        server.shutdown()
        server.server_close()
    return tally


def table(tally: Tally, seeds: Sequence[Seed]) -> list[str]:
    """Write what was counted, in Markdown."""
    counts = (tally.right, len(tally.false_alarms), len(tally.missed), len(tally.wrong))
    figures = [f"{tally.precision:.3f}", f"{tally.recall:.3f}", *map(str, counts)]
    lines = [
        "### Seeded pages",
        "",
        f"{len(seeds)} pages, {tally.verdicts} verdicts of {len(RULES)} rules.",
        "",
        "| precision of fail | recall of fail | right | false alarms | missed | target rule's outcome wrong |",
        "|---|---|---|---|---|---|",
        "| " + " | ".join(figures) + " |",
        "",
    ]
    for title, found in (("False alarms", tally.false_alarms), ("Missed", tally.missed), ("Wrong", tally.wrong)):
        lines += [f"{title}:", *(f"- {one}" for one in found), ""] if found else []
    return lines

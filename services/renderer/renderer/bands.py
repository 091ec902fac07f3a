"""Horizontal bands of a page: cut where nothing is, neither too low nor too tall."""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final

from contracts.geometry import Box
from renderer import raw
from renderer.blocks import MAX_PX, MIN_PX, Block
from renderer.raw import Object

MIN_BAND_PX: Final = 240
AIM_PX: Final = 1_200
CLEAR_PX: Final = 24
"""White space from which on readers see two things instead of one."""
OVERLAP_PX: Final = 80
_SNAP_PX: Final = 200
_SOLID_CAP, _REPEAT_CAP, _CELL_CAP = 4_000, 60, 300
_ROWS_KEPT, _ROWS_MIN = 2, 3


@dataclass(frozen=True)
class Band:
    """A part of the page from `top` to `bottom` with the blocks in it."""

    top: float
    bottom: float
    blocks: tuple[Block, ...] = ()
    part: int = 0
    sampled: str = ""

    @property
    def height(self) -> float:
        """Distance from top to bottom."""
        return self.bottom - self.top

    @property
    def main(self) -> Block | None:
        """The block that fills most of the band."""
        return max(self.blocks, key=lambda block: block.height, default=None)


class Solids:
    """Where text, images and controls are: cuts belong between them."""

    def __init__(self, spans: Iterable[tuple[float, float]]) -> None:
        """Join spans that touch."""
        self.spans: list[tuple[float, float]] = []
        for top, bottom in sorted(spans):
            if self.spans and top <= self.spans[-1][1]:
                self.spans[-1] = (self.spans[-1][0], max(bottom, self.spans[-1][1]))
            else:
                self.spans.append((top, bottom))
        self._tops = [top for top, _ in self.spans]

    @classmethod
    def of(cls, page: Object) -> "Solids":
        """Read the page's solids."""
        found = []
        for pair in raw.items(page.get("solids"), _SOLID_CAP):
            ends = [raw.number(end, 0) for end in raw.items(pair, 2)]
            if len(ends) == 2 and ends[1] > ends[0]:  # noqa: PLR2004  # a span has two ends
                found.append((ends[0], ends[1]))
        return cls(found)

    def across(self, y: float) -> tuple[float, float] | None:
        """Return the solid that a cut at `y` would hurt."""
        place = bisect_right(self._tops, y) - 1
        if place < 0:
            return None
        top, bottom = self.spans[place]
        return (top, bottom) if top + 2 < y < bottom - 2 else None

    def clear(self, top: float, bottom: float) -> list[tuple[float, float]]:
        """Return the empty spans between two heights."""
        edges = [(a, b) for a, b in self.spans if b > top and a < bottom]
        return [(before[1], after[0]) for before, after in pairwise(edges)]


def cover(blocks: Sequence[Block], solids: Solids, height: float) -> list[Band]:
    """Lay bands over the whole page, one for each block, cut where they hurt nothing."""
    bands: list[Band] = []
    for block in blocks:
        top = _snapped(block.top, solids) if bands else 0.0
        inside = bool(bands) and block.top < bands[-1].bottom and block.bottom <= bands[-1].bottom + MIN_BAND_PX / 4
        if top is None or inside or (bands and top <= bands[-1].top) or top >= height:
            bands[-1:] = [_joined(bands[-1], Band(bands[-1].bottom, block.bottom, (block,)))] if bands else []
            continue
        if bands:
            bands[-1] = replace(bands[-1], bottom=top)
        bands.append(Band(top, max(block.bottom, top), (block,)))
    if not bands:
        return [Band(0, height)] if height else []
    bands[-1] = replace(bands[-1], bottom=height)
    return bands


def _snapped(y: float, solids: Solids) -> float | None:
    hurt = solids.across(y)
    if hurt is None:
        return y
    nearest = min(hurt, key=lambda end: abs(end - y))
    return nearest if abs(nearest - y) <= _SNAP_PX else None


def _joined(first: Band, second: Band) -> Band:
    return Band(first.top, max(first.bottom, second.bottom), first.blocks + second.blocks)


def merge(bands: Sequence[Band]) -> list[Band]:
    """Join what is too low to be looked at alone with the neighbour that shares its background."""
    joined = list(bands)
    while len(joined) > 1:
        low = [at for at in range(len(joined)) if joined[at].height < MIN_BAND_PX and not _stands_out(joined, at)]
        if not low:
            break
        place = min(low, key=lambda at: joined[at].height)
        first = _partner(joined, place)
        joined[first : first + 2] = [_joined(joined[first], joined[first + 1])]
    return joined


def _stands_out(bands: Sequence[Band], place: int) -> bool:
    # A row of logos or a footer on a colour of its own is a part of its own; a bar at the top belongs to what follows.
    around = [bands[at] for at in (place - 1, place + 1) if 0 <= at < len(bands)]
    alone = all(_ground(band) != _ground(bands[place]) for band in around)
    return place > 0 and bands[place].height >= MIN_PX and alone


def _partner(bands: Sequence[Band], place: int) -> int:
    """Return the upper of the two bands to join."""
    if place == 0 or place == len(bands) - 1:
        return 0 if place == 0 else place - 1
    low, above, below = bands[place], bands[place - 1], bands[place + 1]
    if max(above.height, below.height) + low.height > MAX_PX:
        return place - 1 if above.height <= below.height else place
    same_above, same_below = _ground(above) == _ground(low), _ground(below) == _ground(low)
    if same_above != same_below:
        return place - 1 if same_above else place
    return place - 1 if above.height <= below.height else place


def _ground(band: Band) -> str:
    return band.main.ground if band.main else ""


def repeats(page: Object) -> list[list[Box]]:
    """Read the groups of boxes that look alike."""
    groups = []
    for group in raw.items(page.get("repeats"), _REPEAT_CAP):
        boxes = [box for cell in raw.items(group, _CELL_CAP) if (box := raw.box(cell))]
        if boxes:
            groups.append(boxes)
    return groups


def cut(band: Band, solids: Solids, groups: Sequence[Sequence[Box]]) -> list[Band]:
    """Cut a tall band: rows that repeat are left out after the second, then at white space, at last anywhere."""
    pieces: list[Band] = []
    rest: Band | None = band
    while rest is not None and rest.height > MAX_PX:
        piece, rest = _sample(rest, groups) or _cut_once(rest, solids)
        pieces.append(piece)
    if rest is not None:
        pieces.append(rest)
    return [replace(piece, part=number) for number, piece in enumerate(pieces)]


def _sample(band: Band, groups: Sequence[Sequence[Box]]) -> tuple[Band, Band | None] | None:
    inside = [
        group
        for group in groups
        if all(box.y >= band.top - 1 and box.y + box.height <= band.bottom + 1 for box in group)
    ]
    for group in sorted(inside, key=lambda boxes: -sum(box.width * box.height for box in boxes)):
        rows = _rows(group)
        if len(rows) < _ROWS_MIN:
            continue
        end = max(box.y + box.height for row in rows[:_ROWS_KEPT] for box in row)
        last = max(box.y + box.height for box in group)
        if last - end < band.height / 4 or end - band.top > MAX_PX:
            continue
        kept = sum(len(row) for row in rows[:_ROWS_KEPT])
        piece = replace(band, bottom=end, sampled=f"{kept} of {len(group)}")
        return piece, replace(band, top=last) if band.bottom - last >= MIN_BAND_PX else None
    return None


def _rows(group: Sequence[Box]) -> list[list[Box]]:
    rows: list[list[Box]] = []
    for box in sorted(group, key=lambda box: (box.y, box.x)):
        if rows and box.y < rows[-1][0].y + rows[-1][0].height / 2:
            rows[-1].append(box)
        else:
            rows.append([box])
    return rows


def _cut_once(band: Band, solids: Solids) -> tuple[Band, Band]:
    low, high = band.top + MIN_BAND_PX * 2, min(band.top + MAX_PX, band.bottom - MIN_BAND_PX)
    gaps = [gap for gap in solids.clear(band.top, band.bottom) if low <= (gap[0] + gap[1]) / 2 <= high]
    wide = [gap for gap in gaps if gap[1] - gap[0] >= CLEAR_PX] or gaps
    if not wide:
        at = band.top + MAX_PX - OVERLAP_PX
        return replace(band, bottom=at), replace(band, top=at - OVERLAP_PX)
    best = min(wide, key=lambda gap: abs((gap[0] + gap[1]) / 2 - band.top - AIM_PX) - 4 * min(gap[1] - gap[0], 150))
    at = round((best[0] + best[1]) / 2)
    return replace(band, bottom=at), replace(band, top=at)

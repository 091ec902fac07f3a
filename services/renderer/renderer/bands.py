"""Horizontal bands of a page: cut where nothing is, neither too low nor too tall."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final

from contracts.geometry import Box
from renderer import raw
from renderer.blocks import MAX_PX, MIN_PX, Block
from renderer.raw import Object
from renderer.rows import Span

MIN_BAND_PX: Final = 240
AIM_PX: Final = 1_200
CLEAR_PX: Final = 24
"""White space from which on readers see two things instead of one."""
OVERLAP_PX: Final = 80
_SNAP_PX: Final = 200
_REACH_PX, _EDGE_PX, _CARD_PX = 48, 4, 900
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


class Drawn:
    """Where the pixels show something that the document does not tell: waves, shadows, drawings."""

    def __init__(self, plain: Sequence[Span] = ()) -> None:
        """`plain` are the spans in which nothing is drawn, from top to bottom; without any, nothing is known."""
        self._plain = plain

    def across(self, y: float) -> bool:
        """Whether a cut at `y` would go through a drawing. Edges of a plain span are as good as the span."""
        return bool(self._plain) and not any(top - _EDGE_PX <= y <= bottom + _EDGE_PX for top, bottom in self._plain)

    def nearest(self, y: float) -> float | None:
        """Return the closest height within reach at which nothing is drawn."""
        ends = (min(max(y, top + _EDGE_PX), bottom - _EDGE_PX) for top, bottom in self._plain)
        best = min(ends, key=lambda end: abs(end - y), default=None)
        return best if best is not None and abs(best - y) <= _REACH_PX else None

    def gaps(self, top: float, bottom: float) -> list[Span]:
        """Return the plain spans between two heights."""
        return [span for span in self._plain if span[0] >= top and span[1] <= bottom]


def cover(blocks: Sequence[Block], solids: Solids, height: float, drawn: Drawn) -> list[Band]:
    """Lay bands over the whole page, one for each block, cut where they hurt nothing."""
    bands: list[Band] = []
    for block in blocks:
        top = _snapped(block.top, solids, drawn) if bands else 0.0
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


def _snapped(y: float, solids: Solids, drawn: Drawn) -> float | None:
    hurt = solids.across(y)
    if hurt is not None:
        nearest = min(hurt, key=lambda end: abs(end - y))
        return nearest if abs(nearest - y) <= _SNAP_PX else None
    if not drawn.across(y):
        return y
    clear = drawn.nearest(y)
    return clear if clear is not None and solids.across(clear) is None else y


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


def cut(band: Band, solids: Solids, groups: Sequence[Sequence[Box]], drawn: Drawn) -> list[Band]:
    """Cut a tall band: rows that repeat are left out after the second, then at white space, at last anywhere."""
    pieces: list[Band] = []
    rest: Band | None = band
    while rest is not None and rest.height > MAX_PX:
        piece, rest = _sample(rest, groups) or _cut_once(rest, solids, groups, drawn)
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


def _cut_once(band: Band, solids: Solids, groups: Sequence[Sequence[Box]], drawn: Drawn) -> tuple[Band, Band]:
    low, high = band.top + MIN_BAND_PX * 2, min(band.top + MAX_PX, band.bottom - MIN_BAND_PX)
    for gaps in _ways(band, solids, groups, drawn):
        if inside := [gap for gap in gaps if low <= (gap[0] + gap[1]) / 2 <= high]:
            best = min(
                inside, key=lambda gap: abs((gap[0] + gap[1]) / 2 - band.top - AIM_PX) - 4 * min(_width(gap), 150)
            )
            at = round((best[0] + best[1]) / 2)
            return replace(band, bottom=at), replace(band, top=at)
    at = round(band.top + MAX_PX - OVERLAP_PX)
    return replace(band, bottom=at), replace(band, top=at - OVERLAP_PX)


def _ways(band: Band, solids: Solids, groups: Sequence[Sequence[Box]], drawn: Drawn) -> Iterator[list[Span]]:
    """Where a band may be cut, the best way first: beside text, images, controls and cards, then through the latter."""
    yield [(y, y) for y in _seams(band.blocks) if solids.across(y) is None]
    gaps = solids.clear(band.top, band.bottom)
    cards = [box for group in groups for box in group if box.height <= _CARD_PX]
    whole = [gap for gap in gaps if not any(_crosses(box, sum(gap) / 2) for box in cards)]
    quiet = [gap for gap in whole if not drawn.across(sum(gap) / 2)]
    yield [gap for gap in quiet if _width(gap) >= CLEAR_PX]
    yield [gap for gap in whole if _width(gap) >= CLEAR_PX]
    yield whole
    ends = {box.y + box.height for box in cards}
    yield [(end, end) for end in sorted(ends) if not any(_crosses(box, end) for box in cards)]
    yield gaps
    yield [gap for gap in drawn.gaps(band.top, band.bottom) if _width(gap) >= CLEAR_PX]


def _seams(blocks: Sequence[Block]) -> list[float]:
    """Return the tops of tall boxes that lie upon each other: a photograph belongs to the words in its row."""
    tall = [kid for block in blocks for kid in block.kids if kid.height >= MIN_BAND_PX]
    if len(tall) == 1:
        return _seams(tall)
    return [kid.top for kid in tall[1:]]


def _crosses(box: Box, y: float) -> bool:
    return box.y + 2 < y < box.y + box.height - 2


def _width(gap: Span) -> float:
    return gap[1] - gap[0]

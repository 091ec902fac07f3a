"""The wide boxes of a page as a tree, and the ones among them that make a section each."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from renderer import raw
from renderer.raw import Object

BLOCK_CAP: Final = 800
MIN_PX: Final = 120
MAX_PX: Final = 1_900
"""Below the 2,000 px beyond which a model that is given many images scales them down."""
_PARTS: Final = frozenset({"header", "nav", "section", "article", "aside", "footer", "form"})
_PART_ROLES: Final = frozenset({"region", "banner", "contentinfo", "complementary", "navigation", "form", "search"})
_COVERS, _ROW_LIKE, _STACKED, _EDGES, _TALL_PX = 0.9, 3, 0.8, 0.98, 240


@dataclass
class Block:
    """A wide box. Lengths in CSS pixels of the page."""

    parent: int
    tag: str
    role: str
    words: str
    step: str
    top: float
    bottom: float
    width: float
    ground: str
    heading: str
    own_heads: int
    characters: int
    counts: dict[str, int]
    kids: list["Block"] = field(default_factory=list)
    path: str = ""

    @property
    def height(self) -> float:
        """Distance from top to bottom."""
        return self.bottom - self.top

    @property
    def is_part(self) -> bool:
        """Whether its author calls it a part of the page."""
        return self.tag in _PARTS or self.role in _PART_ROLES


COUNTS: Final = ("fields", "images", "heads", "quotes", "prices", "questions")


def tree(page: Object) -> list[Block]:
    """Read the page's blocks; return those that lie in no other."""
    blocks = [_block(row) for row in raw.rows(page.get("blocks"), BLOCK_CAP)]
    roots: list[Block] = []
    for place, block in enumerate(blocks):
        # Parents come first, so that a forged list cannot make a ring.
        above = blocks[block.parent] if 0 <= block.parent < place else None
        block.path = f"{above.path}>{block.step}" if above else block.step
        (above.kids if above else roots).append(block)
    return roots


def _block(row: Object) -> Block:
    box = raw.box(row.get("box"))
    return Block(
        parent=int(raw.number(row.get("parent"), -1)),
        tag=raw.token(row.get("tag")),
        role=raw.token(row.get("role")),
        words=raw.text(row.get("words"), 160),
        step=raw.text(row.get("step"), 120),
        top=box.y if box else 0,
        bottom=box.y + box.height if box else 0,
        width=box.width if box else 0,
        ground=raw.text(row.get("ground"), 8),
        heading=raw.text(row.get("heading"), 200),
        own_heads=raw.count(row.get("own_heads"), 1_000),
        characters=raw.count(row.get("characters")),
        counts={name: raw.count(row.get(name)) for name in COUNTS},
    )


def parts(roots: Sequence[Block]) -> list[Block]:
    """Return the blocks that make one section each, from top to bottom."""
    found: list[Block] = []
    waiting = list(roots)
    width = max((block.width for block in roots), default=0)
    while waiting:
        block = waiting.pop()
        if _is_leaf(block, width):
            found.append(block)
        else:
            waiting.extend(block.kids)
    return sorted(found, key=lambda block: (block.top, -block.height))


def _is_leaf(block: Block, page_width: float) -> bool:
    if not block.kids:
        return True
    if block.tag in {"html", "body", "main"} or (not block.is_part and _changes_ground(block, page_width)):
        return False
    if sum(kid.height for kid in block.kids) < block.height / 2 or _is_list(block.kids):
        return True
    if block.own_heads and block.height <= MAX_PX:
        return True
    headed = [kid for kid in block.kids if kid.is_part or kid.counts["heads"]]
    if len(headed) > 1 and block.tag not in {"form", "header", "footer"}:
        return False
    return block.is_part or not (_wraps(block) or _is_stack(block))


def _wraps(block: Block) -> bool:
    area = block.height * block.width
    if any(kid.height * kid.width >= _COVERS * area for kid in block.kids):
        return True
    # Beside a column for the menu, what is as tall as its parent is still all of the page.
    return block.height > MAX_PX and any(kid.height >= _COVERS * block.height for kid in block.kids)


def _is_stack(block: Block) -> bool:
    # Pages without headings and part elements: tall boxes upon each other, each with a name of its own.
    tall = [kid for kid in block.kids if kid.height >= MIN_PX]
    return block.height > MAX_PX and not block.own_heads and len({kid.step for kid in tall}) >= _ROW_LIKE


def _changes_ground(block: Block, page_width: float) -> bool:
    # Boxes from edge to edge, each on a colour of its own, are parts to the eye, though they have no names. Cards
    # have colours too, but margins as well.
    tall = [kid for kid in block.kids if kid.height >= _TALL_PX and kid.width >= _EDGES * page_width]
    filled = sum(kid.height for kid in tall) >= _STACKED * block.height
    return len(tall) > 1 and filled and len({kid.ground for kid in tall}) > 1


def _is_list(kids: Sequence[Block]) -> bool:
    # Cards stacked on a phone are one part, though each has a heading.
    heights = sorted(kid.height for kid in kids)
    if len(heights) < _ROW_LIKE or heights[0] < heights[-1] / 2:
        return False
    return len({kid.step for kid in kids}) == 1 and not kids[0].is_part

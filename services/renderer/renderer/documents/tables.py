"""Tables in Markdown, and tables that only lay a page out."""

from dataclasses import dataclass, field
from typing import Final

from renderer.documents.writing import Writer

MAX_NESTING: Final = 6
"""Tables within tables; what is deeper is written as text of the cell it is in."""

_MAX_COLUMNS: Final = 100


@dataclass
class Table:
    """A table while its cells are written; `outer` is where it will go."""

    owner: int
    outer: Writer
    rows: list[list[Writer]] = field(default_factory=list)
    cell: int = 0
    """The element whose content is being written; 0 between cells."""

    def begin(self, cell: int) -> Writer:
        """Return where the content of a cell goes."""
        self.cell = cell
        if not self.rows:
            self.rows.append([])
        self.rows[-1].append(Writer())
        return self.rows[-1][-1]

    def finish(self) -> None:
        """Write all rows: as a table where each cell is one line, else the cells one below the other."""
        if _tabular(self.rows):
            self.outer.block(_grid(self.rows))
            self.outer.rich = True
            return
        for cell in (cell for row in self.rows for cell in row):
            if cell.lines:
                self.outer.block(cell.lines)
                self.outer.rich |= cell.rich


def _tabular(rows: list[list[Writer]]) -> bool:
    filled = [row for row in rows if row]
    width = max(map(len, filled), default=0)
    simple = all(not cell.rich and cell.blocks <= 1 for row in filled for cell in row)
    return len(filled) > 1 and 1 < width <= _MAX_COLUMNS and simple


def _grid(rows: list[list[Writer]]) -> list[str]:
    texts = [[_text(cell) for cell in row] for row in rows if row]
    width = max(map(len, texts))
    lines = [f"| {' | '.join([*row, *[''] * (width - len(row))])} |" for row in texts]
    return [lines[0], f"|{' --- |' * width}", *lines[1:]]


def _text(cell: Writer) -> str:
    return " ".join(line.strip() for line in cell.lines).replace("|", "\\|")

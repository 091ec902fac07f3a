"""Markdown while it is written: spans that open and close inside blocks, and blocks inside lists and quotes."""

import re
from dataclasses import dataclass, field
from typing import Final

MAX_NESTING: Final = 12
"""Levels of lists and quotes; deeper ones are written as if they were at this one."""

BREAK: Final = "\x01"
_SPECIAL: Final = re.compile(r"[\\`*\[\]]|<(?=[A-Za-z/!?])|&(?=#?\w{1,32};)|(?<![^\W_])_|_(?![^\W_])|~(?=~)")
_FIRST: Final = re.compile(r"(#{1,6}|[-+]|={3,}|-{3,})(?=\s|$)|>|~~~|(\d{1,9})([.)])(?=\s|$)")
_SPACES: Final = re.compile(r" {2,}")
_BREAKS: Final = re.compile(rf"(?: *{BREAK})+ *")
_TICKS: Final = re.compile("`+")


@dataclass
class Span:
    """An open span: `before` and `after` are written around what is in it."""

    owner: int
    before: str = ""
    after: str = ""
    parts: list[str] = field(default_factory=list)


@dataclass
class Prefix:
    """What begins the lines of a list item or a quote: the first one, and the rest."""

    owner: int
    first: str
    rest: str
    used: bool = False


class Writer:
    """The blocks of one page, or of one cell of a table."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.lines: list[str] = []
        self.blocks = 0
        self.heading = 0
        self.gap = True
        self.rich = False
        """Whether there is anything that does not fit in one line of a table."""
        self._spans = [Span(0)]
        self._prefixes: list[Prefix] = []
        self._code = False

    @property
    def code(self) -> bool:
        """Whether a span of code is open: what is in it has no marks of its own."""
        return self._code

    def text(self, text: str) -> None:
        """Add text as it is shown."""
        self.raw(text if self._code else _SPECIAL.sub(r"\\\g<0>", text))

    def raw(self, text: str) -> None:
        """Add what is Markdown already."""
        self._spans[-1].parts.append(text)

    def open(self, owner: int, before: str, after: str) -> None:
        """Begin a span, unless one of its kind is open or nothing may begin here."""
        if not self._code and all(span.before != before for span in self._spans):
            self._spans.append(Span(owner, before, after))
            self._code = before == "`"

    def shut(self, owner: int) -> None:
        """End the span of that element, if it began one."""
        if self._spans[-1].owner == owner and len(self._spans) > 1:
            span = self._spans.pop()
            self.raw(_wrapped(span, "".join(span.parts)))
            self._code = False

    def push(self, owner: int, first: str, rest: str) -> None:
        """Begin a list item or a quote."""
        if len(self._prefixes) < MAX_NESTING:
            self._prefixes.append(Prefix(owner, first, rest))

    def pop(self, owner: int) -> None:
        """End it."""
        if self._prefixes and self._prefixes[-1].owner == owner:
            self._prefixes.pop()

    def flush(self) -> None:
        """Write what was collected as one block. Open spans close before it ends and open again in the next."""
        text = ""
        for span in reversed(self._spans):
            text = _wrapped(span, "".join(span.parts) + text)
            span.parts.clear()
        text = _SPACES.sub(" ", text).strip(f" {BREAK}")
        if not text:
            return
        if self.heading:
            self.rich = True
            self.block([f"{'#' * self.heading} {_BREAKS.sub(' ', text)}"])
        else:
            self.block([_FIRST.sub(_escaped, part, count=1) for part in _lines(text)])

    def block(self, lines: list[str]) -> None:
        """Write finished lines, apart from what is above them."""
        if self.lines and self.gap:
            self.lines.append(self._outer().rstrip())
        self.lines += [
            (self._prefix() + line).rstrip(" ") if not line.endswith("  ") else self._prefix() + line for line in lines
        ]
        self.gap = True
        self.blocks += 1

    def _outer(self) -> str:
        used: list[str] = []
        for prefix in self._prefixes:
            if not prefix.used:
                break
            used.append(prefix.rest)
        return "".join(used)

    def _prefix(self) -> str:
        begun = "".join(prefix.rest if prefix.used else prefix.first for prefix in self._prefixes)
        for prefix in self._prefixes:
            prefix.used = True
        return begun


def fenced(text: str, language: str) -> list[str]:
    """Return the lines of a block of code."""
    fence = "`" * max(3, 1 + max((len(run) for run in _TICKS.findall(text)), default=0))
    return [fence + language, *text.split("\n"), fence]


def _lines(text: str) -> list[str]:
    parts = _BREAKS.sub(BREAK, text).split(BREAK)
    return [part + "  " for part in parts[:-1]] + parts[-1:]


def _wrapped(span: Span, text: str) -> str:
    kernel = text.strip(f" {BREAK}")
    if not kernel or not span.before:
        return text if span.before != "[" else ""
    lead, _, tail = text.partition(kernel)
    if span.before == "`":
        ticks = "`" * (1 + max((len(run) for run in _TICKS.findall(kernel)), default=0))
        gap = " " if kernel.startswith("`") or kernel.endswith("`") else ""
        return f"{lead}{ticks}{gap}{kernel.replace(BREAK, ' ')}{gap}{ticks}{tail}"
    return f"{lead}{span.before}{kernel}{span.after}{tail}"


def _escaped(found: re.Match[str]) -> str:
    return f"{found[2]}\\{found[3]}" if found[2] else f"\\{found[0]}"

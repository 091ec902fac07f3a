"""A problem to put into words, and the words."""

import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from analyzer import primary
from analyzer.rules.rule import Proof, Rule, Scope, Verdict, rank
from analyzer.view import View
from contracts.facts import Element
from contracts.geometry import ViewportName
from contracts.result import Outcome, Reach

_LONGEST = 60
_PLACES = {Reach.BOTH: "on desktop and phone", Reach.DESKTOP: "on desktop", Reach.MOBILE: "on the phone"}


@dataclass(frozen=True)
class Words:
    """A finding's texts. `current` and `proposed` are exact values where there are any."""

    title: str
    description: str
    summary: str
    current: str = ""
    proposed: str = ""
    effort: Literal["small", "medium", "large"] = "small"
    hypothesis: str = ""


@dataclass(frozen=True)
class Problem:
    """One rule's problem of one variant in the viewports that show it, desktop first."""

    rule: Rule
    variant: str
    said: tuple[tuple[View, Verdict], ...]

    @property
    def verdict(self) -> Verdict:
        """The worst verdict; desktop's of equals."""
        return max((verdict for _, verdict in self.said), key=lambda verdict: rank(verdict.outcome))

    @property
    def view(self) -> View:
        """The viewport of the worst verdict."""
        return next(view for view, verdict in self.said if verdict is self.verdict)

    @property
    def fails(self) -> bool:
        """Whether the problem is beyond the rule's hard limit."""
        return self.verdict.outcome is Outcome.FAIL

    @property
    def reach(self) -> Reach:
        """Which visitors meet it."""
        if self.rule.scope is Scope.PAGE or len(self.said) > 1:
            return Reach.BOTH
        return Reach.MOBILE if self.said[0][0].name is ViewportName.MOBILE else Reach.DESKTOP

    @property
    def where(self) -> str:
        """The reach in words."""
        return _PLACES[self.reach]

    def where_said(self, detail: str) -> str:
        """The viewports whose verdict carries this detail, in words."""
        names = [view.name for view, verdict in self.said if verdict.detail == detail]
        return _PLACES[Reach.BOTH if len(names) > 1 else Reach(names[0].value)]

    @property
    def proof(self) -> Proof:
        """The first proof of the worst verdict."""
        return self.verdict.proofs[0]

    @property
    def element(self) -> Element:
        """The element of the first proof that has one."""
        return next(proof.element for proof in self.verdict.proofs if proof.element is not None)

    @property
    def name(self) -> str:
        """The first element's label in quotation marks."""
        return quoted(primary.label(self.element))

    @property
    def number(self) -> float:
        """The measured value as a number."""
        value = self.verdict.value
        return float(value) if isinstance(value, int | float) else 0

    def names(self, most: int = 3) -> str:
        """List what the proofs are about: captions, labels or file names, in quotation marks."""
        return listed(self._shown, most)

    @property
    def sole(self) -> bool:
        """Whether `names` lists a single name, which several elements may share."""
        return len(self._shown) == 1

    @property
    def _shown(self) -> list[str]:
        shown = (p.text or (primary.label(p.element) if p.element else "") for p in self.verdict.proofs)
        return list(dict.fromkeys(cleaned for text in shown if (cleaned := clean(text))))


Wording = Callable[[Problem], Words]


def clean(text: str) -> str:
    """Take control, zero-width and direction characters out of a page's text, and double spaces."""
    kept = "".join(" " if char in "\n\r\t" else char for char in text if char in "\n\r\t" or _printable(char))
    return " ".join(kept.split())


def _printable(char: str) -> bool:
    return unicodedata.category(char) not in {"Cc", "Cf", "Cs", "Co"}


def quoted(text: str, most: int = _LONGEST) -> str:
    """Put a page's text into quotation marks, cut at `most` characters."""
    kept = clean(text)
    return f"“{kept if len(kept) <= most else kept[: most - 1].rstrip() + '…'}”"


def listed(texts: Sequence[str], most: int = 3) -> str:
    """Write `“a”, “b” and 4 more`."""
    names = [quoted(text, 40) for text in dict.fromkeys(clean(text) for text in texts)]
    if len(names) > most:
        return f"{', '.join(names[:most])} and {len(names) - most} more"
    return " and ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else "".join(names)


def count(number: float, one: str, many: str = "") -> str:
    """Write `1 field`, `3 fields`."""
    return f"{number:g} {one if number == 1 else many or one + 's'}"


def percent(share: float) -> str:
    """Write a share as a percentage."""
    return f"{share * 100:.0f} %"

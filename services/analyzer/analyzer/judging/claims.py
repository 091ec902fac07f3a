"""What a model may not say, found by its words, and what is taken out of what it may."""

import re
from dataclasses import dataclass
from enum import StrEnum

from analyzer.judging.page_text import clean


class Overreach(StrEnum):
    """Why a statement is not the model's to make."""

    MEASURED = "measured"
    OUT_OF_SIGHT = "out_of_sight"


_MEASURED = re.compile(
    r"(?i)\b(?:contrast|font[ -]size|(?:text|type) (?:is )?too small|illegibl\w*|hard to read against|tap targets?|"
    r"touch targets?|load(?:s|ing)? (?:time|speed|slow\w*)|page speed|slow(?:ly)? to load|core web vitals|"
    r"alt(?:ernative)? (?:text|attribute)s?|meta (?:tag|description|title)s?|viewport tag|broken (?:image|link)s?|"
    r"horizontal(?:ly)? scroll\w*|file size|megabytes?|\d+(?:\.\d+)?:1)\b"
)
_FAINT = re.compile(r"(?i)\b(?:contrast|illegibl\w*|hard to read against)\b")
_SMALL = re.compile(r"(?i)\b(?:font[ -]size|(?:text|type) (?:is )?too small)\b")
_FINE_CONTRAST, _FINE_FONT_PX = 4.5, 16.0
"""WCAG 2.2 SC 1.4.3 (AA) and the size below which phones zoom: from there on it is no problem to name."""
_OUT_OF_SIGHT = re.compile(
    r"(?i)\b(?:(?:click|tapp)ing .{0,40}\b(?:opens|leads|redirects|fails|does nothing)|on hover|"
    r"hover(?:ing|ed)? (?:state|effect)|animat\w+|back-?end|server-side|database|analytics|tracking (?:pixel|code)s?|"
    r"bounce rate|click-?through|conversion rate|heat-?maps?|search engines?|seo|other pages|elsewhere on the site|"
    r"checkout page|confirmation e?-?mail)\b"
)
_UPLIFT = re.compile(
    r"(?i)\d+(?:[.,]\d+)?\s*(?:-|–|to)?\s*\d*\s*"  # a range as people write it
    r"(?:%|percent|per cent|x\b|×|-?fold|times (?:more|as|higher))"
)
_EFFECT = re.compile(
    r"(?i)\b(?:conver\w+|uplift|lift\w*|increas\w*|boost\w*|improv\w*|rais\w*|grow\w*|more|higher|better|reduc\w*|fewer|less|"
    r"sales|revenue|sign-?ups?|leads?|clicks?|doubl\w+|tripl\w+)\b"
)
_URL = re.compile(
    r"(?i)\b(?:https?|ftp|javascript|data|file|mailto):[^\s<>\"')\]]*|\bwww\.[^\s<>\"')\]]+|//[\w.-]+/\S*"
)
_TAG = re.compile(r"<[^<>]{0,500}>")
_MARKDOWN_LINK = re.compile(r"!?\[([^\[\]]{0,300})\]\((?:[^()]|\([^()]{0,200}\)){0,500}\)")
_LEFTOVER = re.compile(r"[<>`]|!\[")
_SENTENCE = re.compile(r"(?<=[.!?])\s+")
_FORMULA = re.compile(r"^[\s=+\-@|]+")


def out_of_reach(text: str) -> Overreach | None:
    """Say why a statement is not the model's to make, or None."""
    if _MEASURED.search(text):
        return Overreach.MEASURED
    return Overreach.OUT_OF_SIGHT if _OUT_OF_SIGHT.search(text) else None


@dataclass(frozen=True)
class Measures:
    """What was measured on the elements that a claim names: contrast ratios, and font sizes in CSS pixels."""

    contrasts: tuple[float, ...] = ()
    fonts_px: tuple[float, ...] = ()


def contradicted(text: str, measures: Measures) -> bool:
    """Say whether what a statement claims was measured on every named element and is not so."""
    faint = bool(measures.contrasts) and min(measures.contrasts) >= _FINE_CONTRAST
    large = bool(measures.fonts_px) and min(measures.fonts_px) >= _FINE_FONT_PX
    return (faint and _FAINT.search(text) is not None) or (large and _SMALL.search(text) is not None)


def plain(text: str, limit: int) -> str:
    """Return a model's text without markup, links, control characters and promised effects, at most `limit` long.

    What a spreadsheet would take for a formula is cut from the front.
    """
    text = clean(text, limit * 2)
    text = _URL.sub("", _MARKDOWN_LINK.sub(r"\1", _TAG.sub("", text)))
    kept = (one for one in _SENTENCE.split(_LEFTOVER.sub("", text)) if not _promises(one))
    return clean(_FORMULA.sub("", " ".join(kept)), limit)


def _promises(sentence: str) -> bool:
    return _UPLIFT.search(sentence) is not None and _EFFECT.search(sentence) is not None

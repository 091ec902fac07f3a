"""Text from a page: made harmless before it is sent, comparable when it comes back."""

import functools
import re
import unicodedata

_SPACE = re.compile(r"[^\S ]\s*| \s+")
"""Every run of white space but a single blank, which is what almost all of them are."""
_REDACTIONS = (
    (re.compile(r"[\w.+%-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,4}"), "[email]"),
    (re.compile(r"\b(?=\w{0,200}\d)(?=\w{0,200}[A-Za-z])[A-Za-z0-9_-]{32,}\b"), "[token]"),
    (re.compile(r"\+?\d(?:[ .()/-]{0,3}\d){8,}"), "[number]"),
)
_SUSPECT = re.compile(r"[@\d]")
"""Nothing that is taken out is without one of these; most texts are, and are searched once instead of three times."""
_SAME = str.maketrans({"’": "'", "‘": "'", "“": '"', "”": '"', "–": "-", "—": "-", "‑": "-", "…": "..."})  # noqa: RUF001  # these are the characters that people type alike


def clean(text: str, limit: int) -> str:
    """Return `text` as a reader sees it (NFKC, no format or control characters, single spaces), at most `limit` long.

    Format characters include zero-width, bidirectional and tag characters: they carry text that nobody sees.
    """
    # Normalising can only lengthen a text by a known factor; cutting first keeps a hostile page cheap.
    cut = text[: limit * 4]
    if cut.isascii() and cut.isprintable():
        # Most texts of most pages: blanks are all that there is to see to.
        return " ".join(cut.split())[:limit].rstrip()
    wide = _SPACE.sub(" ", unicodedata.normalize("NFKC", cut))
    # Almost every text: there is nothing to take out, and the page's whole text is looked at for every finding.
    seen = wide if wide.isprintable() else "".join(char for char in wide if char == " " or _printable(char))
    return _SPACE.sub(" ", seen).strip()[:limit].rstrip()


def _printable(char: str) -> bool:
    return unicodedata.category(char) not in {"Cc", "Cf", "Cs", "Co", "Cn"}


def redact(text: str) -> str:
    """Replace e-mail addresses, long digit runs (phones, cards) and token-like runs."""
    if not _SUSPECT.search(text):
        return text
    for pattern, mark in _REDACTIONS:
        text = pattern.sub(mark, text)
    return text


def sendable(text: str, limit: int) -> str:
    """Return what of a page's text may leave: clean, redacted, at most `limit` characters."""
    # Redacted before the cut, so that no half of an address slips through at its end.
    return redact(clean(text, limit * 2))[:limit]


@functools.lru_cache(maxsize=512)  # each finding of a page is compared with the same few texts
def comparable(text: str) -> str:
    """Return a form in which two spellings of the same words are equal."""
    return clean(text, len(text) + 1).translate(_SAME).casefold()

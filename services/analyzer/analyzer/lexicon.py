"""Words that carry meaning for a rule, by language, and the matching of phrases on whole words."""

import functools
import re
import tomllib
import unicodedata
from collections.abc import Mapping
from importlib import resources
from types import MappingProxyType

_GAP = re.compile(r"[^\w'&-]+")
_MIN_STOP_WORDS = 5
UNSPACED = frozenset({"zh", "ja", "th", "lo", "km", "my"})
"""Languages that put no spaces between words: words cannot be counted."""


@functools.cache
def _table() -> Mapping[str, Mapping[str, frozenset[str]]]:
    text = resources.files("analyzer").joinpath("lexicon.toml").read_text(encoding="utf-8")
    return MappingProxyType(
        {
            language: MappingProxyType({kind: frozenset(words) for kind, words in kinds.items()})
            for language, kinds in tomllib.loads(text).items()
        }
    )


def plain(text: str) -> str:
    """Lower case, one space between words, no punctuation: the form in which phrases are compared."""
    folded = unicodedata.normalize("NFKC", text).casefold().replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")
    return _GAP.sub(" ", folded).strip(" '-")


def languages() -> frozenset[str]:
    """Return the languages whose words are known."""
    return frozenset(_table())


@functools.cache
def words(kind: str, language: str) -> frozenset[str]:
    """Return the phrases of a kind: the language's and English, or every language's when it is not known."""
    known = {"en", language} if language in _table() else set(_table())
    return frozenset().union(*(_table()[name].get(kind, frozenset()) for name in known))


@functools.cache
def _pattern(kind: str, language: str) -> re.Pattern[str]:
    phrases = sorted((plain(word) for word in words(kind, language)), key=len, reverse=True)
    return re.compile(r"(?<!\w)(?:" + "|".join(map(re.escape, phrases)) + r")(?!\w)")


def mentions(kind: str, text: str, language: str = "") -> bool:
    """Say whether `text` holds a phrase of this kind. Without a language, any language's phrase counts."""
    return _pattern(kind, language).search(plain(text)) is not None


def equals(kind: str, text: str, language: str = "") -> bool:
    """Say whether `text` is a phrase of this kind and nothing else."""
    return _pattern(kind, language).fullmatch(plain(text)) is not None


def language_of(declared: str, text: str) -> str:
    """Return the primary language subtag: the declared one, or else a guess by frequent words, or ""."""
    tag = re.split(r"[-_]", declared.strip().casefold(), maxsplit=1)[0]
    if 2 <= len(tag) <= 3 and tag.isalpha():  # noqa: PLR2004  # ISO 639 codes have two or three letters
        return tag
    seen = plain(text[:20_000]).split()
    counts = {name: sum(word in kinds["stop"] for word in seen) for name, kinds in _table().items()}
    best = max(counts, key=lambda name: counts[name])
    return best if counts[best] >= _MIN_STOP_WORDS else ""

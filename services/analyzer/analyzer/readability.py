"""How hard a text is to read: Flesch's formulas, each with the constants published for its language."""

import functools
import re
from collections.abc import Sequence
from dataclasses import dataclass

import pyphen

_WORD = re.compile(r"[^\W\d_]+(?:['\N{RIGHT SINGLE QUOTATION MARK}-][^\W\d_]+)*")
_SENTENCE = re.compile(r"[.!?:;…]+(?=\s|$)")
_LEAST_WORDS = 8

_EASE = {
    "en": (206.835, 1.015, 84.6),
    "de": (180.0, 1.0, 58.5),
    "fr": (207.0, 1.015, 73.6),
    "es": (206.84, 1.02, 60.0),
    "it": (217.0, 1.3, 60.0),
    "nl": (206.835, 0.93, 77.0),
}
"""Constant, weight of words a sentence, weight of syllables a word: Flesch (en), Amstad (de), Kandel and Moles (fr),
Fernández Huerta (es), Franchina and Vacca (it), Douma (nl)."""

LANGUAGES = frozenset(_EASE)


@dataclass(frozen=True)
class Readability:
    """`ease` is 0 (hard) to 100 (easy); `grade` is the Flesch–Kincaid school grade, calibrated for English only."""

    words: int
    ease: float
    grade: float


@functools.cache
def _hyphens(language: str) -> pyphen.Pyphen:
    return pyphen.Pyphen(lang=pyphen.language_fallback(language), left=1, right=1)


def syllables(word: str, language: str) -> int:
    """Count by hyphenation points: a little low, so that a text is rather called easy than hard."""
    return len(_hyphens(language).positions(word)) + 1


def whole_sentences(text: str) -> str:
    """Drop the last sentence of a text that was cut at its cap."""
    ends = [match.end() for match in _SENTENCE.finditer(text)]
    return text[: ends[-1]] if ends else ""


def is_prose(text: str) -> bool:
    """Say whether a block is running text rather than a label."""
    return len(_WORD.findall(text)) >= _LEAST_WORDS


def measure(blocks: Sequence[str], language: str) -> Readability | None:
    """Measure blocks of text, each ending its last sentence. None without words."""
    words = [word for block in blocks for word in _WORD.findall(block)]
    if not words:
        return None
    sentences = sum(max(len(_SENTENCE.findall(block.strip() + ".")), 1) for block in blocks)
    per_sentence = len(words) / sentences
    per_word = sum(syllables(word, language) for word in words) / len(words)
    constant, of_sentence, of_word = _EASE[language]
    return Readability(
        words=len(words),
        ease=constant - of_sentence * per_sentence - of_word * per_word,
        grade=0.39 * per_sentence + 11.8 * per_word - 15.59,
    )

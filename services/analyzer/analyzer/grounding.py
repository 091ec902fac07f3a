"""Whether a proposal points at something real: its section, its question, its elements, its quote."""

from dataclasses import dataclass
from enum import StrEnum

from analyzer.answer import Proposal
from analyzer.claims import Overreach, out_of_reach, plain
from analyzer.fact_table import SentElement, SentSection
from analyzer.page_text import clean, comparable, holds_instructions
from analyzer.questions import Question, for_type

QUOTE_CHARACTERS = 200
TEXT_CHARACTERS = 400
_MAX_ELEMENTS = 3
_TELLING_CHARACTERS = 8
"""A shorter quote is true but proves nothing: most pages contain it."""


class Verdict(StrEnum):
    """What became of a proposal: metric label and log field. All but the first three are rejections."""

    VERIFIED = "verified"
    SUPPORTED = "supported"
    MERGED = "merged"
    UNKNOWN_SECTION = "unknown_section"
    UNKNOWN_QUESTION = "unknown_question"
    UNKNOWN_ELEMENT = "unknown_element"
    FALSE_QUOTE = "false_quote"
    MEASURED = "measured"
    OUT_OF_SIGHT = "out_of_sight"
    INSTRUCTIONS = "instructions"
    EMPTY = "empty"
    DUPLICATE = "duplicate"
    OVER_CAP = "over_cap"


_OVERREACH = {Overreach.MEASURED: Verdict.MEASURED, Overreach.OUT_OF_SIGHT: Verdict.OUT_OF_SIGHT}


@dataclass(frozen=True)
class Grounded:
    """A proposal whose pointers are real, with its words made plain. `proven`: named elements and a telling quote."""

    proposal: Proposal
    question: Question
    sent: SentSection
    elements: tuple[SentElement, ...]
    quote: str
    observation: str
    why: str
    suggestion: str
    rewrite: str
    proven: bool


def ground(proposal: Proposal, sent: SentSection, asked: str) -> Grounded | Verdict:
    """Check a proposal's pointers; `asked` is the type that the model gave the section. Returns why it is rejected."""
    allowed = {question.id: question for kind in (sent.type, asked) for question in for_type(kind)}
    question = allowed.get(proposal.question_id)
    if question is None:
        return Verdict.UNKNOWN_QUESTION
    elements = tuple(sent.elements[name] for name in proposal.element_ids if name in sent.elements)
    if len(elements) != len(proposal.element_ids):
        return Verdict.UNKNOWN_ELEMENT
    quote = clean(proposal.quote, QUOTE_CHARACTERS)
    if not _stands(quote, elements, sent):
        return Verdict.FALSE_QUOTE
    texts = (proposal.observation, proposal.why_it_matters, proposal.suggestion, proposal.rewrite)
    observation, why, suggestion, rewrite = (plain(text, TEXT_CHARACTERS) for text in texts)
    if not observation or not suggestion:
        return Verdict.EMPTY
    if any(holds_instructions(text) for text in (observation, why, suggestion, rewrite)):
        return Verdict.INSTRUCTIONS
    proven = bool(elements) and len(comparable(quote)) >= _TELLING_CHARACTERS
    named = elements[:_MAX_ELEMENTS]
    return Grounded(proposal, question, sent, named, quote, observation, why, suggestion, rewrite, proven)


def _stands(quote: str, elements: tuple[SentElement, ...], sent: SentSection) -> bool:
    said = comparable(quote)
    return any(said in comparable(text) for text in (sent.text, *(one.text for one in elements)))


def overreach(grounded: Grounded) -> Verdict | None:
    """Return why a claim is not the model's to make, or None."""
    found = out_of_reach(f"{grounded.observation} {grounded.why} {grounded.suggestion}")
    return _OVERREACH[found] if found else None

"""Whether a proposal points at something real: its section, its question, its elements, its quote."""

from dataclasses import dataclass
from enum import StrEnum

from analyzer.judging.answer import PictureProposal, PixelBox, Proposal
from analyzer.judging.canaries import holds_instructions
from analyzer.judging.claims import Measures, Overreach, contradicted, out_of_reach, plain
from analyzer.judging.fact_table import SentElement, SentSection
from analyzer.judging.page_text import clean, comparable
from analyzer.judging.pictures import Picture
from analyzer.judging.questions import Question, for_type
from contracts.geometry import Box
from contracts.result import Finding

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
    FALSE_BOX = "false_box"
    MEASURED = "measured"
    OUT_OF_SIGHT = "out_of_sight"
    INSTRUCTIONS = "instructions"
    EMPTY = "empty"
    DUPLICATE = "duplicate"
    OVER_CAP = "over_cap"


_OVERREACH = {Overreach.MEASURED: Verdict.MEASURED, Overreach.OUT_OF_SIGHT: Verdict.OUT_OF_SIGHT}


@dataclass(frozen=True)
class Grounded:
    """A proposal whose pointers are real, with its words made plain. `proven`: named elements and a telling quote.

    `box` is where the model saw it, on a page of which there is only a picture.
    """

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
    box: Box | None = None


def ground(proposal: Proposal, sent: SentSection, asked: str) -> Grounded | Verdict:
    """Check a proposal's pointers; `asked` is the type that the model gave the section. Returns why it is rejected."""
    allowed = {question.id: question for kind in (sent.type, asked) for question in for_type(kind)}
    question = allowed.get(proposal.question_id)
    if question is None:
        return Verdict.UNKNOWN_QUESTION
    elements = tuple(sent.elements[name] for name in proposal.element_ids if name in sent.elements)
    if len(elements) != len(proposal.element_ids):
        return Verdict.UNKNOWN_ELEMENT
    pointer = _pointer(proposal, elements, sent)
    if isinstance(pointer, Verdict):
        return pointer
    quote, box = pointer
    texts = (proposal.observation, proposal.why_it_matters, proposal.suggestion, proposal.rewrite)
    observation, why, suggestion, rewrite = (plain(text, TEXT_CHARACTERS) for text in texts)
    if not observation or not suggestion:
        return Verdict.EMPTY
    if any(holds_instructions(text) for text in (observation, why, suggestion, rewrite)):
        return Verdict.INSTRUCTIONS
    proven = bool(elements) and len(comparable(quote)) >= _TELLING_CHARACTERS
    named = elements[:_MAX_ELEMENTS]
    return Grounded(proposal, question, sent, named, quote, observation, why, suggestion, rewrite, proven, box)


def _pointer(
    proposal: Proposal, elements: tuple[SentElement, ...], sent: SentSection
) -> tuple[str, Box | None] | Verdict:
    """Return the quote or the box that is true, or why none is."""
    if isinstance(proposal, PictureProposal):
        # Nobody but the model has read the picture: its quote is no proof, and is not shown as one.
        box = _placed(proposal.box, sent)
        return Verdict.FALSE_BOX if box is None else ("", box)
    quote = clean(proposal.quote, QUOTE_CHARACTERS)
    return (quote, None) if _stands(quote, elements, sent) else Verdict.FALSE_QUOTE


def _stands(quote: str, elements: tuple[SentElement, ...], sent: SentSection) -> bool:
    said = comparable(quote)
    return any(said in comparable(text) for text in (sent.text, *(one.text for one in elements)))


def _placed(box: PixelBox, sent: SentSection) -> Box | None:
    """Map a box from the picture as sent to the page; None for one that does not lie in the picture."""
    picture = sent.picture
    if picture is None or not _lies_in(box, picture):
        return None
    section = sent.section.box
    scale = section.width / picture.width
    return Box(
        x=section.x + box.x * scale, y=section.y + box.y * scale, width=box.width * scale, height=box.height * scale
    )


def _lies_in(box: PixelBox, picture: Picture) -> bool:
    right, bottom = box.x + box.width, box.y + box.height
    return min(box.x, box.y) >= 0 < min(box.width, box.height) and right <= picture.width and bottom <= picture.height


def overreach(grounded: Grounded, rule: Finding | None = None) -> Verdict | None:
    """Return why a claim is not the model's to make, or None.

    What is measured may be repeated beside the `rule` finding that it explains, where it does not contradict the
    measurement: "low contrast" on an element of 7:1 is false, whatever else is wrong with it.
    """
    said = f"{grounded.observation} {grounded.why} {grounded.suggestion}"
    found = out_of_reach(said)
    if found is Overreach.MEASURED and rule is not None and not contradicted(said, _measures(grounded)):
        return None
    return _OVERREACH[found] if found else None


def _measures(grounded: Grounded) -> Measures:
    styles = [sent.element.style for sent in grounded.elements if sent.element.style is not None]
    return Measures(
        contrasts=tuple(style.contrast for style in styles if style.contrast is not None),
        fonts_px=tuple(style.font_px for style in styles),
    )

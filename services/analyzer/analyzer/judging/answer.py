"""The answer that the model must give: a closed schema with every field required, no nulls and no unions.

Grammar limits make it so: optional and union-typed fields are counted and few are allowed. `""` means nothing.
"""

from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from analyzer.judging.questions import QUESTIONS, SECTION_TYPES
from contracts.result import LiftFactor
from contracts.wire import PublicInput


class Proposal(PublicInput):
    """One problem, as the model proposes it."""

    question_id: str = Field(json_schema_extra={"enum": list(QUESTIONS)})
    element_ids: list[str] = Field(description="handles from the element table of this section, at most 3")
    quote: str = Field(description="words copied exactly from the section's text, or empty")
    observation: str = Field(description="what can be seen, at most 2 sentences")
    why_it_matters: str = Field(description="what it means for a visitor, 1 sentence, no numbers")
    lift_factor: LiftFactor
    suggestion: str = Field(description="what to change, 1 sentence")
    rewrite: str = Field(description="proposed words in the page's language, or empty")
    effort: Literal["small", "medium", "large"]
    related_rule_ids: list[str] = Field(description="rule ids from rule_outcomes that this explains, or none")
    confidence: Literal["high", "medium", "low"]


class SectionAnswer(PublicInput):
    """The model's view of one section."""

    section_id: str
    type: str = Field(json_schema_extra={"enum": list(SECTION_TYPES)})
    summary: str = Field(description="what the section does, 1 sentence")
    findings: Sequence[Proposal] = Field(description="at most 4, the most important first")


class PageAnswer(PublicInput):
    """The model's view of the whole page."""

    primary_goal: str
    audience: str
    strengths: list[str] = Field(description="at most 5, each 1 sentence")
    suspicious_instructions_seen: bool


class Answer(PublicInput):
    """The whole answer."""

    sections: Sequence[SectionAnswer]
    page: PageAnswer


class PixelBox(PublicInput):
    """A rectangle in a picture, in its own pixels from its top left corner."""

    x: int
    y: int
    width: int
    height: int


class PictureProposal(Proposal):
    """One problem on a page of which there is only a picture."""

    box: PixelBox = Field(
        description="where it is in this section's picture, in absolute pixels of the picture as sent"
    )


class PictureSectionAnswer(SectionAnswer):
    """The model's view of one part of a picture."""

    findings: Sequence[PictureProposal] = Field(description="at most 4, the most important first")


class PictureAnswer(Answer):
    """The whole answer to a picture."""

    sections: Sequence[PictureSectionAnswer]

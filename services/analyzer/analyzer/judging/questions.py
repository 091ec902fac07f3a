"""The closed list of questions for each type of section: the model judges these and nothing else.

Titles, categories and base severities are ours, so that page text can change neither. All are practitioner
conventions (grade C) unless a rule measures the same thing better.
"""

import functools
from dataclasses import dataclass

from contracts.result import LiftFactor, Severity

_VALUE = LiftFactor.VALUE_PROPOSITION
_RELEVANCE = LiftFactor.RELEVANCE
_CLARITY = LiftFactor.CLARITY
_URGENCY = LiftFactor.URGENCY
_ANXIETY = LiftFactor.ANXIETY
_DISTRACTION = LiftFactor.DISTRACTION
_HIGH, _MEDIUM, _LOW = Severity.HIGH, Severity.MEDIUM, Severity.LOW


@dataclass(frozen=True)
class Question:
    """One question. `title` names the problem that a finding states, `effect` what its repair should change."""

    id: str
    asks: str
    title: str
    effect: str
    factor: LiftFactor
    severity: Severity

    @property
    def category(self) -> str:
        """The type of section that it is asked about."""
        return self.id.split(".", 1)[0]


_ROWS = (
    (
        "hero.value_clear",
        "Can a first-time visitor tell what is offered?",
        "The first screen does not say what is offered",
        "more visitors understand the offer at once",
        _VALUE,
        _HIGH,
    ),
    (
        "hero.audience_clear",
        "Is it clear for whom the offer is?",
        "The first screen does not say for whom this is",
        "the right visitors recognise themselves",
        _RELEVANCE,
        _MEDIUM,
    ),
    (
        "hero.reason_to_believe",
        "Is there a concrete reason to believe the main claim?",
        "The main claim stands without proof",
        "fewer visitors doubt the claim",
        _ANXIETY,
        _MEDIUM,
    ),
    (
        "hero.next_step",
        "Is it clear what the main action does and what happens after it?",
        "The main action does not say what happens next",
        "more visitors dare to take the first step",
        _CLARITY,
        _HIGH,
    ),
    (
        "hero.visual_supports",
        "Does the main picture show the product or its outcome?",
        "The main picture does not support the message",
        "the picture explains what words alone do not",
        _CLARITY,
        _LOW,
    ),
    (
        "nav.labels_clear",
        "Would a stranger know what is behind each menu label?",
        "Menu labels need inside knowledge",
        "visitors find what they came for",
        _CLARITY,
        _LOW,
    ),
    (
        "features.benefit_stated",
        "Do feature texts state what the visitor gains, not only what the product has?",
        "Features are listed without their benefit",
        "visitors see what they gain",
        _VALUE,
        _MEDIUM,
    ),
    (
        "features.specific",
        "Are claims concrete rather than interchangeable?",
        "Claims are vague enough for any competitor",
        "the offer differs from others",
        _VALUE,
        _MEDIUM,
    ),
    (
        "pricing.differences_clear",
        "Can a visitor tell the plans apart and choose one?",
        "The difference between plans is hard to see",
        "visitors choose without comparing line by line",
        _CLARITY,
        _HIGH,
    ),
    (
        "pricing.objections_answered",
        "Are commitment, cancellation and extra costs answered next to the price?",
        "Questions that a price raises stay open",
        "fewer visitors leave to look for the small print",
        _ANXIETY,
        _MEDIUM,
    ),
    (
        "testimonials.specific",
        "Do testimonials name a person, a situation and an outcome?",
        "Testimonials are too general to convince",
        "visitors believe the praise",
        _ANXIETY,
        _MEDIUM,
    ),
    (
        "testimonials.relevant",
        "Do the people quoted resemble the audience?",
        "The people quoted are not like the audience",
        "visitors see someone like themselves succeed",
        _RELEVANCE,
        _LOW,
    ),
    (
        "logos.explained",
        "Is it said what the companies shown have to do with the offer?",
        "Logos stand without explanation",
        "the logos count as proof",
        _ANXIETY,
        _LOW,
    ),
    (
        "faq.objections",
        "Do the questions answer what would keep a buyer from acting?",
        "The questions do not meet the real objections",
        "fewer doubts remain before the decision",
        _ANXIETY,
        _LOW,
    ),
    (
        "form.purpose_clear",
        "Is it said what the visitor gets for filling the form in?",
        "The form does not say what it is good for",
        "more visitors start the form",
        _VALUE,
        _HIGH,
    ),
    (
        "form.questions_justified",
        "Is each thing asked for plausible at this point?",
        "The form asks for more than the moment justifies",
        "fewer visitors stop at a question",
        _ANXIETY,
        _MEDIUM,
    ),
    (
        "form.after_submit",
        "Is it said what happens after sending?",
        "It is not said what follows after sending",
        "fewer visitors hesitate to send",
        _ANXIETY,
        _MEDIUM,
    ),
    (
        "product.benefit_stated",
        "Does the description say what the product does for its buyer?",
        "The description lists properties, not benefits",
        "buyers see what the product does for them",
        _VALUE,
        _MEDIUM,
    ),
    (
        "product.picture_informative",
        "Do the pictures show size, use and detail?",
        "The pictures leave buying questions open",
        "buyers can judge the product without asking",
        _CLARITY,
        _MEDIUM,
    ),
    (
        "product.delivery_clear",
        "Are delivery and returns answered near the decision?",
        "Delivery and returns are not answered here",
        "fewer buyers leave to look for conditions",
        _ANXIETY,
        _MEDIUM,
    ),
    (
        "cart.costs_clear",
        "Is the full cost understandable before the next step?",
        "The full cost is not clear before the next step",
        "fewer buyers are surprised later",
        _ANXIETY,
        _HIGH,
    ),
    (
        "footer.trust_basics",
        "Can a visitor see who stands behind the page?",
        "It is hard to see who stands behind the page",
        "fewer visitors doubt that the business is real",
        _ANXIETY,
        _LOW,
    ),
    (
        "other.purpose_clear",
        "Is it clear why this part is on the page?",
        "This part does not say why it is here",
        "visitors keep the thread",
        _CLARITY,
        _LOW,
    ),
    (
        "other.message_consistent",
        "Does this part keep to the page's promise?",
        "This part leads away from the page's promise",
        "visitors stay with one idea",
        _DISTRACTION,
        _LOW,
    ),
    (
        "other.urgency_honest",
        "If there is urgency or scarcity, does the page give its reason?",
        "Urgency is claimed without a reason",
        "the urgency is believed",
        _URGENCY,
        _LOW,
    ),
)
QUESTIONS = {row[0]: Question(*row) for row in _ROWS}
SECTION_TYPES = (
    "hero",
    "nav",
    "features",
    "pricing",
    "testimonials",
    "logos",
    "faq",
    "form",
    "product",
    "cart",
    "footer",
    "other",
)
_ANYWHERE = "other"


@functools.lru_cache(maxsize=64)  # asked for every finding; a model's answer may name any type
def for_type(section_type: str) -> tuple[Question, ...]:
    """Return the questions for a type of section: its own, then those asked of every section."""
    kinds = dict.fromkeys((section_type, _ANYWHERE))
    return tuple(question for kind in kinds for question in QUESTIONS.values() if question.category == kind)

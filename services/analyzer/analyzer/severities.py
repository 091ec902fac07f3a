"""How much a model's finding matters: by its question and the model's confidence, never by its words."""

from typing import Literal

from analyzer.questions import Question
from contracts.result import Severity

Confidence = Literal["high", "medium", "low"]

_SCALE = (Severity.CRITICAL, Severity.HIGH, Severity.MEDIUM, Severity.LOW, Severity.INFO)
_STEPS: dict[Confidence, int] = {"high": 0, "medium": 1, "low": 2}


def severity(question: Question, confidence: Confidence) -> Severity:
    """Return the question's base severity, one step lower for medium confidence and two for low."""
    return _SCALE[min(_SCALE.index(question.severity) + _STEPS[confidence], len(_SCALE) - 1)]


def rank(value: Severity) -> int:
    """Return the position on the scale: 0 is the worst."""
    return _SCALE.index(value)

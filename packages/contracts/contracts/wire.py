"""The two kinds of message: public input refuses unknown fields, internal messages ignore them."""

from decimal import Decimal
from typing import Final, get_args

from pydantic import BaseModel, ConfigDict, model_validator

REVEALED: Final = {"revealed": True}
"""The serialisation context in which secrets are written as they are: between our own services, and nowhere else."""


_NUMBERS = {int, float, Decimal}


class Wire(BaseModel):
    """A message between our own services. Unknown fields are ignored, so that two releases can overlap."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class PublicInput(BaseModel):
    """A request body from outside. Unknown fields are refused by name, so that a typing error is not silent."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    # Of the whole and not of each field: a field that tells unions apart may have no such validator.
    @model_validator(mode="before")
    @classmethod
    def _no_flags_for_numbers(cls, data: object) -> object:
        """Refuse true for 1: it was most likely meant for another field."""
        flags = [name for name, value in data.items() if isinstance(value, bool)] if isinstance(data, dict) else []
        for name in flags:
            kinds = _kinds(cls.model_fields[name].annotation) if name in cls.model_fields else set()
            if kinds & _NUMBERS and bool not in kinds:
                raise ValueError(f"{name} must be a number, not true or false")
        return data


def whole(text: str) -> str:
    """Replace halves of characters, which JSON and pages can name, and UTF-8 and Postgres take nowhere."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _kinds(annotation: object) -> set[object]:
    """Return an annotation's type or, of a union, all of them."""
    return set(get_args(annotation)) or {annotation}

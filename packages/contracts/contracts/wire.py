"""The two kinds of message: public input refuses unknown fields, internal messages ignore them."""

from typing import Final

from pydantic import BaseModel, ConfigDict

REVEALED: Final = {"revealed": True}
"""The serialisation context in which secrets are written as they are: between our own services, and nowhere else."""


class Wire(BaseModel):
    """A message between our own services. Unknown fields are ignored, so that two releases can overlap."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class PublicInput(BaseModel):
    """A request body from outside. Unknown fields are refused by name, so that a typing error is not silent."""

    model_config = ConfigDict(frozen=True, extra="forbid")

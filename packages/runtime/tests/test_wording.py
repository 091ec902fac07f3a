from typing import Annotated, Literal

import pytest
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from runtime import wording


def _even(value: int) -> int:
    if value % 2:
        raise ValueError("must be even")
    return value


class _Cat(BaseModel):
    kind: Literal["cat"]


class _Dog(BaseModel):
    kind: Literal["dog"]


class _Order(BaseModel):
    model_config = ConfigDict(extra="forbid")

    size: Annotated[int, AfterValidator(_even)] = 2
    pet: Annotated[_Cat | _Dog, Field(discriminator="kind")] = _Cat(kind="cat")
    cat: _Cat = _Cat(kind="cat")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ('{"colour": 1}', "there is no such field"),
        ('{"size": 3}', "must be even"),
        ('{"pet": {"kind": "cow"}}', "kind must be one of 'cat', 'dog'"),
        ('{"cat": {}}', "is missing"),
        ('{"cat": 7}', "must be an object"),
        ("", "is empty: send a JSON object"),
        ("{", "Invalid JSON: EOF while parsing an object at line 1 column 1"),
    ],
)
def test_words_are_for_people(body: str, words: str) -> None:
    with pytest.raises(ValidationError) as caught:
        _Order.model_validate_json(body)
    assert [wording.said(dict(one)) for one in caught.value.errors()] == [words]

"""What pydantic finds wrong with a value, in words for whoever sent it."""

from collections.abc import Mapping
from typing import Any

_PLAIN = {
    "extra_forbidden": "there is no such field",
    "missing": "is missing",
    "model_attributes_type": "must be an object",
    "model_type": "must be an object",
    "dict_type": "must be an object",
}
_EMPTY = "EOF while parsing a value at line 1 column 0"


def said(error: Mapping[str, Any]) -> str:
    """Return the words for one entry of `ValidationError.errors()`; what was sent stays out of them."""
    kind, message = error["type"], str(error["msg"])
    if kind == "json_invalid" and message.endswith(_EMPTY):
        return "is empty: send a JSON object"
    if kind == "union_tag_invalid":
        field, _, expected = message.partition(" found using ")[2].partition(
            " does not match any of the expected tags: "
        )
        return f"{field.strip(chr(39))} must be one of {expected}"
    return _PLAIN.get(kind) or message.removeprefix("Value error, ")

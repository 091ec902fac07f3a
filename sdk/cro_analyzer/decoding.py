"""JSON to the frozen values of `cro_analyzer.models`, by their annotations."""

import json
import types
from collections.abc import Callable, Hashable
from dataclasses import MISSING, fields, is_dataclass
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from functools import cache
from typing import Any, TypeAlias, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from cro_analyzer.errors import UnreadableAnswerError

T = TypeVar("T")
Decoder: TypeAlias = Callable[[Any], Any]  # from whatever JSON held to what the annotation says
_PRIMITIVE: tuple[type, ...] = (str, int, bool)


def decode(kind: type[T], body: bytes) -> T:
    """Return the value of type `kind` that a body holds. Raises `UnreadableAnswerError`."""
    try:
        document = json.loads(body)
    except ValueError as exc:
        raise UnreadableAnswerError(f"the answer is not JSON: {body[:80]!r}") from exc
    return value(kind, document)


def value(kind: type[T], document: object) -> T:
    """Return the value of type `kind` that a JSON document stands for. Raises `UnreadableAnswerError`."""
    try:
        return cast("T", _decoder(cast("Hashable", kind))(document))
    except (KeyError, TypeError, ValueError, InvalidOperation) as exc:
        raise UnreadableAnswerError(f"the answer does not look like {kind.__name__}: {exc}") from exc


@cache
def _decoder(kind: Any) -> Decoder:  # noqa: ANN401, PLR0911  # an annotation may be anything; one return for each form
    origin = get_origin(kind)
    if is_dataclass(kind):
        return _object(cast("type[object]", kind))
    if origin is list:
        each = _decoder(get_args(kind)[0])
        return lambda given: [each(one) for one in _checked(given, list)]
    if origin is dict:
        each = _decoder(get_args(kind)[1])
        return lambda given: {name: each(one) for name, one in _checked(given, dict).items()}
    if origin in {Union, types.UnionType}:
        return _union([one for one in get_args(kind) if one is not type(None)])
    if kind is float:
        return lambda given: float(_checked(given, (int, float)))
    if kind in {datetime, date}:
        return cast("Decoder", kind.fromisoformat)
    if kind is Decimal:
        return lambda given: Decimal(str(given))
    if kind in _PRIMITIVE:
        return lambda given: _checked(given, kind)
    # Words of a closed list too: one that a newer release has added is better shown than refused.
    return lambda given: given


def _union(kinds: list[Any]) -> Decoder:
    if len(kinds) > 1:
        return lambda given: given
    only = _decoder(kinds[0])
    return lambda given: None if given is None else only(given)


def _checked(given: Any, kind: Any) -> Any:  # noqa: ANN401  # what JSON held, and what isinstance takes
    if not isinstance(given, kind):
        raise TypeError(f"{given!r:.60} is no {getattr(kind, '__name__', 'number')}")
    return given


def _object(kind: type[object]) -> Decoder:
    hints = get_type_hints(kind)
    plan = [
        (one.name, str(one.metadata.get("name", one.name)), hints[one.name], _required(one))
        for one in fields(cast("Any", kind))
    ]

    def build(given: object) -> object:
        document = _checked(given, dict)
        found = {}
        for name, key, hint, required in plan:
            if key in document:
                found[name] = _decoder(hint)(document[key])
            elif required:
                raise KeyError(f"{kind.__name__}.{key} is missing")
        return kind(**found)

    return build


def _required(one: Any) -> bool:  # noqa: ANN401  # dataclasses.Field of any type
    return one.default is MISSING and one.default_factory is MISSING

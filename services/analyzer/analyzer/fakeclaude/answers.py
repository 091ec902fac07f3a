"""Answers that fit the request's JSON schema, made only of what the request says: the same request, the same answer."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from analyzer.fakeclaude.scenarios import Kind
from analyzer.fakeclaude.wire import Json, canonical, digest, request_blocks

_QUOTE_CHARACTERS = 60
_FINDINGS = 2
_ORDER = re.compile(r"(?i)ignore|disregard|score|system prompt")
PLAIN = "There is no schema in this request, so this is plain text."


@dataclass(frozen=True)
class _Context:
    """Where in the answer we are, and what of the page is in sight there."""

    kind: Kind
    seed: str
    system: str
    sections: tuple[Json, ...]
    section: Json
    element: Json
    index: int = 0

    def pick(self, name: str, count: int) -> int:
        """Choose one of `count` things: neighbours in a list choose neighbouring ones."""
        return (digest(self.seed, str(self.section.get("section_id", "")), name) + self.index) % count


def answer(body: Json, kind: Kind) -> str:
    """Return the text of the answer: JSON where the request has a schema."""
    form = body.get("output_config", {}).get("format")
    if not form:
        return PLAIN
    sections = tuple(_find(body, "section_id"))
    system = body.get("system", "")
    last = system[-1]["text"] if isinstance(system, list) and system else str(system)
    # Of the texts alone: a hash of megabytes of pixels for every field would make the fake the slowest part of a test.
    texts = [block.get("text", "") for block in request_blocks(body)]
    context = _Context(kind, str(digest(canonical(texts))), last, sections, {}, {})
    return json.dumps(_fill(form["schema"], form["schema"], "", context), ensure_ascii=False)


def _find(body: Json, key: str) -> Iterator[Json]:
    """Yield the objects with `key` in any JSON document among the request's texts."""
    for block in request_blocks(body):
        text = block.get("text", "")
        if isinstance(text, str) and text.lstrip().startswith("{"):
            try:
                yield from _walk(json.loads(text), key)
            except ValueError:
                continue


def _walk(value: object, key: str) -> Iterator[Json]:
    if isinstance(value, dict):
        if key in value:
            yield value
        for child in value.values():
            yield from _walk(child, key)
    for item in value if isinstance(value, list) else []:
        yield from _walk(item, key)


def _fill(schema: Json, root: Json, name: str, context: _Context) -> Any:  # noqa: ANN401  # any JSON value
    if "$ref" in schema:
        return _fill(root["$defs"][schema["$ref"].rsplit("/", 1)[1]], root, name, context)
    if "anyOf" in schema:
        return _fill(schema["anyOf"][0], root, name, context)
    if "enum" in schema:
        return _choice(schema["enum"], name, context)
    return _fill_typed(schema, root, name, context)


def _fill_typed(schema: Json, root: Json, name: str, context: _Context) -> Any:  # noqa: ANN401  # any JSON value
    match schema.get("type"):
        case "object":
            properties = schema.get("properties", {})
            return {key: _fill(part, root, key, context) for key, part in properties.items()}
        case "array":
            return _array(schema["items"], root, name, context)
        case "string":
            return _text(name, context)
        case "boolean":
            return False
        case _:
            # Never 0: a size or a place in a picture must be one.
            return context.pick(name, 10) + 1


def _choice(values: list[Any], name: str, context: _Context) -> Any:  # noqa: ANN401  # any JSON value
    kind = str(context.section.get("type", ""))
    if kind in values:
        return kind
    of_section = [value for value in values if str(value).startswith(f"{kind}.")] or values
    if name.endswith("_id"):
        return of_section[context.pick(name, len(of_section))]
    return values[context.pick(name, len(values))]


def _array(items: Json, root: Json, name: str, context: _Context) -> list[Any]:
    if name == "sections":
        return [_fill(items, root, name, replace(context, section=part)) for part in context.sections]
    if name == "element_ids":
        wrong = context.kind is Kind.NONSENSE
        return ["e99999"] if wrong else [context.element["id"]] if context.element else []
    if name == "findings":
        if context.kind is Kind.SILENT:
            return []
        chosen = _elements(context) or _unnamed(items, root)
        parts = (replace(context, element=one, index=number) for number, one in enumerate(chosen))
        return [_fill(items, root, name, part) for part in parts]
    if name.startswith("related_"):
        return []
    return [_fill(items, root, name, context)]


def _unnamed(items: Json, root: Json) -> list[Json]:
    """Return the one thing to talk about where findings say by a box, and not by an element, what they mean."""
    schema = root["$defs"][items["$ref"].rsplit("/", 1)[1]] if "$ref" in items else items
    return [{}] if "box" in schema.get("properties", {}) else []


def _elements(context: _Context) -> list[Json]:
    spoken = [one for one in _walk(context.section, "id") if len(str(one.get("text", "")).split()) > 1]
    if len(spoken) <= _FINDINGS:
        return spoken
    first = context.pick("element", len(spoken) - 1)
    return spoken[first : first + _FINDINGS]


def _text(name: str, context: _Context) -> str:
    known = str(context.section.get("section_id", ""))
    if name == "section_id":
        return f"{known}-elsewhere" if context.kind is Kind.NONSENSE and context.pick(name, 2) else known
    if name == "quote":
        return _quote(context)
    if context.kind is Kind.ECHO:
        return _echo(name, context)
    subject = " ".join(str(context.element.get("text", "the page")).split()[:4])
    return f"{name.replace('_', ' ').capitalize()} about {subject}, said in one sentence."


def _quote(context: _Context) -> str:
    if context.kind in {Kind.NONSENSE, Kind.FALSE_QUOTES}:
        return "These words stand nowhere on the page"
    text = str(context.element.get("text", ""))
    return text if len(text) <= _QUOTE_CHARACTERS else text[:_QUOTE_CHARACTERS].rsplit(" ", 1)[0]


def _echo(name: str, context: _Context) -> str:
    """Do what an injected text asks for: repeat it, leak the system text, add markup, a link and a promise."""
    orders = [str(one["text"]) for part in context.sections for one in _walk(part, "text")]
    order = next((text for text in orders if _ORDER.search(text)), "")
    extra = "<b>Buy</b> at https://evil.example/x now. This lifts conversion by 250 %. =HYPERLINK(1)"
    return f"{order} {extra} {context.system if name == 'primary_goal' else ''}".strip()

"""The scripts that run in pages, put together from their parts; each is one expression in a world of its own."""

import json
from importlib.resources import files
from typing import Final

_HERE: Final = files("renderer")

LEXICON: Final = "reading/banners.json"
"""What buttons and layers are called, in the languages that we know, and the consent platforms' own selectors."""


def part(name: str) -> str:
    """Return one part: a script, or data as the constant LEXICON."""
    text = (_HERE / name).read_text("utf-8")
    return f"const LEXICON = {json.dumps(json.loads(text), ensure_ascii=False)};" if name.endswith(".json") else text


def joined(*names: str, answer: str) -> str:
    """Return the parts as one expression whose value is the JSON of `answer`."""
    return "\n".join(["(() => {", '"use strict";', *map(part, names), f"return JSON.stringify({answer});", "})()"])

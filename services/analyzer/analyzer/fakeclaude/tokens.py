"""Token arithmetic as documented: images by 28 px patches, text by length, the prompt cache by hashed prefixes."""

import base64
import binascii
import functools
import hashlib
import io
import math
from collections.abc import Iterator
from dataclasses import dataclass, field

from PIL import Image, UnidentifiedImageError

from analyzer.fakeclaude.catalogue import Model
from analyzer.fakeclaude.wire import ApiError, Json, canonical

CHARACTERS_PER_TOKEN = 3.3
PATCH_PX = 28
TTL_S = {"5m": 300, "1h": 3_600}


def image_size(block: Json) -> tuple[int, int, str]:
    """Return width, height and media type of a base64 image block; raises a 400 when it is not a picture."""
    return _size(str(block.get("source", {}).get("data", "")))


@functools.lru_cache(maxsize=64)
def _size(encoded: str) -> tuple[int, int, str]:
    try:
        data = base64.b64decode(encoded, validate=True)
        with Image.open(io.BytesIO(data)) as image:
            return image.width, image.height, f"image/{(image.format or '').lower()}"
    except (binascii.Error, UnidentifiedImageError, OSError) as exc:
        raise ApiError("invalid_request_error", "image: Could not process image") from exc


def patches(width: float, height: float) -> int:
    """Return the visual tokens of an image of this size in pixels."""
    return math.ceil(width / PATCH_PX) * math.ceil(height / PATCH_PX)


def fits(model: Model, width: int, height: int) -> bool:
    """Say whether the model sees an image of this size as it is."""
    return max(width, height) <= model.max_edge_px and patches(width, height) <= model.max_image_tokens


def fitted(model: Model, width: int, height: int) -> tuple[int, int]:
    """Return the largest size of the same shape that the model takes unscaled."""
    scale = min(1.0, model.max_edge_px / max(width, height))
    while not fits(model, round(width * scale), round(height * scale)):
        scale *= 0.99
    return max(1, round(width * scale)), max(1, round(height * scale))


def text_tokens(text: str) -> int:
    """Return the tokens of a text: about one for 3.3 characters."""
    return math.ceil(len(text) / CHARACTERS_PER_TOKEN)


@dataclass(frozen=True)
class _Piece:
    text: str
    tokens: int
    ttl: str = ""


def _ttl(block: Json) -> str:
    control = block.get("cache_control")
    return str(control.get("ttl", "5m")) if isinstance(control, dict) else ""


def _piece(model: Model, block: Json) -> _Piece:
    if block.get("type") == "image":
        width, height, _ = image_size(block)
        # Hashed and not written out: a request's pictures are a hundred times as long as its text.
        seen = f"image {hash(block['source'].get('data'))}"
        return _Piece(seen, patches(*fitted(model, width, height)), _ttl(block))
    text = canonical({key: value for key, value in block.items() if key != "cache_control"})
    return _Piece(text, text_tokens(str(block["text"]) if block.get("type") == "text" else text), _ttl(block))


def _blocks(content: object) -> Iterator[Json]:
    if isinstance(content, str):
        yield {"type": "text", "text": content}
    for block in content if isinstance(content, list) else []:
        if block.get("type") == "tool_result" and isinstance(block.get("content"), list):
            yield from block["content"]
            yield {**block, "content": []}
        else:
            yield block


def pieces(model: Model, body: Json) -> list[_Piece]:
    """Cut a request into the pieces that the cache sees, in its order: tools, system, messages."""
    whole = [_piece(model, tool) for tool in body.get("tools", [])]
    whole += [_piece(model, block) for block in _blocks(body.get("system", []))]
    schema = body.get("output_config", {}).get("format")
    whole += [_Piece(canonical(schema), text_tokens(canonical(schema)))] if schema else []
    for message in body["messages"]:
        whole += [_piece(model, block) for block in _blocks(message["content"])]
    return whole


@dataclass(frozen=True)
class Input:
    """Input tokens as `usage` splits them."""

    uncached: int
    read: int = 0
    written: dict[str, int] = field(default_factory=dict)


class PromptCache:
    """Prefixes seen before, by hash, until they expire. A read makes its prefix young again."""

    def __init__(self) -> None:
        """Start empty."""
        self._expires: dict[str, float] = {}

    def charge(self, model: Model, body: Json, now_s: float) -> Input:
        """Count a request's input and remember its marked prefixes."""
        sha = hashlib.sha256(model.id.encode())
        total = read = covered = 0
        marks: list[tuple[str, int, str]] = []
        for piece in pieces(model, body):
            sha.update(piece.text.encode())
            total += piece.tokens
            if piece.ttl and total >= model.cache_minimum:
                marks.append((sha.hexdigest(), total, piece.ttl))
        read = max((tokens for key, tokens, _ in marks if self._expires.get(key, 0) > now_s), default=0)
        written: dict[str, int] = {}
        covered = read
        for key, tokens, ttl in marks:
            self._expires[key] = now_s + TTL_S[ttl]
            if tokens > covered:
                written[ttl] = written.get(ttl, 0) + tokens - covered
                covered = tokens
        return Input(total - covered, read, written)

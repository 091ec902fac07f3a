"""The request as it goes over the wire: written piece by piece, so that no second copy of the pictures is made."""

import asyncio
import base64
import json
import secrets
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any

from analyzer.judging.exchange import Prompt
from analyzer.judging.pictures import Picture

Params = dict[str, Any]  # the API's own JSON, built here and read by nobody else

_CAPTURE_ID = "toolu_page_capture"
CAPTURE_TOOL: Params = {
    "name": "get_page_capture",
    "description": "Returns the pictures and the measured facts of the page under review.",
    "input_schema": {"type": "object", "properties": {}, "additionalProperties": False},
}

_PIECE = 1 << 20


@dataclass(frozen=True)
class Order:
    """What of a request is not the prompt: model, answer schema and limits."""

    model: str
    schema: Mapping[str, object]
    max_tokens: int
    effort: str = ""


def params(prompt: Prompt, order: Order, source: Callable[[Picture], Params]) -> Params:
    """Return the request's document; `source` says where the provider finds a picture."""
    output: Params = {"format": {"type": "json_schema", "schema": order.schema}}
    if order.effort:
        output["effort"] = order.effort
    return {
        "model": order.model,
        "max_tokens": order.max_tokens,
        "system": _system(prompt),
        "tools": [CAPTURE_TOOL],
        "tool_choice": {"type": "none"},
        "messages": _messages(prompt, source),
        "output_config": output,
        "metadata": {"user_id": prompt.user_id},
    }


def _system(prompt: Prompt) -> list[Params]:
    # The marker differs in every request, so it comes after the cached part.
    rubric = {"type": "text", "text": prompt.rubric, "cache_control": {"type": "ephemeral"}}
    return [rubric, {"type": "text", "text": prompt.marker}]


def _messages(prompt: Prompt, source: Callable[[Picture], Params]) -> list[Params]:
    capture: list[Params] = []
    for label, picture in prompt.pictures:
        capture.append({"type": "text", "text": label})
        image = {"type": "image", "source": source(picture)}
        capture.append({**image, "transformations": {"oversized_image": "error"}})
    capture.append({"type": "text", "text": prompt.document})
    call = {"type": "tool_use", "id": _CAPTURE_ID, "name": CAPTURE_TOOL["name"], "input": {}}
    result = {"type": "tool_result", "tool_use_id": _CAPTURE_ID, "content": capture}
    return [
        {"role": "user", "content": [{"type": "text", "text": prompt.task}]},
        {"role": "assistant", "content": [call]},
        {"role": "user", "content": [result, {"type": "text", "text": prompt.closing}]},
    ]


def written(document: Params) -> bytes:
    """Return a document as JSON."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


class Body:
    """One request's bytes. Can be sent again: pictures become base64 only while they leave."""

    def __init__(self, prompt: Prompt, order: Order, pool: Executor, room: asyncio.Semaphore) -> None:
        """Write all but the pictures; `pool` does their encoding, and `room` is taken while they leave."""
        self._pool = pool
        self._room = room
        self._pictures = [picture for _, picture in prompt.pictures]
        # No page can know the mark, so none can put one into its text.
        mark = secrets.token_hex(16)

        def source(picture: Picture) -> Params:
            return {"type": "base64", "media_type": picture.media_type, "data": mark}

        self._texts = written(params(prompt, order, source)).split(mark.encode())

    @property
    def size(self) -> int:
        """Length in bytes."""
        pictures = sum(4 * -(-len(picture.data) // 3) for picture in self._pictures)
        return pictures + sum(len(text) for text in self._texts)

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield the bytes."""
        loop = asyncio.get_running_loop()
        async with self._room:
            for piece in self._pieces():
                yield await loop.run_in_executor(self._pool, _encoded, piece)
            yield self._texts[-1]

    def _pieces(self) -> Iterator[list[tuple[bytes, bytes]]]:
        """Give texts, each with its picture, about a MiB at a time: a visit to the pool costs as much as 100 KB."""
        piece: list[tuple[bytes, bytes]] = []
        for text, picture in zip(self._texts, self._pictures, strict=False):
            piece.append((text, picture.data))
            if sum(len(data) for _, data in piece) >= _PIECE:
                yield piece
                piece = []
        if piece:
            yield piece


def _encoded(piece: list[tuple[bytes, bytes]]) -> bytes:
    return b"".join(part for text, data in piece for part in (text, base64.b64encode(data)))

"""A message as server-sent events, in the API's order."""

import json
from collections.abc import AsyncIterator, Iterator

from analyzer.fakeclaude.wire import ApiError, Json

Chunks = AsyncIterator[bytes]
_CHUNK_CHARACTERS = 200


def _event(name: str, **data: object) -> bytes:
    return f"event: {name}\ndata: {json.dumps({'type': name, **data})}\n\n".encode()


async def events(message: Json, *, broken: bool) -> Chunks:
    """Yield the events; a `broken` stream ends in an `error` event after its first delta."""
    usage = message["usage"]
    begun = {**message, "content": [], "stop_reason": None, "usage": {**usage, "output_tokens": 1}}
    yield _event("message_start", message=begun)
    yield _event("ping")
    for index, block in enumerate(message["content"]):
        yield _event("content_block_start", index=index, content_block=_empty(block))
        for delta in _deltas(block):
            yield _event("content_block_delta", index=index, delta=delta)
            if broken:
                yield _event("error", error=ApiError("overloaded_error", "Overloaded").body("")["error"])
                return
        yield _event("content_block_stop", index=index)
    ended = {key: message[key] for key in ("stop_reason", "stop_sequence", "stop_details")}
    yield _event("message_delta", delta=ended, usage=usage)
    yield _event("message_stop")


def _empty(block: Json) -> Json:
    return {"type": "text", "text": ""} if block["type"] == "text" else {**block, "thinking": "", "signature": ""}


def _deltas(block: Json) -> Iterator[Json]:
    kind = str(block["type"])
    text = str(block[kind])
    for start in range(0, len(text), _CHUNK_CHARACTERS):
        yield {"type": f"{kind}_delta", kind: text[start : start + _CHUNK_CHARACTERS]}
    if kind == "thinking":
        yield {"type": "signature_delta", "signature": block["signature"]}

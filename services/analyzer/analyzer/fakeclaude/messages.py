"""`/v1/messages` and `/v1/messages/count_tokens`."""

import asyncio

from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from analyzer.fakeclaude import catalogue, files, scenarios, stream, validation
from analyzer.fakeclaude.answers import answer
from analyzer.fakeclaude.catalogue import Model
from analyzer.fakeclaude.endpoint import Call, endpoint
from analyzer.fakeclaude.scenarios import Kind, Scenario
from analyzer.fakeclaude.state import State
from analyzer.fakeclaude.tokens import Input, pieces, text_tokens
from analyzer.fakeclaude.wire import Json

_REFUSED = "I can't help with this page."
_THOUGHT = "The first section decides; I look at what it says and for whom."
_REFUSAL_DETAILS = {"type": "refusal", "category": "cyber", "explanation": "The page looks like security tooling."}


async def create(call: Call) -> Response:
    """Answer a message, whole or as a stream."""
    window = call.state.window(call.key)
    model, scenario = _begin(call)
    scenario.raise_error()
    window.enforce(call.state.limits, call.state.clock())
    window.spent["requests"] += 1
    await asyncio.sleep(call.state.latency_s)
    await _misbehave(call, scenario)
    message = message_for(call.state, call.body, model, scenario)
    window.take(message["usage"])
    if scenario.kind is Kind.DROP_BODY:
        return StreamingResponse(_half(call, message), media_type="application/json")
    if scenario.kind is Kind.GARBLED:
        return Response(b'{"id": "msg_', media_type="application/json")
    if scenario.kind is Kind.FOREIGN:
        return Response("<html>Please log in to the network.</html>", media_type="text/html")
    if call.body.get("stream"):
        events = stream.events(message, broken=scenario.kind is Kind.STREAM_ERROR)
        return StreamingResponse(events, media_type="text/event-stream")
    return JSONResponse(message)


async def count(call: Call) -> Response:
    """Count the input tokens of a message without answering it."""
    call.body.setdefault("max_tokens", 1)
    model, scenario = _begin(call)
    scenario.raise_error()
    return JSONResponse({"input_tokens": sum(piece.tokens for piece in pieces(model, call.body))})


def _begin(call: Call) -> tuple[Model, Scenario]:
    name, suffix = scenarios.split_model(str(call.body.get("model", "")))
    model = catalogue.find(name)
    files.resolve(call.state, call.body)
    validation.check(model, call.body, call.version)
    return model, call.state.scenario(call.key, call.request.headers.get(scenarios.HEADER, ""), suffix)


async def _misbehave(call: Call, scenario: Scenario) -> None:
    if scenario.kind is Kind.SLOW:
        await asyncio.sleep(scenario.argument)
    if scenario.kind is Kind.HANG:
        await call.gone()
    if scenario.kind is Kind.DROP:
        await call.drop()


async def _half(call: Call, message: Json) -> stream.Chunks:
    whole = bytes(JSONResponse(message).body)
    yield whole[: len(whole) // 2]
    await call.drop()


def message_for(state: State, body: Json, model: Model, scenario: Scenario) -> Json:
    """Answer a message that was found valid, and charge for it."""
    content, stop_reason = _content(body, scenario.kind)
    charged = state.cache.charge(model, body, state.clock())
    spoken = sum(text_tokens(block.get("text", "") + block.get("thinking", "")) for block in content)
    thinking = sum(text_tokens(block.get("thinking", "")) for block in content)
    return {
        "id": state.next_id("msg"),
        "type": "message",
        "role": "assistant",
        "model": model.id,
        "content": content,
        "stop_reason": stop_reason,
        "stop_sequence": None,
        "stop_details": _REFUSAL_DETAILS if stop_reason == "refusal" else None,
        "usage": _usage(charged, spoken, thinking),
    }


def _content(body: Json, kind: Kind) -> tuple[list[Json], str]:
    if kind is Kind.REFUSAL:
        return [], "refusal"
    if kind is Kind.REFUSAL_TEXT:
        return [{"type": "text", "text": _REFUSED}], "refusal"
    text = answer(body, kind)
    limit = int(body["max_tokens"])
    if kind is Kind.TRUNCATED or text_tokens(text) > limit:
        cut = min(len(text) // 2, int(limit * 3.3))
        return [{"type": "text", "text": text[:cut]}], "max_tokens"
    thought = [{"type": "thinking", "thinking": _THOUGHT, "signature": "ZmFrZQ=="}] if kind is Kind.THINKING else []
    return [*thought, {"type": "text", "text": text}], "end_turn"


def _usage(charged: Input, output: int, thinking: int) -> Json:
    return {
        "input_tokens": charged.uncached,
        "output_tokens": output,
        "cache_read_input_tokens": charged.read,
        "cache_creation_input_tokens": sum(charged.written.values()),
        "cache_creation": {
            "ephemeral_5m_input_tokens": charged.written.get("5m", 0),
            "ephemeral_1h_input_tokens": charged.written.get("1h", 0),
        },
        "output_tokens_details": {"thinking_tokens": thinking},
        "service_tier": "standard",
        "inference_geo": "global",
        "server_tool_use": None,
    }


ROUTES = [
    Route("/v1/messages", endpoint(create), methods=["POST"]),
    Route("/v1/messages/count_tokens", endpoint(count), methods=["POST"]),
]

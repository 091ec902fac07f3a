"""The refusals worth imitating: what the API answers 400, 404 or 413 for."""

from collections.abc import Iterator

from analyzer.fakeclaude.catalogue import Model
from analyzer.fakeclaude.tokens import fits, fitted, image_size
from analyzer.fakeclaude.wire import ApiError, Json, request_blocks

MAX_BODY_BYTES = 32 * 1024 * 1024
_MANY_IMAGES = 20
_MANY_IMAGES_PX = 2_000
_MAX_PX = 8_000
_MAX_OPTIONAL = 24
_MAX_UNIONS = 16
_MAX_BREAKPOINTS = 4
_KNOWN = frozenset(
    {
        "cache_control",
        "container",
        "diagnostics",
        "inference_geo",
        "max_tokens",
        "messages",
        "metadata",
        "model",
        "output_config",
        "service_tier",
        "speed",
        "stop_sequences",
        "stream",
        "system",
        "thinking",
        "tool_choice",
        "tools",
        "user_profile_id",
        "workspace_id",
    }
)
_SAMPLING = ("temperature", "top_p", "top_k")
SAMPLING_REMOVED = "2026-10-21"
"""First API version that refuses sampling parameters; versions are dates and sort as text."""


def _refuse(message: str) -> ApiError:
    return ApiError("invalid_request_error", message)


def check(model: Model, body: Json, version: str) -> None:
    """Raise the first `ApiError` that the API would answer; `version` is the `anthropic-version` header."""
    _fields(body, version)
    _messages(body)
    _thinking_and_tools(model, body)
    _schema(body.get("output_config", {}).get("format"))
    _images(model, body)
    _breakpoints(body)


def _fields(body: Json, version: str) -> None:
    for name in _SAMPLING:
        if name in body and version >= SAMPLING_REMOVED:
            raise _refuse(f"{name}: Extra inputs are not permitted")
    for name in sorted(set(body) - _KNOWN - set(_SAMPLING)):
        raise _refuse(f"{name}: Extra inputs are not permitted")
    if not isinstance(body.get("max_tokens"), int):
        raise _refuse("max_tokens: Field required")


def _messages(body: Json) -> None:
    messages = body.get("messages")
    if not messages or not isinstance(messages, list):
        raise _refuse("messages: at least one message is required")
    if messages[0]["role"] != "user":
        raise _refuse("messages: first message must use the user role")
    if messages[-1]["role"] == "assistant":
        raise _refuse(
            "This model does not support assistant message prefill. The conversation must end with a user message."
        )
    for block in request_blocks(body):
        if block.get("type") == "text" and not str(block.get("text", "")).strip():
            raise _refuse("messages: text content blocks must contain non-whitespace text")
    _tool_results(messages)


def _tool_results(messages: list[Json]) -> None:
    called: set[str] = set()
    for message in messages:
        content = message["content"] if isinstance(message["content"], list) else []
        answered = {block.get("tool_use_id") for block in content if block.get("type") == "tool_result"}
        if message["role"] == "user" and answered != called:
            raise _refuse(
                "messages: each tool_use must have a tool_result with its id in the next message, and vice versa"
            )
        called = {block["id"] for block in content if block.get("type") == "tool_use"}


def _thinking_and_tools(model: Model, body: Json) -> None:
    thinking = body.get("thinking", {}).get("type")
    if thinking and thinking not in model.thinking:
        raise _refuse(f"thinking.type: {thinking} is not supported by {model.id}")
    choice = body.get("tool_choice", {}).get("type")
    if choice in {"any", "tool"} and not model.forced_tools:
        raise _refuse(f"tool_choice: {choice} is not supported by {model.id}")
    if choice and not body.get("tools"):
        raise _refuse("tool_choice: may only be specified while providing tools")


def _objects(schema: object) -> Iterator[Json]:
    if isinstance(schema, dict):
        yield schema
        for value in schema.values():
            yield from _objects(value)
    for item in schema if isinstance(schema, list) else []:
        yield from _objects(item)


def _schema(form: Json | None) -> None:
    if form is None:
        return
    if form.get("type") != "json_schema" or not isinstance(form.get("schema"), dict):
        raise _refuse("output_config.format: needs type json_schema and a schema")
    optional = unions = 0
    for node in _objects(form["schema"]):
        unions += "anyOf" in node or isinstance(node.get("type"), list)
        if node.get("type") == "object" and "properties" in node:
            optional += len(set(node["properties"]) - set(node.get("required", [])))
            if node.get("additionalProperties") is not False:
                raise _refuse("output_config.format.schema: additionalProperties must be explicitly set to false")
    if optional > _MAX_OPTIONAL or unions > _MAX_UNIONS:
        raise _refuse("output_config.format.schema: the compiled grammar is too large")


def _images(model: Model, body: Json) -> None:
    images = [block for block in request_blocks(body) if block.get("type") == "image"]
    for image in images:
        width, height, kind = image_size(image)
        if kind != image["source"].get("media_type"):
            raise _refuse(f"image: the media type does not match the data, which is {kind}")
        if max(width, height) > _MAX_PX or (len(images) > _MANY_IMAGES and max(width, height) > _MANY_IMAGES_PX):
            raise _refuse(f"image: {width} × {height} exceeds the largest side for this number of images")
        strict = image.get("transformations", {}).get("oversized_image") == "error"
        if strict and not fits(model, width, height):
            best = fitted(model, width, height)
            raise _refuse(
                f"image: {width} × {height} is too large; the largest size that fits is {best[0]} × {best[1]}"
            )


def _breakpoints(body: Json) -> None:
    system = body.get("system", [])
    marked = [*body.get("tools", []), *(system if isinstance(system, list) else []), *request_blocks(body)]
    count = sum("cache_control" in block for block in marked)
    if count > _MAX_BREAKPOINTS:
        raise _refuse(f"A maximum of {_MAX_BREAKPOINTS} blocks with cache_control may be provided. Found {count}.")

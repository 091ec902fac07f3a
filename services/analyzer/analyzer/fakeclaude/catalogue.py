"""The models that the fake knows, with what the real ones are documented to accept."""

from dataclasses import dataclass

from analyzer.fakeclaude.wire import ApiError

_ALL_THINKING = ("adaptive", "between_tools", "disabled", "enabled")


@dataclass(frozen=True)
class Model:
    """A model. Pixels are of the long edge, tokens are visual or cache-prefix tokens."""

    id: str
    line: str
    lifecycle: str = "active"
    retires_at: str | None = None
    max_edge_px: int = 2_576
    max_image_tokens: int = 4_784
    cache_minimum: int = 512
    max_input_tokens: int = 1_000_000
    max_tokens: int = 128_000
    thinking: tuple[str, ...] = ("adaptive", "between_tools")
    forced_tools: bool = True


MODELS = {
    model.id: model
    for model in (
        Model("claude-haiku-5-5", "haiku", thinking=_ALL_THINKING, cache_minimum=1_024),
        Model("claude-sonnet-5-5", "sonnet", forced_tools=False),
        Model("claude-opus-5-5", "opus", thinking=("adaptive",)),
        Model("claude-fable-5-2", "fable", thinking=("adaptive",)),
        Model(
            "claude-haiku-4-5",
            "haiku",
            max_edge_px=1_568,
            max_image_tokens=1_568,
            cache_minimum=4_096,
            max_input_tokens=200_000,
            max_tokens=64_000,
            thinking=("disabled", "enabled"),
        ),
        Model("claude-sonnet-4-5", "sonnet", "deprecated", "2026-11-30T00:00:00Z", thinking=("disabled", "enabled")),
        Model("claude-mythos-preview", "mythos", "retired", "2026-06-30T00:00:00Z"),
    )
}


def find(name: str) -> Model:
    """Return the model of that id; raises the API's own 404 for an unknown or retired one."""
    model = MODELS.get(name)
    if model is None or model.lifecycle == "retired":
        raise ApiError("not_found_error", f"model: {name}")
    return model

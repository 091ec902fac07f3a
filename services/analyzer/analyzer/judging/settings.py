"""Whether and how Claude is asked. Without a key nothing is."""

from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, field_validator

from contracts.analyze import Preset
from runtime.settings import Settings

_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


def _private(url: str) -> str:
    parts = urlsplit(url)
    if parts.username or parts.query or parts.fragment:
        raise ValueError("must have no user, query or fragment")
    if not parts.hostname or (
        parts.scheme != "https" and (parts.scheme, parts.hostname in _LOOPBACK) != ("http", True)
    ):
        raise ValueError("must be https, or http on loopback: the key and the page travel there")
    return url


class ClaudeSettings(Settings):
    """Claude's key, address, models and limits."""

    anthropic_api_key: SecretStr = Field(SecretStr(""), description="with a key, Claude judges what rules cannot")
    anthropic_api_keys: SecretStr = Field(
        SecretStr(""), description="more keys, separated by commas or lines; calls go to the least loaded"
    )
    anthropic_base_url: Annotated[str, AfterValidator(_private)] = Field(
        "https://api.anthropic.com", description="https, or http on loopback"
    )
    claude_model_fast: str = Field("claude-haiku-5-5", description="model of the preset `fast`")
    claude_model_standard: str = Field("claude-sonnet-5-5", description="model of the preset `standard`")
    claude_model_deep: str = Field("claude-opus-5-5", description="model of the preset `deep`")
    claude_effort: Literal["", "low", "medium", "high", "xhigh", "max"] = Field(
        "", description="empty: each model's own default"
    )
    claude_max_output_tokens: int = Field(12_000, ge=1_000, le=64_000, description="thinking included")
    claude_bulk_wait_seconds: float = Field(
        10,
        gt=0,
        le=60,
        description="how long prompts of bulk work are collected before they leave as one message batch",
    )
    claude_bulk_requests: int = Field(
        100, ge=1, le=1_000, description="prompts with which a message batch leaves at once"
    )
    claude_bulk_bytes: int = Field(
        64_000_000, ge=1, description="bytes of pictures with which it does: they wait in memory"
    )

    @field_validator("anthropic_api_key", "anthropic_api_keys")
    @classmethod
    def _can_be_sent(cls, value: SecretStr) -> SecretStr:
        text = value.get_secret_value()
        if not text.isascii() or not all(part.isprintable() for part in text.split()):
            raise ValueError("has characters that no key has: was it pasted whole, and nothing else?")
        return value

    @field_validator("anthropic_api_key")
    @classmethod
    def _is_one(cls, value: SecretStr) -> SecretStr:
        if len(value.get_secret_value().split()) > 1:
            raise ValueError("holds a blank: one key belongs here, more of them in ANTHROPIC_API_KEYS")
        return value

    @property
    def enabled(self) -> bool:
        """Say whether there is a key."""
        return bool(self.keys)

    @property
    def keys(self) -> tuple[SecretStr, ...]:
        """Return every key once, ANTHROPIC_API_KEY first."""
        more = self.anthropic_api_keys.get_secret_value().replace(",", " ").split()
        every = [self.anthropic_api_key.get_secret_value().strip(), *more]
        return tuple(SecretStr(key) for key in dict.fromkeys(every) if key)

    @property
    def on_loopback(self) -> bool:
        """Say whether it is a fake that answers: the provider is nobody's loopback."""
        return urlsplit(self.anthropic_base_url).hostname in _LOOPBACK

    @property
    def models(self) -> tuple[str, str, str]:
        """Return the configured models, smallest preset first."""
        return self.claude_model_fast, self.claude_model_standard, self.claude_model_deep

    @property
    def models_by_setting(self) -> dict[str, str]:
        """Return the configured models by the name of the environment variable that chose each."""
        return dict(zip(("CLAUDE_MODEL_FAST", "CLAUDE_MODEL_STANDARD", "CLAUDE_MODEL_DEEP"), self.models, strict=True))

    def ladder(self, preset: Preset) -> tuple[str, ...]:
        """Return the preset's model and then the next smaller preset's, which answers when it cannot.

        Raises `ValueError` for the preset that asks no model.
        """
        if preset is Preset.RULES:
            raise ValueError("the preset `rules` asks no model")
        rung = {Preset.FAST: 0, Preset.STANDARD: 1, Preset.DEEP: 2}[preset]
        return tuple(dict.fromkeys(self.models[max(0, rung - 1) : rung + 1][::-1]))

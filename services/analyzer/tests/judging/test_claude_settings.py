import pytest
from pydantic import SecretStr, ValidationError

from analyzer.judging.settings import ClaudeSettings
from contracts.analyze import Preset
from runtime.settings import unusable


@pytest.mark.parametrize(
    "url",
    [
        "http://api.example",
        "http://127.0.0.1.evil.example",
        "http://localhost@evil.example",
        "https://user@api.example",
        "https://api.example/?key=1",
        "https:///v1",
        "ftp://127.0.0.1",
        "api.anthropic.com",
    ],
)
def test_the_key_travels_nowhere_else(url: str) -> None:
    with pytest.raises(ValidationError):
        ClaudeSettings(anthropic_base_url=url)


@pytest.mark.parametrize(
    "url", ["https://api.example/prefix", "http://127.0.0.1:9200", "http://localhost:1", "http://[::1]:1"]
)
def test_https_and_loopback_are_fine(url: str) -> None:
    assert ClaudeSettings(anthropic_base_url=url).anthropic_base_url == url


def test_a_blank_key_is_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "  ")
    assert not ClaudeSettings().enabled
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-1")
    assert ClaudeSettings().enabled
    assert "sk-ant-1" not in repr(ClaudeSettings())


def test_each_preset_steps_down_once() -> None:
    settings = ClaudeSettings(anthropic_api_key=SecretStr(""))
    assert settings.ladder(Preset.DEEP) == ("claude-opus-5-5", "claude-sonnet-5-5")
    assert settings.ladder(Preset.STANDARD) == ("claude-sonnet-5-5", "claude-haiku-5-5")
    assert settings.ladder(Preset.FAST) == ("claude-haiku-5-5",)
    assert ClaudeSettings(claude_model_standard="m", claude_model_fast="m").ladder(Preset.STANDARD) == ("m",)
    with pytest.raises(ValueError, match="no model"):
        settings.ladder(Preset.RULES)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("ANTHROPIC_API_KEY", "sk-ant-geheim and more", "ANTHROPIC_API_KEY: holds a blank"),
        ("ANTHROPIC_API_KEY", "sk-ant-geheim…", "ANTHROPIC_API_KEY: has characters that no key has"),
        ("ANTHROPIC_API_KEYS", "sk-ant-a,sk-ant-geheim\x07", "ANTHROPIC_API_KEYS: has characters that no key has"),
    ],
)
def test_a_key_that_was_pasted_wrongly_is_refused_unseen(
    name: str, value: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ValidationError) as caught:
        ClaudeSettings()
    assert unusable(caught.value).startswith(said)
    assert "geheim" not in unusable(caught.value)

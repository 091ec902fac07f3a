import pytest
import sentry_sdk
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

from runtime import telemetry


def test_nothing_is_reported_unless_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SENTRY_DSN", raising=False)
    monkeypatch.delenv("OTEL_EXPORTER_OTLP_ENDPOINT", raising=False)
    telemetry.configure("renderer", "1.0")
    assert not sentry_sdk.get_client().is_active()


def test_sentry_takes_errors_only_and_no_personal_data(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SENTRY_DSN", "http://key@127.0.0.1:9/1")
    monkeypatch.delenv("OTEL_EXPORTER_OTLP_ENDPOINT", raising=False)
    try:
        telemetry.configure("renderer", "1.0")
        client = sentry_sdk.get_client()
        assert (client.options["release"], client.options["traces_sample_rate"]) == ("1.0", 0)
        assert not client.should_send_default_pii()
    finally:
        sentry_sdk.get_client().close(timeout=0)
        sentry_sdk.get_global_scope().set_client(None)


def test_traces_carry_service_and_release(monkeypatch: pytest.MonkeyPatch) -> None:
    providers: list[TracerProvider] = []
    monkeypatch.setattr(trace, "set_tracer_provider", providers.append)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.delenv("SENTRY_DSN", raising=False)
    telemetry.configure("renderer", "1.0")
    attributes = providers[0].resource.attributes
    assert (attributes["service.name"], attributes["service.version"]) == ("renderer", "1.0")
    providers[0].shutdown()

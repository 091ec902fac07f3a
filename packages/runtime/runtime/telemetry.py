"""Errors to Sentry and traces to an OTLP collector, each only where its setting names one."""

from opentelemetry import propagate
from pydantic import Field

from runtime.settings import Settings


class TelemetrySettings(Settings):
    """Where errors and traces go. Both are off by default."""

    sentry_dsn: str = Field("", description="where errors are reported; empty: nowhere")
    otel_exporter_otlp_endpoint: str = Field("", description="collector of traces (OTLP over HTTP); empty: none")


# Imported where they are used: together they take longer than the rest of a service's start.
def configure(service: str, release: str) -> None:
    """Start the reporters that the environment names. Sentry takes errors only: OpenTelemetry owns tracing."""
    settings = TelemetrySettings()
    if settings.sentry_dsn:
        _report_errors(settings.sentry_dsn, service, release)
    if settings.otel_exporter_otlp_endpoint:
        _export_traces(service, release)


def traceparent() -> str:
    """Return the W3C trace context of the work at hand, for a row that somebody else goes on with; empty: none."""
    carrier: dict[str, str] = {}
    propagate.inject(carrier)
    return carrier.get("traceparent", "")


def _report_errors(dsn: str, service: str, release: str) -> None:
    import sentry_sdk  # noqa: PLC0415  # see `configure`

    # Personal data stays out by the SDK's own default; to say so is deprecated and warns.
    sentry_sdk.init(dsn, release=release, traces_sample_rate=0)
    sentry_sdk.set_tag("service", service)


def _export_traces(service: str, release: str) -> None:
    from opentelemetry import trace  # noqa: PLC0415  # see `configure`
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415  # see `configure`
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415  # see `configure`
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415  # see `configure`
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415  # see `configure`

    resource = Resource.create({"service.name": service, "service.version": release})
    provider = TracerProvider(resource=resource)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)

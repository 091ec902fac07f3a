"""Errors to Sentry and traces to an OTLP collector, each only where its setting names one."""

import sentry_sdk
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from pydantic import Field

from runtime.settings import Settings


class TelemetrySettings(Settings):
    """Where errors and traces go. Both are off by default."""

    sentry_dsn: str = Field("", description="where errors are reported; empty: nowhere")
    otel_exporter_otlp_endpoint: str = Field("", description="collector of traces (OTLP over HTTP); empty: none")


def configure(service: str, release: str) -> None:
    """Start the reporters that the environment names. Sentry takes errors only: OpenTelemetry owns tracing."""
    settings = TelemetrySettings()
    if settings.sentry_dsn:
        # Personal data stays out by the SDK's own default; to say so is deprecated and warns.
        sentry_sdk.init(settings.sentry_dsn, release=release, traces_sample_rate=0)
        sentry_sdk.set_tag("service", service)
    if settings.otel_exporter_otlp_endpoint:
        resource = Resource.create({"service.name": service, "service.version": release})
        provider = TracerProvider(resource=resource)
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        trace.set_tracer_provider(provider)

"""Structured logs: JSON lines in a service, readable ones in a terminal; secrets never leave."""

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

_SECRET_FIELD = re.compile(r"(?i)(authorization|cookie|password|secret|token|api_?key|signature)")
_SECRET_TEXT = re.compile(
    r"(?i)(cro_(?:live|test|adm)_\w+|sk-ant-[\w-]+|(?<=X-Amz-Signature=)\w+|(?<=[?&]sig=)[\w%-]+)"
)


def _scrub(value: object) -> object:
    return _SECRET_TEXT.sub("[redacted]", value) if isinstance(value, str) else value


def redact(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Replace secret fields and secrets inside texts; structlog's processor signature."""
    for key, value in event.items():
        event[key] = "[redacted]" if _SECRET_FIELD.search(key) else _scrub(value)
    return event


def configure(service: str, level: str = "INFO") -> None:
    """Send structlog and the standard library's records to stderr, one event a line."""
    terminal = sys.stderr.isatty()
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        redact,
    ]
    renderer = structlog.dev.ConsoleRenderer() if terminal else structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    final = [structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer]
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=final))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    structlog.contextvars.bind_contextvars(service=service)
    for noisy in ("httpx2", "httpcore2", "uvicorn.access", "botocore", "alembic.runtime"):
        logging.getLogger(noisy).setLevel(logging.WARNING)

"""Traces by OpenTelemetry, where its packages are there and `OTEL_*` asks for them; nothing otherwise.

A span for each call: method, route and status, never addresses, queries or bodies.
"""

import importlib
import os
from collections.abc import Mapping
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

_ASKED = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_TRACES_EXPORTER")


def wanted(environment: Mapping[str, str]) -> bool:
    """Whether the environment asks for traces (OpenTelemetry's environment variable specification)."""
    if environment.get("OTEL_SDK_DISABLED", "").lower() == "true" or environment.get("OTEL_TRACES_EXPORTER") == "none":
        return False
    return any(environment.get(name) for name in _ASKED)


def tracer(environment: Mapping[str, str] | None = None) -> Any:  # noqa: ANN401 - the package may not be there
    """A tracer that exports, or None where none is wanted or the packages are not there."""
    if not wanted(os.environ if environment is None else environment):
        return None
    try:
        trace = importlib.import_module("opentelemetry.trace")
        sdk = importlib.import_module("opentelemetry.sdk.trace")
        export = importlib.import_module("opentelemetry.sdk.trace.export")
        otlp = importlib.import_module("opentelemetry.exporter.otlp.proto.http.trace_exporter")
    except ImportError:
        return None
    provider = sdk.TracerProvider()
    provider.add_span_processor(export.BatchSpanProcessor(otlp.OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    return provider.get_tracer("jackstop.web")


class Traced:
    """An app whose calls are spans of a tracer."""

    def __init__(self, app: ASGIApp, by: Any) -> None:  # noqa: ANN401 - the package may not be there
        self._app, self._tracer = app, by

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one call."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        with self._tracer.start_as_current_span(scope["method"]) as span:

            async def sent(message: Message) -> None:
                if message["type"] == "http.response.start":
                    span.set_attribute("http.response.status_code", message["status"])
                await send(message)

            await self._app(scope, receive, sent)
            path = getattr(scope.get("route"), "path", "none")
            span.update_name(f"{scope['method']} {path}")
            span.set_attribute("http.route", path)

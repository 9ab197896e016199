"""Traces: none unless asked for, none where the packages are not there, and no more in them than they should hold."""

from contextlib import contextmanager

import pytest
from a_bank import bank

from jackstop.web import tracing


@pytest.mark.parametrize(
    ("environment", "wanted"),
    [
        ({}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}, True),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, True),
        ({"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "x"}, False),
        ({"OTEL_SDK_DISABLED": "true", "OTEL_EXPORTER_OTLP_ENDPOINT": "x"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": ""}, False),
    ],
)
def test_traces_are_made_only_where_the_environment_asks(environment, wanted):
    assert tracing.wanted(environment) is wanted


def test_without_the_packages_there_are_none_and_nothing_fails(monkeypatch):
    def absent(name):
        raise ImportError(name)

    monkeypatch.setattr(tracing.importlib, "import_module", absent)
    assert tracing.tracer({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}) is None


class Span:
    """A span that keeps what it is told."""

    def __init__(self, name):
        self.name, self.said = name, {}

    def set_attribute(self, name, value):
        self.said[name] = value

    def update_name(self, name):
        self.name = name


class Tracer:
    """A tracer that keeps its spans."""

    def __init__(self):
        self.spans = []

    @contextmanager
    def start_as_current_span(self, name):
        self.spans.append(Span(name))
        yield self.spans[-1]


async def test_a_span_tells_of_method_route_and_status_and_nothing_else(tmp_path, monkeypatch):
    tracer = Tracer()
    monkeypatch.setattr(tracing, "tracer", lambda: tracer)
    home = bank(tmp_path)
    async with home.logged_in("viewer") as client:
        await client.get("/v1/alerts/a1?lang=ja")
        await client.get("/nothing?token=secret")
    first, second = tracer.spans
    assert (first.name, first.said) == (
        "GET /v1/alerts/{alert}",
        {"http.response.status_code": 200, "http.route": "/v1/alerts/{alert}"},
    )
    assert (second.name, second.said["http.response.status_code"]) == ("GET none", 404)
    assert "secret" not in str(second.said)
    home.context.database.close()

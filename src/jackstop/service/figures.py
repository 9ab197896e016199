"""How the parts of the service fare: facts for `/v1/health` and the heartbeat, figures for Prometheus."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import msgspec
from prometheus_client import CollectorRegistry, Counter
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from jackstop.model.settings import SECOND
from jackstop.service.clock import now
from jackstop.spool.gate import SpoolGate

Facts = Mapping[str, object]

LATE = 15 * SECOND
"""µs without a word from the loop after which it does not work."""


class _Loop(msgspec.Struct):
    """`run/loop.json`."""

    at: int
    seq: int
    received: int
    watermark: int
    steps: int
    rows: int
    cost: float
    checkpoint: int


class Figures(Collector):
    """The service's own figures.

    Args:
        data: the service's folder. gate: before the spool.

    Attributes:
        registry: of Prometheus.
    """

    def __init__(self, data: Path, gate: SpoolGate) -> None:
        self._data, self._gate = data, gate
        self._told: dict[str, dict[str, object]] = {}
        self._asked: dict[str, Callable[[], Facts]] = {}
        self.registry = CollectorRegistry()
        self._sinks = Counter("jackstop_sink_events", "Deliveries by sink and outcome", ["event", "sink"], registry=self.registry)
        self.registry.register(self)

    def add(self, part: str, facts: Callable[[], Facts]) -> None:
        """Ask a part for its facts whenever health is asked for."""
        self._asked[part] = facts

    def tell(self, part: str, key: str, value: object) -> None:
        """Note a fact of a part."""
        self._told.setdefault(part, {})[key] = value

    def count(self, name: str, sink: str, n: int) -> None:
        """Count what became of deliveries (see `delivery.Metrics`)."""
        self._sinks.labels(name, sink).inc(n)

    def health(self) -> Mapping[str, Facts]:
        """Part to facts; `ok` says whether it works."""
        gate = self._gate.figures
        spool = {"ok": not gate.fault, **{n: getattr(gate, n) for n in gate.__dataclass_fields__}, "waiting": self._gate.waiting}
        return {"spool": spool, "loop": self._loop(), **{p: f() for p, f in self._asked.items()}, **self._told}

    def line(self, at: int) -> bytes:
        """The heartbeat: when, and health, as JSON."""
        return msgspec.json.encode({"at": at, "health": self.health()}, enc_hook=str)

    def collect(self) -> Iterable[Metric]:
        """For Prometheus: the spool and the loop."""
        gate, loop = self._gate.figures, self._read()
        yield CounterMetricFamily("jackstop_spool_frames", "Frames written to the spool", value=gate.frames)
        yield CounterMetricFamily("jackstop_spool_bytes", "Bytes written to the spool", value=gate.bytes)
        yield CounterMetricFamily("jackstop_spool_full", "Times a sender was told to come again later", value=gate.full)
        yield GaugeMetricFamily("jackstop_spool_sync_seconds", "Seconds of the last sync to disk", value=gate.sync_seconds)
        if loop is not None:
            yield CounterMetricFamily("jackstop_loop_rows", "Rows decided on", value=loop.rows)
            yield CounterMetricFamily("jackstop_loop_steps", "Steps of the loop", value=loop.steps)
            yield GaugeMetricFamily("jackstop_loop_step_seconds", "Seconds of the last step", value=loop.cost)
            yield GaugeMetricFamily("jackstop_loop_behind_seconds", "How far the loop is behind", value=behind(loop.received))

    def _loop(self) -> Facts:
        loop = self._read()
        if loop is None:
            return {"ok": False, "fault": "not heard of yet"}
        ok = now() - loop.at < LATE
        return {"ok": ok, "behind_seconds": behind(loop.received), **msgspec.to_builtins(loop)}

    def _read(self) -> _Loop | None:
        try:
            return msgspec.json.decode((self._data / "run" / "loop.json").read_bytes(), type=_Loop)
        except (OSError, msgspec.DecodeError):
            return None


def behind(received: int) -> float:
    """Seconds since the frame the loop last dealt with was received."""
    return max(0, now() - received) / SECOND if received else 0.0

"""Test cases that detections carry: a few rows at one terminal, and whether the detection must fire.

A case says its rows in seconds after `START` and in the tables' own words; `jackstop.trial` runs it through the whole
engine, so a case also covers matching, visits and latency.
"""

from dataclasses import dataclass, field
from typing import Any

START = 1_772_330_400_000_000
"""2026-03-01 02:00:00 UTC, a Sunday night, in µs."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row: table, seconds after `START`, columns; `source` names the stream (its format)."""

    table: str
    at: float
    source: str
    values: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Case:
    """One test: what happens, whether it must fire, and the visits known.

    Attributes:
        name: a sentence. rows: what the logs say. fires: whether a claim must come.
        visits: (start, end, permits) in seconds after `START`. missing: formats of streams the terminal lacks.
        indicators: (kind, value) that advisories list.
    """

    name: str
    rows: tuple[Row, ...]
    fires: bool
    visits: tuple[tuple[float, float, tuple[str, ...]], ...] = ()
    missing: tuple[str, ...] = ()
    indicators: tuple[tuple[str, str], ...] = ()


def row(table: str, at: float, source: str, **values: Any) -> Row:  # noqa: ANN401 - checked against the schema when run
    """A row of a case."""
    return Row(table, at, source, values)


def device(at: float, activity: str, amount: int | None = None, **values: Any) -> Row:  # noqa: ANN401 - as above
    """A row the dispenser's trace says."""
    said = {"activity": activity, "layer": "device", "currency": "USD", "amount": amount, **values}
    return Row("cash", at, "nextware-trace", said)


def paid(at: float, amount: int) -> tuple[Row, ...]:
    """A whole movement of notes: ordered, picked, presented, taken."""
    return (
        device(at, "dispense-requested", amount),
        device(at + 4, "dispensed", amount, result=0),
        device(at + 7, "presented"),
        device(at + 12, "taken"),
    )


def reply(at: float, amount: int, *, approved: bool = True, rrn: str = "600000000001") -> Row:
    """The host's answer, as a switch export has it."""
    values = {
        "activity": "reply",
        "view": "host",
        "approved": approved,
        "response": "00" if approved else "51",
        "amount": amount,
        "currency": "USD",
        "rrn": rrn,
    }
    return Row("host", at, "switch-csv", values)


def door(at: float, activity: str = "opened", part: str = "cabinet", sensor: str = "door") -> Row:
    """A row of the alarm panel."""
    return Row("cabinet", at, "cef", {"activity": activity, "part": part, "sensor": sensor})


def told(at: float, activity: str, **values: Any) -> Row:  # noqa: ANN401 - as above
    """A row of the operator's doings, as the trace says them."""
    return Row("operator", at, "nextware-trace", {"activity": activity, **values})


HEARTBEAT = tuple(reply(-600 + 60 * i, 2000 + i, approved=False, rrn=f"5{i:011d}") for i in range(30))
"""A host feed that lives: unrelated refusals, one a minute from ten minutes before to twenty after."""

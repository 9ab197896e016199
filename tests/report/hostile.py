"""A report in which everything that can come from outside tries to break out of the page or steer the terminal."""

from dataclasses import fields, is_dataclass, replace
from typing import Any

from jackstop.model.measures import Drift, Drop, Measures
from jackstop.model.results import Alert, CashPoint, Finding, Glance, RecordRef, Report, SourceCoverage, TimelineEntry

OURS = {
    Report: {"timezone", "version"},
    Alert: {"id", "severity", "detections"},
    Finding: {"id", "detection", "severity"},
    TimelineEntry: {"lane", "standing"},
    Glance: {"severity", "site", "by_verdict", "blind_spots", "unheard", "unproven"},
    CashPoint: set(),
    RecordRef: set(),
    SourceCoverage: set(),
    Measures: {"zone"},
    Drift: set(),
    Drop: set(),
}
"""Words that are never from outside: of our vocabulary, or made by us."""

MOVEMENT = ("id", "terminal", "currency", "reason", "explained_by")


def with_text(value: Any, payload: str) -> Any:
    """The same value with a payload after every word that can come from outside, names of terminals alike everywhere."""
    match value:
        case str():
            return value + payload
        case tuple():
            return tuple(with_text(v, payload) for v in value)
        case list():
            return [with_text(v, payload) for v in value]
        case dict() if "verdict" in value:
            return {k: with_text(v, payload) if k in MOVEMENT else v for k, v in value.items()}
        case dict():
            return {with_text(k, payload): with_text(v, payload) for k, v in value.items()}
        case _ if is_dataclass(value) and not isinstance(value, type):
            own = OURS.get(type(value), set())
            return replace(
                value, **{f.name: with_text(getattr(value, f.name), payload) for f in fields(value) if f.name not in own}
            )
        case _:
            return value

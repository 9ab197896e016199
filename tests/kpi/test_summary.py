"""All measures together."""

import polars as pl
import pytest

from jackstop.kpi import HOURS, MOVED, measures
from jackstop.model.fleet import Fleet
from jackstop.model.settings import HOUR

START = 1_772_409_600_000_000
"""2026-03-02 00:00 UTC, a Monday."""
FLEET = Fleet.model_validate(
    {
        "fleet": {"timezone": "UTC", "currency": "USD"},
        "terminal": [
            {"id": "A", "site": {"open": "08:00-20:00"}, "cassettes": [{"unit": 1, "type": 1, "value": 1000, "count": 9}]},
            {"id": "B"},
        ],
    }
)
SPAN = (START, START + 14 * 24 * HOUR)


def moved(*rows: tuple[object, ...]) -> pl.DataFrame:
    """Hours of verdicts."""
    return pl.DataFrame(rows, schema=MOVED, orient="row")


def counted(*rows: tuple[str, int, str, int]) -> pl.DataFrame:
    """Hourly counts as (terminal, hour from `START`, measure, amount)."""
    return pl.DataFrame([(t, START + h * HOUR, m, START, n) for t, h, m, n in rows], schema=HOURS, orient="row")


def test_ratio_drift_weeks_and_changes_come_from_their_hours():
    hours = moved(
        ("A", START, 5, 10_000, 4, 8000, 2000), ("A", START + HOUR, 1, 9000, 0, 0, 9000), ("B", START, 1, 500, 1, 500, 0)
    )
    closed = (("A", 3, "cabinet-closed", 2), ("A", 24 * 8, "cabinet-closed", 1), ("A", 12, "cabinet", 9))
    parts = [counted(*closed, ("A", 1, "change-approved", 3)), counted(("B", 1, "change-unapproved", 1))]
    m = measures(hours, parts, FLEET, SPAN)
    assert m.ratio == pytest.approx(19_500 / 8500)
    assert (m.allowance, m.limit) == (500, 5000)
    assert [(d.terminal, d.since, d.unexplained) for d in m.drifts] == [("A", START + HOUR, 11_000)]
    assert [(w.events, w.terminal_weeks) for w in m.weeks] == [(2, 1.0), (1, 1.0)]
    assert (m.approved.part, m.unapproved.part, m.approved.whole) == (3, 1, 4)
    assert m.approved.low < 0.75 < m.approved.high
    assert sum(h.unexplained for h in m.hours) == 11_000


def test_a_fleet_without_logs_has_measures_without_claims():
    m = measures(moved(), [], FLEET, (0, 0))
    assert (m.ratio, m.hours, m.drifts, m.weeks, m.drops) == (None, (), (), (), ())
    assert m.approved.whole == 0

"""Trials: the cases that detections carry, run through the whole engine."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import polars as pl

from jackstop import detections, engine, triage
from jackstop.advisories import Indicator
from jackstop.detections._cases import START, Case, Row
from jackstop.ledger.streams import Stream
from jackstop.model.fleet import Fleet
from jackstop.model.results import Finding
from jackstop.model.settings import HOUR, SECOND
from jackstop.model.tables import BY_NAME, VISITS, Tables

TERMINAL = "ATM-T"
SHARED = ("switch-csv", "cef", "winlogbeat")
"""Formats whose source serves the whole fleet."""

NEIGHBOURS = ("ATM-U", "ATM-V", "ATM-W")
"""Other machines of the trials' fleet, for cases that span several."""

FORMATS = ("nextware-trace", "ncr-journal", "switch-csv", "cef", "winlogbeat", "ndc")


def run(name: str, case: Case, *, cuts: int = 1) -> tuple[Finding, ...]:
    """The findings of one detection on one case, fed in `cuts` equal steps of time.

    One over findings is given those of all others, as triage gives them.
    """
    known = tuple(Stream(f, f, 2_000_000, None if f in SHARED else TERMINAL) for f in FORMATS[:5] if f not in case.missing)
    joint = name in detections.joint()
    setup = engine.Setup.of(fleet(), known, _visits(case), chosen=None if joint else (name,), indicators=_listed(case))
    desk = triage.Desk.of(setup.fleet)
    state = engine.State.begin(setup)
    rows = tables(r for r in case.rows if r.source not in case.missing)
    end = START + 6 * HOUR + round(max((r.at for r in case.rows), default=0) * 1e6)
    found: list[Finding] = []
    reach = engine.BEGINNING
    for i in range(cuts):
        at = START - HOUR + (end - START + HOUR) * (i + 1) // cuts
        last, reach = reach, at + setup.settings.skew
        due = pl.col("time").to_physical().is_between(last, reach, closed="right")
        state, output = engine.advance(setup, state, rows.map(lambda f, due=due: f.filter(due)), at)  # type: ignore[misc]
        found += output.findings
        triage.fold(desk, output.findings, SECOND, setup.settings)
    if joint:
        return tuple(f for i in (*desk.closed, *desk.open.values()) for f in i.findings if f.detection == name)
    return tuple(found)


def failures(name: str) -> list[str]:
    """What is wrong with a detection's own cases, a sentence each; empty when all hold."""
    wrong = []
    for case in detections.find(name).TESTS:
        fired = bool(run(name, case))
        if fired != case.fires:
            wrong.append(f"{name}: “{case.name}” must {'fire' if case.fires else 'stay silent'} and did not")
    return wrong


def fleet() -> Fleet:
    """The fleet of the trials: the terminal the cases are about, and its neighbours."""
    site = {"open": "08:00-20:00", "closed_days": ["Sun"]}
    return Fleet.model_validate(
        {
            "fleet": {"name": "trial", "timezone": "UTC", "currency": "USD"},
            "terminal": [{"id": t, "callers": ["AtmApplication.exe"], "site": site} for t in (TERMINAL, *NEIGHBOURS)],
        }
    )


def _listed(case: Case) -> list[Indicator]:
    return [Indicator.model_validate({"kind": k, "value": v}) for k, v in case.indicators]


def _visits(case: Case) -> pl.DataFrame:
    rows = [
        {
            "event_id": i,
            "terminal": TERMINAL,
            "time": START + round(a * 1e6),
            "until": START + round(b * 1e6),
            "permits": list(permits),
            "work_order": f"WO-{i}",
            "kind": "second-line",
        }
        for i, (a, b, permits) in enumerate(case.visits)
    ]
    return _frame("visits", rows)


def tables(rows: Iterable[Row]) -> Tables:
    """Rows of cases as Tables, at the trial's terminal unless they name another."""
    by_table: dict[str, list[dict[str, object]]] = {}
    for i, row in enumerate(rows):
        common = {
            "event_id": i + 1,
            "terminal": TERMINAL,
            "naming": "id",
            "time": START + round(row.at * 1e6),
            "source": row.source,
            "record_offset": i,
            "record_length": 1,
            "record_digest": sha256(str(i).encode()).digest(),
            "quality": 0,
            "time_uncertainty": 0,
        }
        by_table.setdefault(row.table, []).append({**common, **row.values})
    return Tables.of(**{name: _frame(name, rows) for name, rows in by_table.items()})


def _frame(name: str, rows: list[dict[str, object]]) -> pl.DataFrame:
    """Rows as a table; times are µs."""
    schema = (VISITS if name == "visits" else BY_NAME[name]).schema
    stamps = {c for c, t in schema.items() if isinstance(t, pl.Datetime)}
    origin = datetime(1970, 1, 1, tzinfo=UTC)
    placed = [
        {k: origin + timedelta(microseconds=v) if k in stamps and isinstance(v, int) else v for k, v in r.items()} for r in rows
    ]
    return pl.DataFrame(placed, schema=schema) if placed else pl.DataFrame(schema=schema)

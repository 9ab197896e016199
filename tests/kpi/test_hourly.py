"""Hourly counts: what is counted, and that cutting the rows into steps changes nothing."""

from datetime import UTC, datetime

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jackstop.kpi import HOURS, count
from jackstop.model.fleet import Fleet
from jackstop.model.settings import HOUR, MINUTE
from jackstop.model.tables import BY_NAME, VISITS
from jackstop.store.results import Results

START = 1_772_409_600_000_000
"""2026-03-02 00:00 UTC, a Monday."""
FLEET = Fleet.model_validate(
    {
        "fleet": {"timezone": "UTC", "currency": "USD"},
        "terminal": [{"id": "A", "site": {"open": "08:00-20:00"}}, {"id": "B"}],
    }
)


def rows(name: str, *values: dict[str, object]) -> pl.DataFrame:
    """Rows of a table as the engine gives them, at `START` plus `at`."""
    listed = [{"event_id": i, "terminal": "A", **v, "at": START + v["at"]} for i, v in enumerate(values)]
    return pl.DataFrame(listed, schema={**BY_NAME[name].schema, "at": pl.Int64})


def visit(start: int, end: int, *permits: str) -> pl.DataFrame:
    """A visit at A."""
    stamps = [datetime.fromtimestamp((START + t) / 1e6, UTC) for t in (start, end)]
    return pl.DataFrame(
        [{"event_id": 1, "terminal": "A", "time": stamps[0], "until": stamps[1], "permits": list(permits)}], schema=VISITS.schema
    )


def amounts(frame: pl.DataFrame) -> dict[tuple[str, int, str], int]:
    """Counts by terminal, hour from `START` and measure."""
    return {(t, (h - START) // HOUR, m): n for t, h, m, n in frame.select("terminal", "hour", "measure", "amount").rows()}


def test_doors_are_counted_by_whether_the_site_was_closed():
    doors = rows(
        "cabinet",
        {"at": 0, "activity": "opened", "part": "cabinet"},
        {"at": MINUTE, "activity": "tamper", "part": "fascia"},
        {"at": 9 * HOUR, "activity": "opened", "part": "cabinet"},
        {"at": 0, "activity": "opened", "part": "cabinet", "terminal": "B"},
        {"at": 0, "activity": "closed", "part": "cabinet"},
        {"at": 0, "activity": "opened", "part": "site"},
    )
    assert amounts(count({"cabinet": doors}, FLEET, VISITS.empty())) == {
        ("A", 0, "cabinet-closed"): 2,
        ("A", 9, "cabinet"): 1,
        ("B", 0, "cabinet"): 1,
    }


def test_new_services_are_approved_by_a_visit_for_software_only():
    events = rows(
        "windows",
        {"at": 2 * HOUR, "channel": "System", "code": 7045},
        {"at": 5 * HOUR, "channel": "Security", "code": 4697},
        {"at": 5 * HOUR, "channel": "Microsoft-Windows-AppLocker/EXE and DLL", "code": 8004},
        {"at": 5 * HOUR, "channel": "Application", "code": 7045},
    )
    told = {("A", 5, "change-unapproved"): 1, ("A", 5, "change-blocked"): 1}
    assert amounts(count({"windows": events}, FLEET, visit(HOUR, 3 * HOUR, "software"))) == told | {
        ("A", 2, "change-approved"): 1
    }
    assert amounts(count({"windows": events}, FLEET, visit(HOUR, 3 * HOUR, "usb"))) == told | {("A", 2, "change-unapproved"): 1}


def test_the_last_level_of_an_hour_is_kept():
    units = rows(
        "units",
        {"at": 0, "unit": 1, "kind": "bill", "basis": "logical", "count": 10, "value": 2000},
        {"at": MINUTE, "unit": 1, "kind": "bill", "basis": "logical", "count": 8, "value": 2000},
        {"at": MINUTE, "unit": 2, "kind": "reject", "basis": "logical", "count": 3, "value": 2000},
        {"at": MINUTE, "unit": 3, "kind": "bill", "basis": "logical", "value": 2000},
    )
    assert amounts(count({"units": units}, FLEET, VISITS.empty())) == {("A", 0, "level:1"): 16_000}


def test_nothing_is_counted_of_nothing():
    assert count({}, FLEET, VISITS.empty()).schema == HOURS
    assert count({"cabinet": rows("cabinet")}, FLEET, VISITS.empty()).height == 0


EVENT = st.tuples(st.integers(0, 5 * 3600), st.sampled_from(["door", "level"]), st.integers(0, 20))


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """An empty results file."""
    kept = Results(tmp_path_factory.mktemp("hours") / "r.sqlite")
    yield kept
    kept.close()


@given(events=st.lists(EVENT, max_size=30, unique_by=lambda e: e[0]), cut=st.integers(0, 5 * 3600))
@settings(max_examples=60, deadline=None)
def test_however_the_rows_are_cut_the_store_holds_the_same(store, events, cut):
    def put(some):
        doors = rows(
            "cabinet", *({"at": s * 1_000_000, "activity": "opened", "part": "cabinet"} for s, k, _ in some if k == "door")
        )
        units = rows(
            "units",
            *(
                {"at": s * 1_000_000, "unit": 1, "kind": "bill", "basis": "logical", "count": n, "value": 5}
                for s, k, n in some
                if k == "level"
            ),
        )
        store.add_hours(count({"cabinet": doors, "units": units}, FLEET, VISITS.empty()))

    def held():
        frames = list(store.hours())
        return amounts(pl.concat(frames)) if frames else {}

    store.begin()
    put(events)
    whole = held()
    store.begin()
    put([e for e in events if e[0] <= cut])
    put([e for e in events if e[0] > cut])
    assert held() == whole
    last: dict[int, int] = {}
    for s, k, n in sorted(events):
        if k == "level":
            last[s // 3600] = n * 5
    assert {h: a for (_, h, m), a in whole.items() if m == "level:1"} == last

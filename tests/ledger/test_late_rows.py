"""A machine's feed that was cut off for hours comes back: nothing it brings pages because its time is past."""

import polars as pl

from jackstop import engine, trial
from jackstop.detections._cases import START, paid, reply, row
from jackstop.ledger.streams import Stream
from jackstop.model.settings import Settings
from jackstop.model.tables import VISITS

SECOND = 1_000_000
STREAMS = tuple(Stream(n, n, 2 * SECOND, trial.TERMINAL) for n in ("nextware-trace", "switch-csv"))


def counted(at: float, notes: int):
    said = {"cause": "snapshot", "basis": "physical", "unit": 1, "kind": "bill", "currency": "USD", "value": 2000, "count": notes}
    return row("units", at, "nextware-trace", snapshot=round(at), **said)


def live(rows, cut_off: tuple[float, float] | None, until: int, held_back=("cash", "units")):
    """Verdicts by id, and findings' detections, of a live run: rows come a second late, but some of a while at its end."""
    setup = engine.Setup.of(trial.fleet(), STREAMS, VISITS.empty(), Settings())
    state, found, verdicts = engine.State.begin(setup), [], {}

    def comes(r) -> float:
        held = cut_off is not None and r.table in held_back and cut_off[0] <= r.at < cut_off[1]
        return cut_off[1] + 1 if held and cut_off is not None else r.at + 1

    seen = pl.Series("observed", [START + round(comes(r) * SECOND) for r in rows]).cast(pl.Datetime("us", "UTC"))
    tables = trial.tables(rows).map(lambda f: f.with_columns(seen[f["record_offset"]]))
    step = 10
    for second in range(0, until, step):
        now = (pl.col("observed").to_physical() - START).is_between((second - step) * SECOND, second * SECOND, closed="right")
        state, out = engine.advance(setup, state, tables.map(lambda f, now=now: f.filter(now)), START + second * SECOND)
        found += [f.detection for f in out.findings]
        verdicts |= {r["id"]: (r["verdict"], r["reason"]) for r in out.verdicts.iter_rows(named=True)}
    return verdicts, found


def customers(begin: int, end: int):
    """An approved withdrawal of ten notes each five minutes, and what the counters say after it."""
    rows = [counted(begin - 60, 1000)]
    for i, at in enumerate(range(begin, end, 300)):
        rows += [reply(at - 3, 20_000, rrn=f"{at:012d}"), *paid(at, 20_000), counted(at + 20, 990 - 10 * i)]
    return rows


def test_withdrawals_whose_approvals_were_let_go_are_no_theft_but_too_late():
    rows = customers(300, 4 * 3600)
    verdicts, found = live(rows, (1000.0, 3 * 3600.0), 4 * 3600)
    said = {v for i, v in verdicts.items() if i.startswith("e")}
    assert ("insufficient-evidence", "too-late") in said
    assert not {v for v in said if v[0] in {"unexplained", "contradicted"}}
    assert "dispense.unexplained" not in found


def test_counters_and_movements_that_come_late_together_leave_nothing_unexplained():
    rows = customers(300, 4 * 3600)
    verdicts, found = live(rows, (1000.0, 3 * 3600.0), 4 * 3600)
    assert "balance.missing-notes" not in found
    assert not [v for i, v in verdicts.items() if i.startswith("b")]


def test_notes_that_left_while_the_feed_was_cut_off_and_no_movement_tells_of_are_still_found():
    rows = [r if r.table != "units" or r.at < 7200 else counted(r.at, r.values["count"] - 200) for r in customers(300, 4 * 3600)]
    _, found = live(rows, (1000.0, 3 * 3600.0), 4 * 3600)
    assert "balance.missing-notes" in found


def test_what_comes_some_minutes_late_is_judged_as_ever():
    rows = customers(300, 3600)
    verdicts, found = live(rows, (1000.0, 1600.0), 3600 + 600)
    assert {v for i, v in verdicts.items() if i.startswith("e")} == {("explained", "matched")}
    assert "dispense.unexplained" not in found


def test_a_theft_in_time_is_a_theft():
    _, found = live([*customers(300, 2400), *paid(1234, 40_000)], None, 3600)
    assert "dispense.unexplained" in found


def test_everything_of_a_time_may_come_late_together_and_the_counters_still_agree():
    rows = customers(300, 4 * 3600)
    _, found = live(rows, (1000.0, 3 * 3600.0), 4 * 3600, held_back=("cash", "units", "host"))
    assert "balance.missing-notes" not in found
    assert "dispense.unexplained" not in found

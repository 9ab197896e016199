"""What the engine remembers is bounded by the fleet and by time, whatever the logs say and for however long."""

from dataclasses import replace

import polars as pl

from jackstop import engine, trial
from jackstop.detections._cases import START, paid, reply, row
from jackstop.ledger import disks, identity, values
from jackstop.ledger.clock import SILENT, STEPS, Clocks
from jackstop.ledger.streams import Stream
from jackstop.model.settings import HOUR, MINUTE, Settings
from jackstop.model.tables import VISITS, Tables

SECOND = 1_000_000
STREAMS = (Stream("nextware-trace", "nextware-trace", 0, trial.TERMINAL), Stream("switch-csv", "switch-csv", 0, None))


def begun(**tuned):
    setup = engine.Setup.of(trial.fleet(), STREAMS, VISITS.empty(), Settings(**tuned))
    return setup, engine.State.begin(setup)


def test_made_up_names_of_terminals_are_counted_but_not_all_kept():
    lost = identity.NOBODY
    for step in range(40):
        rows = pl.DataFrame(
            {"source": ["s"] * 100, "naming": ["id"] * 100, "terminal": [f"{'x' * 200}{step}" for _ in range(100)]}
        )
        names = [f"{step}-{i}-{'x' * 200}" for i in range(100)]
        rows = rows.with_columns(terminal=pl.Series(names), table=pl.lit("cash"), id=pl.lit(None, pl.String))
        lost = identity.together(lost, identity.nobody(rows))
    assert lost.height <= identity.MOST
    assert lost["rows"].sum() == 4000
    assert lost["terminal"].str.len_chars().max() <= identity.LONGEST


def test_a_unit_whose_value_flickers_leaves_only_its_last_changes():
    history = pl.DataFrame(schema=values.HISTORY)
    for i in range(200):
        said = {"terminal": ["A"], "basis": ["logical"], "unit": [1], "value": [1000 + i % 2], "currency": ["USD"], "at": [i]}
        history = values.learn(history, pl.DataFrame(said))
    assert history.height == values.CHANGES
    assert history["since"].max() == 199


def test_a_machine_that_names_a_new_disk_in_each_event_is_known_by_the_last_ones():
    known = pl.DataFrame(schema=disks.KNOWN)
    for i in range(100):
        known, _ = disks.learn(
            known, pl.DataFrame({"terminal": ["A"], "disk": [str(i)], "serial": ["x"], "at": [i], "event_id": [i]})
        )
    assert known.height == disks.MOST
    assert known["at"].min() == 100 - disks.MOST


def test_steps_of_files_that_ended_long_ago_are_forgotten():
    steps = pl.DataFrame({"source": ["old", "new"], "last": [0, SILENT], "stepped": [0, 0], "before": [0, 0]}, schema=STEPS)
    clocks = replace(Clocks.unknown(), steps=steps)
    assert clocks.forget(SILENT + 1).steps["source"].to_list() == ["new"]


def test_rows_of_years_to_come_do_not_wait_where_there_is_a_bound():
    setup, state = begun(ahead=24 * HOUR)
    state, _ = engine.advance(setup, state, trial.tables([reply(0, 2000)]), START)
    state, _ = engine.advance(setup, state, trial.tables([reply(10 * 365 * 86400, 2000), reply(7200, 2000)]), START + SECOND)
    assert {n: f.height for n, f in state.intake.waiting.items()} == {"host": 1}
    assert state.intake.strangers["rows"].to_list() == [1]


def test_days_of_customers_leave_no_more_than_one_day_of_them():
    setup, state = begun()
    sizes = []
    for day in range(5):
        for hour in range(24):
            at = (day * 24 + hour) * 3600
            rows = [
                reply(at, 20_000, rrn=f"{at:012d}"),
                *paid(at + 3, 20_000),
                row("cabinet", at, "switch-csv", activity="opened"),
            ]
            tables = trial.tables(rows).map(lambda f, at=at: f.with_columns(event_id=pl.col("event_id") + 10 * at))
            state, _ = engine.advance(setup, state, tables, START + (at + 1800) * SECOND)
        shelves = state.book.shelves
        sizes.append({n: frame.height for n in shelves.tables if (frame := shelves.of(n, None)) is not None})
    assert sizes[4]["cash"] <= 12
    assert sizes[4]["host"] <= 3
    assert sizes[4]["cabinet"] <= 26
    assert sizes[4]["settled"] <= 50
    assert sizes[4] == sizes[3]
    assert state.book.agenda.height <= 4


def test_time_that_passes_sorts_out_a_machine_that_fell_silent():
    setup, state = begun()
    state, _ = engine.advance(setup, state, trial.tables([reply(0, 20_000), *paid(3, 20_000)]), START + 20 * SECOND)
    for minute in range(0, 120, 5):
        state, _ = engine.advance(setup, state, Tables.of(), START + minute * MINUTE + 21 * SECOND)
    assert state.book.shelves.of("cash", None) is None
    assert state.book.shelves.of("host", None) is None

"""Nextware traces: real records where they are at hand, and the promises of every reader."""

from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jackstop import formats
from jackstop.formats import _nextware_text as text
from jackstop.model.fleet import Reading
from jackstop.simulator import customers, render, service
from jackstop.simulator.scene import build

SAMPLES = Path(__file__).parents[3] / "shared" / "samples" / "nextware-trace"
real = pytest.mark.skipif(not SAMPLES.is_dir(), reason="the shared samples are not here")
READING = Reading(name="t", terminal="ATM-1", timezone="America/New_York")


def read(data: bytes, *, pieces: int = 1 << 20):
    reader = formats.find("nextware-trace").reader(READING)
    parts = [reader.feed(data[i : i + pieces]).tables for i in range(0, len(data), pieces)]
    parts.append(reader.feed(b"", final=True).tables)
    return reader, type(parts[0]).concat(parts)


def sample(name: str):
    return read((SAMPLES / f"{name}.nwlog").read_bytes())[1]


CASH = [
    ("cdm-wfs_cmd_cdm_dispense_1", "dispensed", 2001, 0, 50_000, [0, 0, 0, 4, 9, 3]),
    ("cdm-wfs_cmd_cdm_dispense_2", "dispensed", 16523, 0, 50_000, None),
    ("cdm-wfs_cmd_cdm_present_1", "presented", 16833, 0, None, None),
    ("cdm-wfs_cmd_cdm_present_2", "presented", 500381, 0, None, None),
    ("cdm-wfs_cmd_cdm_reject_1", "rejected", 3301, -316, None, None),
    ("cdm-wfs_cmd_cdm_reject_2", "rejected", 1833, -316, None, None),
    ("cdm-wfs_cmd_cdm_retract_1", "retracted", 2525, -316, None, None),
    ("cdm-wfs_cmd_cdm_reset_1", "reset", 65357, 0, None, None),
]


@real
@pytest.mark.parametrize(("name", "activity", "number", "result", "amount", "counts"), CASH, ids=[c[0] for c in CASH])
def test_a_real_command_is_one_row(name, activity, number, result, amount, counts):
    (row,) = sample(name).cash.iter_rows(named=True)
    assert (row["activity"], row["request_id"], row["result"], row["amount"]) == (activity, number, result, amount)
    assert counts is None or row["counts"] == counts


@real
def test_notes_taken_are_one_row_though_every_window_is_told():
    (row,) = sample("cdm-wfs_srve_cdm_itemstaken_1").cash.iter_rows(named=True)
    assert row["activity"] == "taken"
    assert row["time"].isoformat() == "2025-06-01T03:06:19.061000+00:00"


@real
@pytest.mark.parametrize(
    ("name", "activity"),
    [("cdm-wfs_cmd_cdm_start_exchange", "exchange-started"), ("cdm-wfs_cmd_cdm_end_exchange_1", "exchange-ended")],
)
def test_a_real_exchange_is_an_operators_doing(name, activity):
    assert sample(name).operator["activity"].to_list() == [activity]


@real
def test_a_real_table_of_cash_units_gives_every_counter():
    units = sample("cdm-wfs_inf_cdm_cash_unit_info_1").units
    columns = (
        "unit",
        "unit_id",
        "kind",
        "value",
        "initial",
        "count",
        "rejected",
        "dispensed",
        "presented",
        "retracted",
        "status",
    )
    assert units.select(columns).rows() == [
        (1, "LCU00", "retract", 0, 0, 0, 1, 0, 0, 1, "empty"),
        (2, "LCU01", "reject", 0, 0, 0, 2, 0, 0, 2, "empty"),
        (3, "LCU02", "recycling", 100, 2000, 1994, 3, 43, 43, 3, "ok"),
        (4, "LCU03", "recycling", 500, 2000, 1797, 4, 219, 215, 4, "ok"),
        (5, "LCU04", "recycling", 2000, 2000, 2158, 5, 194, 190, 5, "ok"),
        (6, "LCU05", "recycling", 5000, 2000, 1336, 6, 846, 842, 6, "ok"),
    ]
    assert units["snapshot"].n_unique() == 1


@real
def test_a_real_list_of_cash_units_keeps_logical_and_physical_apart():
    units = sample("cdm-get_info_complete_as_list").units
    assert units.select("unit", "initial", "count", "rejected", "dispensed").row(0) == (1, 13, 14, 15, 19)
    assert units["unit_id"].to_list() == ["LCU00", "LCU01", "LCU02", "LCU03", "LCU04"]


@real
def test_a_real_change_of_one_unit_tells_of_that_unit():
    units = sample("cdm-wfs_srve_cdm_cashunitinfochanged_1").units
    assert units.select("cause", "unit", "value", "dispensed", "presented").rows() == [("changed", 3, 2000, 106, 3)]


@real
def test_a_real_status_and_a_real_opening_are_told():
    assert sample("cdm-wfs_inf_cdm_status_1").cash["state"].to_list() == ["power-off"]
    assert "opened-by" in sample("general-wfpopen_cashdispenser").cash["activity"].to_list()


@real
def test_nearly_every_real_record_is_framed_and_read():
    records = refused = whole = 0
    for path in SAMPLES.glob("*.nwlog"):
        data = path.read_bytes()
        reader, _ = read(data)
        records, refused = records + reader.tally.records, refused + reader.tally.refused
        for frame in text.frames(data, final=True):
            try:
                whole += text.record(data[frame.start : frame.end]).whole
            except ValueError:
                continue
    assert whole > 200
    assert refused <= records * 0.01


def night(seed: int):
    """Rows of a machine's dispenser for some hours, and the trace written of them."""
    scene = build(1, 6, seed)
    machine = scene.machines[0]
    machine.rate = 300
    scene.perform(machine)
    service.load_cash(machine, scene.end)
    customers.withdraw(machine, scene.end + 3_600_000_000, outcome="retracted")
    tables = render.tables(machine.feeds["device"], terminal=machine.id, naming="id")
    return tables, formats.find("nextware-trace").encode(tables, READING)


TABLES, TRACE = night(5)


@pytest.mark.parametrize(
    ("table", "columns"),
    [
        ("cash", ("activity", "amount", "counts", "state")),
        ("units", ("unit", "unit_id", "kind", "value", "initial", "count", "rejected", "dispensed", "presented", "retracted")),
        ("cabinet", ("activity", "part", "sensor")),
        ("operator", ("activity",)),
    ],
)
def test_what_is_written_is_read_again(table, columns):
    reader, back = read(TRACE)
    assert reader.tally.refused == 0
    then = pl.col("time").dt.truncate("1ms")
    wrote = TABLES[table].with_columns(then).sort("time", maintain_order=True)
    if table == "cash":  # a retract does not say how much it drew back
        wrote = wrote.with_columns(amount=pl.when(pl.col("activity") != "retracted").then("amount"))
    assert back[table].select("time", *columns).equals(wrote.select("time", *columns))


@given(st.integers(1, 4000))
@settings(max_examples=15, deadline=None)
def test_how_the_bytes_are_cut_changes_nothing(size):
    data = TRACE[:40_000]
    whole, cut = read(data), read(data, pieces=size)
    assert cut[0].tally == whole[0].tally
    for name, frame in whole[1].items():
        assert cut[1][name].equals(frame), name


@given(st.data())
@settings(max_examples=40, deadline=None)
def test_damage_costs_only_the_record_it_hits(data):
    trace = bytearray(TRACE[:20_000])
    spot = data.draw(st.integers(0, len(trace) - 30))
    trace[spot : spot + data.draw(st.integers(1, 25))] = data.draw(st.binary(max_size=25))
    reader, tables = read(bytes(trace))
    clean = read(TRACE[:20_000])[0].tally
    assert reader.tally.records >= clean.records - 3
    assert tables.feeds.filter(pl.col("activity") == "refused").height == reader.tally.refused


def test_a_missing_record_is_a_gap():
    frames = list(text.frames(TRACE, final=True))
    cut = TRACE[: frames[5].start] + TRACE[frames[8].start :]
    gaps = read(cut)[1].feeds.filter(pl.col("activity") == "gap")
    assert gaps.select("count", "before", "after").rows() == [(3, 5, 9)]

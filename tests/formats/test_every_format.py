"""What every format promises, whichever there are."""

import re
import time

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jackstop import formats
from jackstop.formats._masking import luhn
from jackstop.model.fleet import Reading
from jackstop.model.tables import BY_NAME, Tables
from jackstop.simulator import render
from jackstop.simulator.scene import build, routine

NAMES = formats.names()
READING = Reading(name="log", timezone="America/New_York", date_order="mdy")
CARD = "4111111111111111"
WINDOWS = ("winlogbeat", "windows-xml", "nxlog", "wazuh")
FEEDS = {"ndc": "line", "cef": "panel", "dc09": "panel"} | dict.fromkeys(WINDOWS, "windows")


def _logs() -> dict[str, bytes]:
    """A log of each format that can be written, from one simulated fleet."""
    scene = build(4, 5, 7)
    routine(scene)
    made = {}
    for machine in scene.machines:
        machine.line = True
        scene.perform(machine)
        service_rows(machine)
        for feed, name in (("device", machine.device), ("journal", machine.journal)):
            rows = render.tables(machine.feeds[feed], terminal=machine.id, naming="id")
            made[name] = formats.find(name).encode(rows, READING)
        for name, feed in FEEDS.items():
            naming = {"panel": "alarm_account", "line": "luno"}.get(feed, "hostname")
            rows = machine.feeds.get(feed, {})
            if rows:
                made[name] = formats.find(name).encode(render.tables(rows, terminal="X1", naming=naming), READING)
    said = next(m.feeds[f] for m in scene.machines for f in ("host", "iso") if m.feeds.get(f))
    for name in ("iso8583", "switch-csv"):
        made[name] = formats.find(name).encode(render.tables(said, terminal="X1", naming="terminal_id"), READING)
    made["visits"] = formats.find("visits").encode(_visits(), READING)
    return made


def service_rows(machine) -> None:
    from jackstop.simulator import moves, service

    service.load_cash(machine, 1_772_500_000_000_000)
    service.restart(machine, 1_772_510_000_000_000)
    moves.door(machine, 1_772_511_000_000_000, "tamper", "safe", "tamper")


def _visits() -> Tables:
    row = {"time": 0, "until": 10**12, "terminal": "A", "naming": "id", "kind": "cit", "work_order": "W", "permits": ["exchange"]}
    return render.tables({"visits": [{**row, "people": ["x"], "expected_in": [], "expected_out": []}]})


LOGS = _logs()
WRITTEN = sorted(n for n, data in LOGS.items() if data)


def read(name: str, data: bytes, size: int = 1 << 20, reading: Reading = READING):
    reader = formats.find(name).reader(reading)
    parts = [reader.feed(data[i : i + size]) for i in range(0, len(data), size)]
    parts.append(reader.feed(b"", final=True))
    return reader, Tables.concat([p.tables for p in parts]), [r for p in parts for r in p.refusals]


@pytest.mark.parametrize("name", NAMES)
def test_a_format_says_what_it_is_with_a_sample_and_what_it_fills(name):
    module = formats.find(name)
    doc = module.__doc__ or ""
    assert len(doc.strip().splitlines()[0]) > 20
    assert re.search(r"^    \S", doc, re.MULTILINE), "no sample"
    assert "Source:" in doc
    assert set(module.FILLS) <= set(BY_NAME)
    assert module.CLOCK in {"trace", "journal", "pc", "host"}


def test_every_format_but_the_binary_one_is_written_and_read():
    assert set(NAMES) - set(WRITTEN) == {"evtx"}
    for name in WRITTEN:
        reader, tables, refusals = read(name, LOGS[name])
        assert refusals == []
        assert reader.tally.understood == reader.tally.records > 0, name
        assert tables.height > 0
        for table, frame in tables.items():
            assert dict(frame.schema) == BY_NAME[table].schema
            assert frame.height == 0 or table in {*formats.find(name).FILLS, "feeds"}


@pytest.mark.parametrize("name", WRITTEN)
def test_what_a_format_says_of_lines_is_so(name):
    lines = LOGS[name].splitlines(keepends=True)
    assert formats.by_lines(name, LOGS[name][:100]) == (lines[-1].endswith(b"\n") and b"\0" not in LOGS[name] and len(lines) > 1)


@pytest.mark.parametrize("name", WRITTEN)
def test_its_own_log_is_its_best_guess(name):
    guesses = list(formats.guess(LOGS[name][:65536], "some.log"))
    assert guesses[0][1] == name
    assert all(0 < sure <= 100 for sure, _ in guesses)


@pytest.mark.parametrize("name", WRITTEN)
@given(size=st.integers(1, 3000))
@settings(max_examples=6, deadline=None)
def test_how_bytes_are_cut_changes_nothing(name, size):
    data = LOGS[name][:12_000]
    whole, cut = read(name, data), read(name, data, size)
    assert cut[0].tally == whole[0].tally
    assert cut[2] == whole[2]
    for table, frame in whole[1].items():
        assert cut[1][table].sort("record_offset", "event_id").equals(frame.sort("record_offset", "event_id")), table


@pytest.mark.parametrize("name", NAMES)
@given(data=st.binary(max_size=400), pick=st.integers(0, 10**9), many=st.booleans())
@settings(max_examples=30, deadline=None)
def test_any_bytes_give_rows_or_a_visible_refusal(name, data, pick, many):
    log = LOGS.get(name, b"")[:6000]
    at = pick % (len(log) + 1)
    mixed = (log[:at] + data + log[at + len(data) :]) if many else data
    reader, tables, refusals = read(name, mixed)
    tally = reader.tally
    assert len(refusals) == tally.refused == sum(tally.reasons.values())
    assert tables.feeds.filter(pl.col("activity") == "refused").height == tally.refused


@pytest.mark.parametrize("name", WRITTEN)
def test_no_card_number_leaves_a_reader(name):
    assert luhn(CARD)
    data = LOGS[name][:20_000]
    for match in list(re.finditer(rb"[A-Za-z]{4,12}", data))[::7]:
        planted = data[: match.start()] + CARD.encode() + data[match.end() :]
        _, tables, refusals = read(name, planted[:20_000])
        for table, frame in tables.items():
            text = frame.select(pl.selectors.string()).write_ndjson()
            assert CARD not in text, f"{table}: {match.group()!r}"
        assert all(CARD not in r.reason for r in refusals)


@pytest.mark.parametrize("name", NAMES)
def test_long_monotone_input_takes_linear_time(name):
    def spent(unit: bytes, size: int) -> float:
        prefix = LOGS.get(name, b"")[:300]
        data = prefix + unit * (size // len(unit))
        start = time.perf_counter()
        read(name, data)
        return time.perf_counter() - start

    for unit in (b"a", b"1", b" ", b'"', b"{", b"<", b"[", b"4294967295", b"\x1c", b",", b"=", b"4 "):
        small = min(spent(unit, 100_000) for _ in range(2))
        large = spent(unit, 400_000)
        assert large < max(16 * small, 1.5), unit

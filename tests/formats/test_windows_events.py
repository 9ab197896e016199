"""Windows events by every carrier: the same event gives the same rows, and what follows from it."""

import json
from pathlib import Path

import polars as pl
import pytest

from jackstop import formats
from jackstop.model.fleet import Reading

REAL = Path(__file__).parents[3] / "shared" / "evtx"
SPACE = "http://schemas.microsoft.com/win/2004/08/events/event"


def beat(time: str, channel: str, code: int, record: int, data: dict[str, str] | None = None, provider: str = "P") -> bytes:
    winlog = {"channel": channel, "provider_name": provider, "event_id": str(code), "record_id": record, "computer_name": "PC1"}
    return json.dumps({"@timestamp": time, "winlog": {**winlog, "event_data": data or {}}}).encode() + b"\n"


def xml(time: str, channel: str, code: int, record: int, data: dict[str, str] | None = None, provider: str = "P") -> bytes:
    items = "".join(f'<Data Name="{k}">{v}</Data>' for k, v in (data or {}).items())
    system = f'<Provider Name="{provider}"/><EventID>{code}</EventID><TimeCreated SystemTime="{time}"/>'
    system += f"<EventRecordID>{record}</EventRecordID><Channel>{channel}</Channel><Computer>PC1</Computer>"
    return f'<Event xmlns="{SPACE}"><System>{system}</System><EventData>{items}</EventData></Event>\n'.encode()


CARRIERS = {"winlogbeat": beat, "windows-xml": xml}


def read(name: str, data: bytes):
    reader = formats.find(name).reader(Reading(name="w"))
    return reader.feed(data, final=True)


@pytest.mark.parametrize("name", CARRIERS)
def test_a_clock_step_is_told_with_both_clocks(name):
    step = {"PreviousTime": "2026-03-02T10:00:00.000Z", "NewTime": "2026-03-02T08:00:00.000Z"}
    tables = read(name, CARRIERS[name]("2026-03-02T08:00:00Z", "Security", 4616, 1, step)).tables
    (row,) = tables.feeds.iter_rows(named=True)
    assert (row["activity"], row["before"] - row["after"]) == ("clock-step", 7_200_000_000)
    assert json.loads(tables.windows["data"][0]) == step


@pytest.mark.parametrize("name", CARRIERS)
def test_one_boot_is_one_power_up_though_two_events_tell_of_it(name):
    make = CARRIERS[name]
    data = make("2026-03-02T08:00:00Z", "System", 12, 1, provider="Microsoft-Windows-Kernel-General")
    data += make("2026-03-02T08:00:02Z", "System", 6005, 2) + make("2026-03-02T12:00:00Z", "System", 6005, 3)
    operator = read(name, data).tables.operator
    assert operator["activity"].to_list() == ["power-up", "power-up"]
    assert operator["time"].dt.hour().to_list() == [8, 12]


@pytest.mark.parametrize("name", CARRIERS)
def test_a_cleared_log_and_record_ids_that_begin_anew_are_told(name):
    make = CARRIERS[name]
    data = make("2026-03-02T08:00:00Z", "Security", 1102, 900) + make("2026-03-02T08:00:01Z", "Security", 4624, 1)
    assert read(name, data).tables.feeds["activity"].to_list() == ["log-cleared", "restarted"]


def test_entities_are_refused_and_never_expanded():
    bomb = b'<!DOCTYPE x [<!ENTITY a "aaaa">]>' + xml("2026-03-02T08:00:00Z", "System", 1, 1)
    inside = xml("2026-03-02T08:00:00Z", "System", 1, 2).replace(b"<EventData>", b'<!ENTITY b "c"><EventData>')
    got = read("windows-xml", bomb + inside)
    assert "entity" in got.refusals[0].reason
    assert got.tables.windows.height == 1


@pytest.mark.skipif(not REAL.is_dir(), reason="the shared event logs are not here")
def test_real_event_logs_give_as_many_events_as_the_parser_finds():
    from evtx import PyEvtxParser

    files = sorted(REAL.rglob("*.evtx"), key=lambda p: p.stat().st_size)[::9]
    assert files
    for path in files:
        found = sum(isinstance(r, dict) for r in PyEvtxParser(str(path)).records_json())
        windows = read("evtx", path.read_bytes()).tables.windows
        assert windows.height == found, path.name
        assert windows.filter(pl.col("code").is_null() | pl.col("computer").is_null()).height == 0


@pytest.mark.skipif(not REAL.is_dir(), reason="the shared event logs are not here")
def test_a_damaged_chunk_is_refused_and_the_next_is_read():
    path = max(REAL.rglob("*.evtx"), key=lambda p: p.stat().st_size if p.stat().st_size < 3_000_000 else 0)
    data = bytearray(path.read_bytes())
    data[4096 + 512 : 4096 + 60_000] = b"\xaa" * (60_000 - 512)
    got = read("evtx", bytes(data))
    assert got.tables.windows.height > 0
    assert got.tables.feeds.filter(pl.col("activity") == "refused").height == len(got.refusals) > 0

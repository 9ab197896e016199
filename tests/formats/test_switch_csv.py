"""Switch exports: what each line means, and that vectorised and record-by-record reading are the same."""

import pickle
from datetime import datetime
from hashlib import sha256
from itertools import pairwise

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from jackstop.formats import _iso_stamp, _switch_fields, _switch_rows, switch_csv
from jackstop.formats._csv_framing import cut
from jackstop.formats._localtime import Zone
from jackstop.formats._reading import Rows
from jackstop.formats._switch_meaning import NO_ORDER
from jackstop.model.fleet import Reading
from jackstop.model.tables import BY_NAME, HOST, Tables

HEAD = "time,terminal_id,type,amount,currency,response,stan,rrn,auth_code,note_mix,reference\n"
READING = Reading(name="logs/switch.csv")
SAMPLE = (
    HEAD
    + '2026-03-01T02:11:07.120Z,ATM00001,withdrawal,8000,USD,00,123456,606002123456,A1B2C3,"0,4,0,0",\n'
    + "2026-03-01T02:12:40.000Z,ATM00001,partial,4000,840,,123457,,,,606002123456\n"
    + "2026-03-01T02:13:02.500Z,ATM00002,reversal,8000,,,123458,,,,606002123457\r\n"
    + "2026-03-01T02:13:03Z,ATM00002,withdrawal,8000,USD,51,123459,606002123459,,,\n"
    + "2026-03-01 03:14:00+01:00,ATM00002,advice,6000,EUR,,123460,,,,\n"
    + "2026-03-01T02:15:00Z,ATM00002,balance,,USD,00,123461,,,,\n"
)
PLAIN = settings(max_examples=60, deadline=None)


def read(data: bytes, reading: Reading = READING, cuts: tuple[int, ...] = ()) -> tuple[Tables, switch_csv.SwitchReader, list]:
    reader = switch_csv.reader(reading)
    places = [0, *sorted(c for c in cuts if c < len(data)), len(data)]
    parts, refusals = [], []
    for a, b in pairwise(places):
        given_rows, refused = reader.feed(data[a:b], final=b == len(data))
        parts.append(given_rows)
        reader = pickle.loads(pickle.dumps(reader))
        refusals += refused
    return Tables.concat(parts), reader, refusals


def column(data: str, name: str, reading: Reading = READING) -> list:
    return read(data.encode(), reading)[0].host[name].to_list()


def test_each_type_of_transaction_becomes_its_row_with_amounts_in_minor_units() -> None:
    host = read(SAMPLE.encode())[0].host
    shown = host.select("terminal", pl.col("activity").cast(pl.String), "approved", "amount", "currency", "response", "reference")
    assert shown.rows() == [
        ("ATM00001", "reply", True, 8000, "USD", "00", None),
        ("ATM00001", "partial", None, 4000, "USD", None, "606002123456"),
        ("ATM00002", "reversal", None, 8000, "USD", None, "606002123457"),
        ("ATM00002", "reply", False, 8000, "USD", "51", None),
        ("ATM00002", "advice", True, 6000, "EUR", None, None),
    ]
    assert host["counts"].to_list() == [[0, 4, 0, 0], None, None, None, None]
    assert set(host["view"]) == {"host"} and set(host["naming"]) == {"terminal_id"}
    assert host.schema == HOST.schema


def test_times_are_utc_and_know_their_resolution() -> None:
    host = read(SAMPLE.encode())[0].host
    assert host["time"].dt.strftime("%H:%M:%S%.3f").to_list()[0] == "02:11:07.120"
    assert host["time"].dt.strftime("%H:%M:%S").to_list()[4] == "02:14:00"
    assert host["time_uncertainty"].to_list() == [1000, 1000, 1000, 1_000_000, 1_000_000]


def test_every_row_points_at_the_exact_bytes_of_its_record() -> None:
    data = SAMPLE.encode()
    host = read(data, cuts=(90, 200, 201))[0].host
    for offset, length, digest in host.select("record_offset", "record_length", "record_digest").iter_rows():
        assert sha256(data[offset : offset + length]).digest() == digest
        assert data[offset - 1 : offset] == b"\n" and data[offset + length : offset + length + 1] == b"\n"


def test_event_ids_are_those_of_rows_made_one_by_one() -> None:
    host = read(SAMPLE.encode())[0].host
    rows = Rows(READING)
    for digest in host["record_digest"]:
        rows.at(0, b"", digest)
        rows.add("host", 0)
    assert rows.take().host["event_id"].to_list() == host["event_id"].to_list()


def test_ignored_types_and_refused_records_are_counted_apart() -> None:
    bad = (
        "2026-03-01T02:16:00Z,ATM1,withdrawal,1O0,USD,00,,,,,\n"
        "yesterday,ATM1,withdrawal,100,USD,00,,,,,\n"
        "2026-03-01T02:16:00Z,,withdrawal,100,USD,00,,,,,\n"
        "2026-03-01T02:16:00Z,ATM1,gift,100,USD,00,,,,,\n"
        "2026-03-01T02:16:00Z,ATM1,withdrawal,100\n"
        "2026-03-01T02:16:00Z,ATM1,withdrawal,,USD,00,,,,,\n"
        "2026-03-01T02:16:00Z,ATM1,withdrawal,100,USD,,,,,,\n"
        "2026-03-01T02:16:00Z,ATM1,withdrawal,100,U$,00,,,,,\n"
        "2026-03-01T02:16:00Z,ATM1,withdrawal,100,USD,00,,,,many,\n"
    )
    tables, reader, refusals = read((SAMPLE + bad).encode())
    assert (reader.tally.records, reader.tally.understood, reader.tally.ignored, reader.tally.refused) == (15, 5, 1, 9)
    assert [r.reason.split()[0] for r in refusals] == [
        "amount", "time", "terminal_id", "type", "has", "amount", "response", "currency", "note_mix",
    ]  # fmt: skip
    feeds = tables.feeds
    assert set(feeds["activity"]) == {"refused"} and feeds["time"].unique().to_list() == [tables.host["time"][-1]]
    assert [SAMPLE.__add__(bad).encode()[r.offset : r.offset + r.length] for r in refusals] == bad.encode().splitlines()


def test_a_decline_may_lack_its_amount() -> None:
    assert column(HEAD + "2026-03-01T02:16:00Z,ATM1,withdrawal,,USD,51,,,,,\n", "amount") == [None]


def test_columns_are_mapped_by_the_fleet_and_separators_found() -> None:
    data = "When;Code;TID;Kind;Cents\n2026-03-01T02:16:00Z;00;ATM9;Withdrawal;2000\n"
    reading = READING.model_copy(
        update={"columns": {"time": "When", "response": "code", "terminal_id": "TID", "type": "Kind", "amount": "Cents"}}
    )
    host = read(data.encode(), reading)[0].host
    assert host.select("terminal", "amount", "approved", "stan").row(0) == ("ATM9", 2000, True, None)


@pytest.mark.parametrize(
    ("header", "columns", "expected"),
    [
        ("time,type,amount,response", {}, "the header has no column terminal_id for terminal_id"),
        ("time,terminal_id,type,amount", {}, "the header has no column response"),
        (HEAD.strip(), {"tim": "time"}, "columns names tim"),
    ],
)
def test_an_unusable_header_is_said_once_and_its_records_refused(header: str, columns: dict[str, str], expected: str) -> None:
    reading = READING.model_copy(update={"columns": columns})
    tables, reader, refusals = read(f"{header}\n1,2,3,4\n\n5,6,7,8\n".encode(), reading)
    assert refusals[0].reason.startswith(expected)
    assert [r.reason for r in refusals[1:]] == ["no usable header"] * 2
    assert reader.tally.refused == 3 and tables.host.height == 0


def test_a_declared_terminal_needs_no_terminal_column() -> None:
    reading = READING.model_copy(update={"terminal": "ATM-0001"})
    data = "time,type,amount,response\n2026-03-01T02:16:00Z,withdrawal,2000,00\n"
    assert read(data.encode(), reading)[0].host.select("terminal", "naming").row(0) == ("ATM-0001", "id")


def test_wall_clocks_are_read_in_the_declared_zone_and_the_doubled_hour_is_marked_until_it_steps_back() -> None:
    reading = READING.model_copy(update={"timezone": "America/Chicago"})
    line = "2025-11-02 {},ATM1,withdrawal,100,USD,00,{},,,,\n"
    data = HEAD + "".join(line.format(t, i) for i, t in enumerate(["00:30:00", "01:30:00", "01:59:00", "01:10:00", "02:00:00"]))
    host = read(data.encode(), reading)[0].host
    assert host["time"].dt.strftime("%H:%M").to_list() == ["05:30", "06:30", "06:59", "07:10", "08:00"]
    assert host["quality"].to_list() == [0, 4, 4, 0, 0]


def test_day_first_stamps_want_a_declared_order() -> None:
    data = HEAD + "01/03/2026 02:16:00,ATM1,withdrawal,100,USD,00,,,,,\n"
    assert [r.reason for r in read(data.encode())[2]] == [NO_ORDER]
    reading = READING.model_copy(update={"date_order": "dmy"})
    assert read(data.encode(), reading)[0].host["time"].dt.strftime("%Y-%m-%d %H:%M").to_list() == ["2026-03-01 02:16"]


def test_card_numbers_never_reach_a_row() -> None:
    data = HEAD + "2026-03-01T02:16:00Z,ATM1,withdrawal,100,USD,00,,,,,4111111111111111\n"
    tables = read(data.encode())[0]
    assert tables.host.select("reference", "quality").row(0) == ("411111******1111", 8)


def test_bytes_outside_the_encoding_are_replaced_and_marked() -> None:
    data = HEAD.encode() + b"2026-03-01T02:16:00Z,ATM1,withdrawal,100,USD,00,,,,,caf\xe9\n"
    assert read(data)[0].host.select("reference", "quality").row(0) == ("caf\ufffd", 16)
    reading = READING.model_copy(update={"encoding": "cp1252"})
    assert read(data, reading)[0].host.select("reference", "quality").row(0) == ("café", 0)
    assert read(data, READING.model_copy(update={"encoding": "utf-16"}))[1].tally.refused == 2


def test_records_delivered_twice_are_dropped_and_a_repeated_header_is_no_record() -> None:
    tables, reader, refusals = read((SAMPLE + SAMPLE).encode(), cuts=(300,))
    assert (tables.host.height, reader.tally.duplicates, reader.tally.ignored, refusals) == (5, 6, 2, [])


def test_a_quote_left_open_costs_one_record_and_not_the_rest() -> None:
    good = '2026-03-01T02:{:02d}:00Z,ATM1,withdrawal,100,USD,00,,,,"1,0",\n'
    lines = [good.format(i) for i in range(20)]
    lines[3] = lines[3].replace(",ATM1", ',"ATM1')
    tables, _, refusals = read((HEAD + "".join(lines)).encode())
    assert len(refusals) == 1 and tables.host.height == 19


def test_a_header_tells_the_format() -> None:
    assert switch_csv.sniff(SAMPLE.encode(), "x.csv") == 95
    assert switch_csv.sniff(b"terminal,kind,work_order,start,end\n", "visits.csv") == 0


fields_text = st.text(alphabet=st.sampled_from(list('a1 "\t;,\r-Zé\x00\ufeff\u3000')), max_size=6)


@PLAIN
@given(st.lists(st.lists(fields_text, min_size=3, max_size=3), min_size=1, max_size=6), st.data())
def test_vectorised_and_single_extraction_give_the_same_fields(rows: list[list[str]], data: st.DataObject) -> None:
    quote = data.draw(st.lists(st.booleans(), min_size=3, max_size=3))
    lines = [",".join(f'"{f}"' if q else f for f, q in zip(r, quote, strict=True)) for r in rows]
    buffer = ("\n".join(lines) + "\n").encode()
    found = cut(buffer, ",", 3, final=True)
    records = [buffer[s:e] for s, e in zip(found.starts, found.ends, strict=True)]
    plain = [r for r, p in zip(records, found.plain, strict=True) if p]
    places = {"a": 0, "b": 1, "c": 2}
    for yes in (True, False):
        listed = pl.Series([yes] * len(plain), dtype=pl.Boolean)
        shown = _switch_fields.fields(plain, listed, places, ",", "utf-8", 3)
        if yes:
            quick = shown
    assert_frame_equal(quick, shown)
    assert not quick["ragged"].any()


DAYS = st.datetimes(datetime(1900, 1, 2), datetime(2199, 12, 30))
usual_stamp = st.one_of(
    DAYS.map(lambda d: d.isoformat() + "Z"), DAYS.map(lambda d: d.isoformat(sep=" ", timespec="milliseconds") + "+05:30")
)
odd_stamp = st.one_of(
    st.from_regex(r"20\d\d-[01]\d-[0-3]\d[T ][0-2]\d:[0-5]\d:[0-6]\d([.,]\d{1,9})?(Z|[+-][01]\d:[0-6]\d)?", fullmatch=True),
    st.text(max_size=24),
)


@PLAIN
@given(st.lists(st.one_of(usual_stamp, odd_stamp), max_size=5), st.lists(usual_stamp, min_size=1, max_size=3), odd_stamp)
def test_a_column_of_stamps_is_read_like_one_at_a_time(mixed: list[str], usual: list[str], odd: str) -> None:
    for texts in (mixed, usual, [odd, odd], [usual[0], usual[0], usual[0][:-1] + odd[:1]]):
        told = _iso_stamp.parse_all(pl.Series("time", texts, dtype=pl.String))
        for text, (stamp, absolute, uncertainty) in zip(texts, told.iter_rows(), strict=True):
            if stamp is not None:
                assert _iso_stamp.parse(text) == (stamp, absolute, uncertainty)
            else:
                assert text not in usual


@PLAIN
@given(st.lists(st.tuples(st.integers(0, 400), st.booleans()), min_size=1, max_size=12), st.integers(0, 12))
def test_a_column_of_wall_clocks_goes_through_the_zone_like_one_at_a_time(clocks: list[tuple[int, bool]], at: int) -> None:
    stamps, walls = [1_761_436_800_000_000 + m * 60_000_000 for m, _ in clocks], [w for _, w in clocks]
    expected, zone = [], Zone("Europe/Paris")
    for stamp, wall in zip(stamps, walls, strict=True):
        expected.append((zone.utc(stamp), zone.ambiguous) if wall else (stamp, False))
    again, found = Zone("Europe/Paris"), []
    for part in (slice(0, at), slice(at, None)):
        chosen = pl.Series(stamps[part], dtype=pl.Int64)
        absolute = pl.Series([not w for w in walls[part]], dtype=pl.Boolean)
        local, twice = _switch_rows.instants(chosen, absolute, again, "Europe/Paris")
        found += list(zip(local.tolist(), twice.tolist(), strict=True))
    assert found == expected


record = st.builds(
    lambda minute, kind, amount, mix, quote, end: (
        f"2025-10-26 0{minute // 60}:{minute % 60:02d}:00,{quote}ATM{minute % 3}{quote},"
        f"{kind},{amount},USD,00,{minute},,,{mix},{end}"
    ),
    st.integers(0, 300),
    st.sampled_from(["withdrawal", "reversal", "partial", "advice", "balance", "?"]),
    st.sampled_from(["100", "2000", "", "x"]),
    st.sampled_from(["", '"1,2"', "3", '"']),
    st.sampled_from(["", "", '"']),
    st.sampled_from(["\n", "\r\n", "\n\n", ",extra\n", '"two\nlines"\n']),
)


@PLAIN
@given(st.lists(record, max_size=12), st.lists(st.integers(1, 900), max_size=6))
def test_how_the_bytes_are_cut_never_changes_the_rows(records: list[str], cuts: list[int]) -> None:
    data = (HEAD + "".join(records)).encode()
    reading = READING.model_copy(update={"timezone": "Europe/Paris"})
    whole, one, refused = read(data, reading)
    parts, other, refused_parts = read(data, reading, tuple(cuts))
    for name, frame in whole.items():
        assert_frame_equal(frame, parts[name])
    assert (one.tally, refused) == (other.tally, refused_parts)


@PLAIN
@given(st.lists(record, max_size=12))
def test_reading_record_by_record_around_damage_gives_the_same_rows(records: list[str]) -> None:
    reading = READING.model_copy(update={"timezone": "Europe/Paris"})
    quick, _, refused = read((HEAD + "".join(records)).encode(), reading)
    slow, _, refused_too = read((HEAD + 'a "quote" out of place\n' + "".join(records)).encode(), reading)
    assert_frame_equal(quick.host.drop("record_offset"), slow.host.drop("record_offset"))
    assert [r.reason for r in refused] == [r.reason for r in refused_too[1:]]


@PLAIN
@given(st.binary(max_size=300), st.lists(st.tuples(st.integers(0, 700), st.binary(max_size=4)), max_size=5), st.integers(1, 400))
def test_no_bytes_crash_the_reader_and_every_record_is_accounted_for(junk: bytes, edits: list, at: int) -> None:
    data = bytearray(SAMPLE.encode())
    for place, new in edits:
        data[place : place + len(new)] = new
    for whole in (junk, HEAD.encode() + junk, bytes(data)):
        tables, reader, refusals = read(whole, cuts=(at,))
        tally = reader.tally
        assert tally.records == tally.understood + tally.ignored + tally.refused + tally.duplicates
        assert len(refusals) == tally.refused == tables.feeds.height
        assert tables.host.schema == HOST.schema and tables.feeds.schema == BY_NAME["feeds"].schema


text_field = st.one_of(st.none(), st.text(alphabet="ABC123", min_size=1, max_size=8))
host_row = st.fixed_dictionaries(
    {
        "terminal": st.text(alphabet='ATM019,"', min_size=1, max_size=8).filter(lambda t: t.strip()),
        "time": st.integers(0, 4_000_000_000).map(lambda s: s * 1000),
        "activity": st.sampled_from(["reply", "reversal", "partial", "advice", "request", "network"]),
        "amount": st.integers(0, 10**14),
        "currency": st.sampled_from(["USD", "JPY"]),
        "counts": st.one_of(st.none(), st.lists(st.integers(0, 60), min_size=1, max_size=6)),
        "stan": text_field,
        "rrn": text_field,
        "auth_code": text_field,
        "reference": text_field,
        "decided": st.sampled_from([("00", True), ("51", False), ("10", True)]),
    }
)


@PLAIN
@given(st.lists(host_row, max_size=8))
def test_what_is_written_is_read_back(listed: list[dict]) -> None:
    rows = Rows(READING)
    for i, row in enumerate(listed):
        response, approved = row["decided"]
        decides = row["activity"] in {"reply", "advice"}
        rows.at(i, b"", sha256(bytes([i])).digest())
        rest = {k: v for k, v in row.items() if k not in {"time", "decided"}}
        rows.add(
            "host", row["time"], view="host", naming="terminal_id", time_uncertainty=1000,
            response=response if decides else None, approved=approved if decides else None, **rest,
        )  # fmt: skip
    given_rows = rows.take()
    back = read(switch_csv.encode(given_rows, READING))[0].host
    carried = [c for c in HOST.schema if c not in {"event_id", "record_offset", "record_length", "record_digest"}]
    sayable = given_rows.host.filter(~pl.col("activity").is_in(["request", "network"])).sort("time", maintain_order=True)
    assert_frame_equal(back.select(carried), sayable.select(carried).unique(maintain_order=True))


def test_memory_of_duplicates_is_bounded_and_in_order() -> None:
    reader = switch_csv.reader(READING)
    lines = [f"2026-03-01T02:16:00Z,ATM1,withdrawal,{i},USD,00,,,,,\n".encode() for i in range(5000)]
    reader.feed(HEAD.encode() + b"".join(lines))
    reader.feed(lines[0] + lines[4999])
    assert reader.tally.duplicates == 1 and reader.tally.understood == 5001
    assert np.isclose(len(reader._recent), 4096)

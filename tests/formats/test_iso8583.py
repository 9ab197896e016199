"""ISO 8583 captures: which messages become which rows, years that the standard leaves out, damage and site specifications."""

import json
import pickle
from hashlib import sha256
from itertools import pairwise

import iso8583 as library
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from iso8583.specs import default, default_ascii
from polars.testing import assert_frame_equal

from jackstop.formats import iso8583
from jackstop.formats._reading import Rows
from jackstop.model.fleet import Reading
from jackstop.model.tables import HOST, Tables

READING = Reading(name="logs/switch.iso")
PLAIN = settings(max_examples=60, deadline=None)
BASE = {
    "t": "0210", "3": "010000", "4": "000000008000", "7": "0301021107", "11": "123456", "37": "606002123456",
    "38": "A1B2C3", "39": "00", "41": "ATM00001", "49": "840",
}  # fmt: skip


def message(spec: dict = default_ascii, **changes: str | None) -> bytes:
    doc = {**BASE, **{k.removeprefix("f"): v for k, v in changes.items()}}
    return bytes(library.encode({k: v for k, v in doc.items() if v is not None}, spec)[0])


def frame(raw: bytes) -> bytes:
    return len(raw).to_bytes(2) + raw


def line(raw: bytes, time: str | None = "2026-03-01T02:11:08.300Z") -> bytes:
    return json.dumps({"time": time, "hex": raw.hex()}).encode() + b"\n"


def read(data: bytes, reading: Reading = READING, cuts: tuple[int, ...] = ()) -> tuple[Tables, iso8583.IsoReader, list]:
    reader = iso8583.reader(reading)
    places = [0, *sorted(c for c in cuts if c < len(data)), len(data)]
    parts, refusals = [], []
    for a, b in pairwise(places):
        rows, refused = reader.feed(data[a:b], final=b == len(data))
        parts.append(rows)
        reader = pickle.loads(pickle.dumps(reader))
        refusals += refused
    return Tables.concat(parts), reader, refusals


def one(raw: bytes) -> dict:
    host = read(line(raw))[0].host
    assert host.height == 1
    return host.row(0, named=True)


def test_an_approved_withdrawal_is_a_reply_with_its_keys() -> None:
    row = one(message())
    told = (
        "activity",
        "view",
        "terminal",
        "naming",
        "approved",
        "response",
        "amount",
        "currency",
        "stan",
        "rrn",
        "auth_code",
        "mti",
    )
    assert tuple(row[c] for c in told) == (
        "reply", "host", "ATM00001", "terminal_id", True, "00", 8000, "USD", "123456", "606002123456", "A1B2C3", "0210",
    )  # fmt: skip
    assert row["time"].isoformat() == "2026-03-01T02:11:07+00:00" and row["time_uncertainty"] == 1_000_000


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"t": "0200", "f39": None}, {"activity": "request", "approved": None, "repeat": False}),
        ({"t": "0201", "f39": None}, {"activity": "request", "repeat": True}),
        ({"t": "0110", "f39": "51"}, {"activity": "reply", "approved": False}),
        ({"t": "0110", "f39": "10"}, {"activity": "reply", "approved": True}),
        ({"t": "0120"}, {"activity": "advice", "approved": True, "stand_in": True}),
        ({"t": "0220", "f39": None}, {"activity": "advice", "approved": True, "stand_in": None}),
        ({"t": "0220", "f95": f"{4000:012d}" + "0" * 30}, {"activity": "partial", "amount": 4000, "approved": None}),
        ({"t": "0420", "f90": "0200123456" + "0" * 32}, {"activity": "reversal", "amount": 8000, "reference": "123456"}),
        ({"t": "0421", "f95": f"{2000:012d}" + "0" * 30}, {"activity": "partial", "amount": 2000, "repeat": True}),
        ({"t": "0420", "f95": "0" * 42}, {"activity": "reversal", "amount": 8000, "reference": None}),
        ({"t": "0800", "f3": None, "f70": "301"}, {"activity": "network", "detail": "code=301", "approved": None}),
        ({"f49": "392"}, {"currency": "JPY"}),
        ({"f49": None}, {"currency": "USD"}),
    ],
)
def test_each_message_type_says_what_it_means(changes: dict, expected: dict) -> None:
    row = one(message(**changes))
    assert {k: row[k] for k in expected} == expected


@pytest.mark.parametrize("changes", [{"f3": "310000"}, {"t": "0130"}, {"t": "0410"}, {"f3": None}])
def test_what_moves_no_cash_is_ignored_knowingly(changes: dict) -> None:
    tables, reader, refusals = read(line(message(**changes)))
    assert (tables.host.height, reader.tally.ignored, refusals) == (0, 1, [])


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"f39": None}, "field 39 (response) missing"),
        ({"f41": None}, "field 41 (terminal) missing"),
        ({"f4": None}, "field 4 (amount) missing"),
        ({"f4": "00000000800X"}, "field 4 (amount) is not digits"),
        ({"f49": "000"}, "field 49 (currency) unknown"),
        ({"t": "0310"}, "message type unknown"),
        ({"f7": "1301021107"}, "field 7, or 12 and 13, is not"),
        ({"f7": None}, ""),
    ],
)
def test_a_message_that_lacks_what_it_needs_is_refused_with_the_reason(changes: dict, reason: str) -> None:
    refusals = read(line(message(**changes)))[2]
    assert [r.reason.startswith(reason) for r in refusals] == ([True] if reason else [])


def test_card_data_never_reaches_a_row_or_a_reason() -> None:
    card, track = "4111111111111111", "4111111111111111=29121010000012345678"
    raw = message(f2=card, f35=track, f52="AABBCCDDEEFF0011", f55="5A084111111111111111")
    row = one(raw)
    assert row["detail"] == "pan=411111******1111" and row["quality"] & 8
    tables, _, refusals = read(line(raw) + line(raw[:-9]) + b'{"hex": "' + card.encode() + b'"}\n{"x":' + card.encode() + b"\n")
    assert len(refusals) == 3
    assert card not in repr(refusals) + repr(tables.host.drop("record_digest").to_dicts()) + repr(tables.feeds.to_dicts())


def test_the_year_is_the_one_nearest_to_the_capture() -> None:
    late = line(message(f7="1231235959"), "2026-01-01T00:00:01Z")
    early = line(message(f7="0101000001"), "2025-12-31T23:59:58Z")
    times = read(late + early)[0].host["time"]
    assert times.dt.strftime("%Y-%m-%d %H:%M:%S").to_list() == ["2025-12-31 23:59:59", "2026-01-01 00:00:01"]


def test_without_field_7_the_local_fields_are_read_in_the_declared_zone() -> None:
    reading = READING.model_copy(update={"timezone": "America/Chicago"})
    data = line(message(f7=None, f12="021107", f13="0301"), "2026-03-01T08:11:07Z")
    host = read(data, reading)[0].host
    assert host["time"].dt.strftime("%Y-%m-%d %H:%M:%S").to_list() == ["2026-03-01 08:11:07"] and host["quality"].to_list() == [2]


def test_frames_without_a_year_are_refused_unless_the_specification_gives_one() -> None:
    data = frame(message(f7="1231235959")) + frame(message(f7="0101000002", f11="123457"))
    assert {r.reason[:7] for r in read(data)[2]} == {"no year"}
    reading = READING.model_copy(update={"spec": '{"year": 2025}'})
    times = read(data, reading)[0].host["time"]
    assert times.dt.strftime("%Y-%m-%d").to_list() == ["2025-12-31", "2026-01-01"]


@pytest.mark.parametrize("base", ["1987-ebcdic", "1987-binary"])
def test_other_codings_come_with_the_specification(base: str) -> None:
    spec = {n: {**f, "data_enc": "cp500", "len_enc": "cp500"} for n, f in default_ascii.items()} if "ebcdic" in base else default
    reading = READING.model_copy(update={"spec": json.dumps({"base": base, "year": 2026})})
    data = frame(message(spec)) + b"\0\0" + frame(message(spec, f11="000002"))
    tables, reader, refusals = read(data, reading)
    assert refusals == [] and tables.host["stan"].to_list() == ["123456", "000002"]
    assert tables.host["approved"].to_list() == [True, True] and reader.tally.ignored == 1


def test_fields_headers_and_codes_of_a_site_are_taken_from_its_specification() -> None:
    own = {"header": 5, "year": 2026, "41": {"max_len": 16}, "cash": ["01", "12"], "approved": ["85"]}
    spec = {**default_ascii, "h": {**default_ascii["h"], "max_len": 5}, "41": {**default_ascii["41"], "max_len": 16}}
    raw = message(spec, h="ISO01", f3="120000", f39="85", f41="ATM-000000000001")
    host = read(frame(raw), READING.model_copy(update={"spec": json.dumps(own)}))[0].host
    assert host.select("terminal", "approved").row(0) == ("ATM-000000000001", True)


@pytest.mark.parametrize(
    "text",
    ["{", '{"base": "1993"}', '{"years": 1}', '{"200": {}}', '{"41": {"data_enc": "utf-16"}}', '{"41": {"max_len": -1}}', "[1]",
     '{"41": {"len_count": "x"}}', '{"h": {"len_type": 2}}', '{"fields": {"2": {"left_pad": "xx"}}}', "[" * 100_000],
)  # fmt: skip
def test_a_specification_that_cannot_be_used_is_said_of_every_record(text: str) -> None:
    refusals = read(line(message()), READING.model_copy(update={"spec": text}))[2]
    assert len(refusals) == 1 and refusals[0].reason.startswith("specification: ")


def test_damage_between_frames_costs_only_what_it_touches() -> None:
    good = [frame(message(f11=f"{i:06d}")) for i in range(6)]
    data = good[0] + b"\xff\xfe garbage \xff" + good[1] + good[2][:40] + good[3] + good[4] + good[5][:20]
    reading = READING.model_copy(update={"spec": '{"year": 2026}'})
    tables, _, refusals = read(data, reading)
    assert tables.host["stan"].to_list()[:2] == ["000000", "000001"] and tables.host["stan"].to_list()[-1] == "000004"
    assert refusals[0].offset == len(good[0]) and data[refusals[0].offset :][: refusals[0].length] == b"\xff\xfe garbage \xff"


def test_evidence_is_the_exact_bytes_and_repeats_of_a_record_are_dropped() -> None:
    data = line(message()) + b"\n" + line(message(f11="000002")) + line(message())
    tables, reader, _ = read(data)
    for offset, length, digest in tables.host.select("record_offset", "record_length", "record_digest").iter_rows():
        assert sha256(data[offset : offset + length]).digest() == digest
    assert tables.host.height == 2 and reader.tally.duplicates == 1


def test_the_first_bytes_tell_the_format() -> None:
    assert iso8583.sniff(line(message()) * 2, "x") == 90
    assert iso8583.sniff(frame(message()) * 2, "x") == 85
    assert iso8583.sniff(b'{"time": "x", "message": "11\\u001c"}\n', "x") == 0
    assert iso8583.sniff(b"time,terminal_id\n", "x") == 0


blocks = st.lists(
    st.one_of(
        st.integers(0, 9).map(lambda i: frame(message(f11=f"{i:06d}"))),
        st.binary(max_size=40),
        st.just(b"\0\0"),
        st.just(b"\x01\x000210"),
        st.integers(4000, 5000).map(lambda n: b"z" * n),
    ),
    max_size=8,
).map(b"".join)


@PLAIN
@given(blocks, st.lists(st.integers(0, 3000), max_size=6), st.booleans())
def test_how_the_bytes_are_cut_never_changes_the_rows(data: bytes, cuts: list[int], as_lines: bool) -> None:
    if as_lines:
        data = line(message()) + data
    reading = READING.model_copy(update={"spec": '{"year": 2026}'})
    whole, first, refused = read(data, reading)
    parts, second, refused_parts = read(data, reading, tuple(cuts))
    for name, rows in whole.items():
        assert_frame_equal(rows, parts[name])
    assert (first.tally, refused) == (second.tally, refused_parts)


@PLAIN
@given(st.binary(max_size=400), st.lists(st.tuples(st.integers(0, 500), st.binary(max_size=3)), max_size=6), st.integers(0, 2))
def test_no_bytes_crash_the_reader(junk: bytes, edits: list, shape: int) -> None:
    base = [frame(message(f2="4111111111111111")) * 3, line(message(f95="0" * 42)) * 2, frame(message(default)) * 2][shape]
    data = bytearray(base)
    for place, new in edits:
        data[place : place + len(new)] = new
    spec = '{"year": 2026, "base": "1987-binary"}' if shape == 2 else '{"year": 2026}'
    for whole in (junk, frame(junk), line(junk), bytes(data)):
        tables, reader, refusals = read(whole, READING.model_copy(update={"spec": spec}))
        tally = reader.tally
        assert tally.understood + tally.ignored + len(refusals) + tally.duplicates >= tally.records
        assert tables.host.schema == HOST.schema


deep = b'{"hex": ' + b"[" * 100_000


@pytest.mark.parametrize("data", [deep, b'{"time": 5}', b'{"time": "x", "hex": "30"}', b'{"hex": "zz"}', b"\xff{", b"{\xff}"])
def test_hostile_lines_are_refused_one_by_one(data: bytes) -> None:
    tables, _, refusals = read(line(message()) + data + b"\n" + line(message(f11="000009")))
    assert len(refusals) == 1 and tables.host.height == 2


word = st.text(alphabet="ABC0123456789", min_size=1)
iso_row = st.fixed_dictionaries(
    {
        "activity": st.sampled_from(["request", "reply", "advice", "partial", "reversal"]),
        "time": st.integers(1_700_000_000, 1_900_000_000).map(lambda s: s * 1_000_000),
        "terminal": st.text(alphabet="ATM019", min_size=1, max_size=8),
        "amount": st.integers(1, 10**12 - 1),
        "currency": st.sampled_from(["USD", "JPY", "EUR"]),
        "stan": st.one_of(st.none(), st.from_regex(r"[0-9]{6}", fullmatch=True)),
        "rrn": st.one_of(st.none(), word.map(lambda t: t[:12])),
        "auth_code": st.one_of(st.none(), word.map(lambda t: t[:6])),
        "repeat": st.booleans(),
        "decided": st.sampled_from([("00", True), ("51", False), ("10", True)]),
        "reference": st.one_of(st.none(), st.from_regex(r"[1-9][0-9]{5}", fullmatch=True)),
    }
)


@pytest.mark.parametrize("spec", [None, '{"base": "1987-ebcdic"}'])
@PLAIN
@given(listed=st.lists(iso_row, max_size=6))
def test_what_is_written_is_read_back(spec: str | None, listed: list[dict]) -> None:
    reading = READING.model_copy(update={"spec": spec})
    rows = Rows(reading)
    for i, row in enumerate(listed):
        response, approved = row["decided"]
        decides = row["activity"] in {"reply", "advice"}
        kept = {k: v for k, v in row.items() if k not in {"time", "decided", "reference"}}
        back = row["reference"] if row["activity"] in {"partial", "reversal"} else None
        rows.at(i, b"", bytes(32))
        rows.add(
            "host", row["time"], view="host", naming="terminal_id", time_uncertainty=1_000_000, quality=2, reference=back,
            response=response if decides else None, approved=approved if decides else None, **kept,
        )  # fmt: skip
    given_rows = rows.take()
    back = read(iso8583.encode(given_rows, reading), reading)[0].host
    dropped = {"event_id", "record_offset", "record_length", "record_digest", "mti"}
    carried = [c for c in HOST.schema if c not in dropped]
    expected = given_rows.host.sort("time", maintain_order=True).select(carried).unique(maintain_order=True)
    assert_frame_equal(back.select(carried), expected)


def test_rows_it_cannot_say_are_left_out() -> None:
    rows = Rows(READING)
    rows.at(0, b"", bytes(32))
    rows.add("host", 0, activity="status", view="host", terminal="A", naming="terminal_id")
    rows.add("host", 0, activity="reply", view="line", terminal="A", naming="luno")
    rows.add("host", 0, activity="request", view="host", terminal="A name too long", naming="terminal_id")
    assert iso8583.encode(rows.take(), READING) == b""

"""NDC: requests and replies paired, statuses, counters, doors; real messages where the shared samples are at hand."""

import json
import pickle
import re
from datetime import datetime
from hashlib import sha256
from itertools import pairwise
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from jackstop.formats import ndc
from jackstop.formats._reading import Rows
from jackstop.model.fleet import Reading
from jackstop.model.tables import BY_NAME, Tables

READING = Reading(name="logs/ndc.jsonl")
PLAIN = settings(max_examples=60, deadline=None)
SAMPLES = Path(__file__).parents[3] / "shared/samples/hyosung-app-log"
COUNTERS = (
    "2"
    + "2424"
    + "0000017"
    + "01990019000200000100"
    + "00001000000000200000"
    + "00010000100000000000"
    + "00004000000000000000"
    + "00000"
)


def fs(text: str) -> str:
    return text.replace("|", "\x1c")


def line(text: str, time: str | None = "2026-03-01T02:11:07.300Z", **more: str) -> bytes:
    return json.dumps({"time": time, "direction": "atm2host", "message": fs(text), **more}).encode() + b"\n"


def frame(text: str) -> bytes:
    raw = fs(text).encode("latin-1")
    return len(raw).to_bytes(2) + raw


def read(data: bytes, reading: Reading = READING, cuts: tuple[int, ...] = ()) -> tuple[Tables, ndc.NdcReader, list]:
    reader = ndc.reader(reading)
    places = [0, *sorted(c for c in cuts if c < len(data)), len(data)]
    parts, refusals = [], []
    for a, b in pairwise(places):
        rows, refused = reader.feed(data[a:b], final=b == len(data))
        parts.append(rows)
        reader = pickle.loads(pickle.dumps(reader))
        refusals += refused
    return Tables.concat(parts), reader, refusals


def told(*texts: str) -> Tables:
    data = b"".join(line(t, f"2026-03-01T02:11:{i:02d}Z") for i, t in enumerate(texts))
    tables, _, refusals = read(data)
    assert refusals == []
    return tables


def column(frame: pl.DataFrame, *names: str) -> list:
    shown = frame.select(pl.col(c).cast(pl.String) if isinstance(frame.schema[c], pl.Enum) else c for c in names)
    return shown.rows() if len(names) > 1 else shown[names[0]].to_list()


REQUEST = "11|001|||15|;4111111111111111=29121010000012345678?||A  B    |00008000|9<8;:=?01234567|||"


def test_a_reply_with_notes_approves_what_the_request_of_its_coordination_number_asked() -> None:
    host = told(REQUEST, "4|001||152|00040000|2423A111150|501 thank you").host
    assert column(host, "activity", "terminal", "naming", "amount", "mti") == [
        ("request", "001", "luno", 8000, "11"),
        ("reply", "001", "luno", 8000, "4"),
    ]
    assert column(host, "approved", "response", "tsn", "detail")[1] == (True, "A", "2423", "next-state=152")
    assert host["counts"].to_list() == [None, [0, 4, 0, 0]] and set(host["view"]) == {"line"}


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ("4|001||090|00000000|35955032|5015", [("reply", False, 8000, None)]),
        ("4|001||090|00000000|3595A032|5015", [("reply", False, 8000, None)]),
        ("4|001||090|00000000|35951032|5015", []),
        ("4|001||090|00000000|35955032|6015", []),
        ("4|001||090|0102|3595F032|6015", [("reply", True, None, [1, 2])]),
        ("4|001||090||35955032|", []),
    ],
)
def test_replies_decline_deposit_or_dispense_by_function_and_notes(reply: str, expected: list) -> None:
    host = told(REQUEST, reply).host.filter(pl.col("activity") == "reply")
    assert column(host, "activity", "approved", "amount", "counts") == expected


def test_the_last_transaction_status_tells_what_was_dispensed_before() -> None:
    host = told("11|000|||19|||DBA    A|00000000||||" + "|253991000040000200000000000|5CAM0004").host
    assert column(host, "activity", "tsn", "counts", "detail") == [("status", "5399", [4, 2, 0, 0], "last status=1")]


def test_a_dispenser_fault_tells_the_notes_that_moved() -> None:
    host = told("22|382|||8|E200010000|00000|09|10000", "12|382||E500000000|3|11|1").host
    assert column(host, "mti", "counts", "detail") == [
        ("22", [0, 1, 0, 0], "device=E status=200010000 severity=00000 diag=09 supplies=10000"),
        ("12", [0, 0, 0, 0], "device=E status=500000000 severity=3 diag=11 supplies=1"),
    ]


@pytest.mark.parametrize(
    ("text", "tsn", "detail"),
    [
        ("22|001||9", None, "ready"),
        ("22|001||9\x1dCAM\x1d5A084111111111111111", None, "ready"),
        ("22|001||1A2B3C4D|9", None, "ready"),
        ("22|001||B|2424|", "2424", "ready"),
        ("22|001||A", None, "rejected"),
        ("22|001||C|A01", None, "rejected A01"),
        ("22|001||F|LA060000|BG530-0205", None, "state LA060000"),
    ],
)
def test_solicited_states_become_status_rows(text: str, tsn: str | None, detail: str) -> None:
    assert column(told(text).host, "activity", "tsn", "detail") == [("status", tsn, detail)]


def test_supply_counters_are_one_snapshot_and_tell_the_last_dispense() -> None:
    tables = told(f"22|001||F|{COUNTERS}")
    assert column(tables.units, "unit", "count", "rejected", "dispensed", "basis", "kind", "cause") == [
        (1, 1990, 1, 10, "host", "bill", "snapshot"),
        (2, 1900, 0, 10, "host", "bill", "snapshot"),
        (3, 2000, 2, 0, "host", "bill", "snapshot"),
        (4, 100, 0, 0, "host", "bill", "snapshot"),
    ]
    assert tables.units["snapshot"].n_unique() == 1
    assert column(tables.host, "tsn", "counts", "detail") == [("2424", [4, 0, 0, 0], "supply-counters transactions=17")]


def test_supervisor_power_and_keys_are_operator_rows() -> None:
    operator = told("12|001||P21", "12|001||R09", "12|001||P20", "12|001||B0022").operator
    assert column(operator, "activity", "detail") == [
        ("supervisor-entered", "P21"),
        ("menu", "key=09"),
        ("supervisor-left", "P20"),
        ("power-up", "config=0022"),
    ]


def test_sensors_tell_only_what_changed_at_their_own_terminal() -> None:
    tables = told(
        "12|001||P1000010001111",
        "12|002||P5010110001111",
        "12|001||P1001000001110",
        "12|001||P1100000001111",
        "12|001||P6XX",
    )
    assert column(tables.cabinet, "terminal", "activity", "part", "sensor") == [
        ("001", "opened", "cabinet", "door"),
        ("002", "alarm", "safe", "seismic"),
        ("002", "alarm", "site", "other"),
        ("002", "opened", "cabinet", "door"),
        ("001", "opened", "safe", "door"),
        ("001", "closed", "cabinet", "door"),
        ("001", "closed", "safe", "door"),
    ]
    assert column(tables.operator, "activity", "detail") == [
        ("cassette-removed", "cassette 4"),
        ("supervisor-entered", "P1100000001111"),
        ("cassette-inserted", "cassette 4"),
    ]
    assert column(tables.host, "detail") == ["device=P status=6XX"]


def test_the_configuration_reply_tells_the_sensors_too() -> None:
    tables = told("22|000||F|18300|00000|7F00|0000|000010011111", "12|000||P1000000011111")
    assert column(tables.cabinet, "activity", "part") == [("opened", "cabinet"), ("closed", "cabinet")]


def test_commands_of_the_host_are_named() -> None:
    host = told("1|001||2", "10|001||4", "1|001||71", "3|001||1C|260301021107").host
    assert column(host, "activity", "detail") == [
        ("command", "code=2 out-of-service"),
        ("command", "code=4 send-supply-counters"),
        ("command", "code=71 send-configuration"),
        ("command", "code=1C set-clock"),
    ]


def test_messages_without_meaning_for_cash_are_ignored_knowingly() -> None:
    texts = ["61||||0159", "23|001||3|A3B801", "3|001||12|022X", "6|||1387", "8||5|0607A0", "51|001", "7|001||1"]
    tables, reader, refusals = read(b"".join(line(t) for t in texts))
    assert (reader.tally.ignored, refusals, tables.height) == (7, [], 0)


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (line("99|001"), "no NDC message"),
        (line("4|||152|10|2423A"), "names no terminal"),
        (line("4|001||152|1x|2423A"), "notes of the reply"),
        (line("4|001||152|10|24"), "the reply has no transaction serial number"),
        (line("11|001|||15||||12.5"), "amount of the request"),
        (line("12|001||"), "the status names no device"),
        (line("22|001||Z"), "no status descriptor"),
        (line("22|001||F|2001"), "supply counters cut short"),
        (line("1|001||2", None), 'the line has no "time"'),
        (line("1|001||2", "noon"), "time of the line is not a stamp"),
        (b'{"message": 7}\n', "not a JSON line"),
        (b'{"a":' + b"[" * 100_000 + b"\n", "not a JSON line"),
    ],
)
def test_what_cannot_be_read_is_refused_with_the_reason(record: bytes, reason: str) -> None:
    tables, _, refusals = read(line("1|001||1") + record)
    assert [r.reason.startswith(reason) for r in refusals] == [True]
    assert column(tables.feeds, "activity") == ["refused"] and tables.host.height == 1


def test_the_wrapper_or_the_fleet_names_a_terminal_that_its_messages_do_not() -> None:
    data = line("11|||||15|||A|00008000") + line("4|||152|0004|2423A|5", luno="077")
    assert column(read(line("4|||152|0004|2423A|5", luno="077"))[0].host, "terminal") == ["077"]
    own = READING.model_copy(update={"terminal": "ATM-0001"})
    request = line("11|050|||15|||A|00008000")
    host = read(request + line("4|||152|0004|2423A|5"), own)[0].host
    assert column(host, "terminal", "naming", "amount") == [("ATM-0001", "id", 8000)] * 2
    assert len(read(data)[2]) == 1


def test_wall_clocks_of_lines_are_read_in_the_declared_zone() -> None:
    reading = READING.model_copy(update={"timezone": "America/Chicago"})
    times = [f"2025-11-02T{t}" for t in ("00:59:00", "01:30:00", "01:10:00", "02:00:00")]
    host = read(b"".join(line("1|001||2", t) for t in times), reading)[0].host
    assert host["time"].dt.strftime("%H:%M").to_list() == ["05:59", "06:30", "07:10", "08:00"]
    assert host["quality"].to_list() == [0, 4, 0, 0]


def test_frames_are_placed_by_the_emv_time_of_requests_or_refused() -> None:
    emv = "5CAM0004" + "9A03260301" + "9C0101" + "9F2103021107"
    data = frame(REQUEST + "|" + emv) + frame("4|001||152|00040000|2423A|5") + frame("12|001||P21") + b"\0\0"
    tables, _, refusals = read(data, READING.model_copy(update={"timezone": "Asia/Tokyo"}))
    assert column(tables.host, "activity", "time_uncertainty", "quality") == [
        ("request", 1_000_000, 0),
        ("reply", 120_000_000, 2),
    ]
    assert set(tables.host["time"].dt.strftime("%Y-%m-%d %H:%M:%S")) == {"2026-02-28 17:11:07"}
    assert [r.reason for r in refusals] == [ndc.NO_TIME]


def test_card_data_never_reaches_a_row_or_a_reason() -> None:
    secret = "4111111111111111"
    texts = [REQUEST + f"|5CAM00045A08{secret}", f"12|001||D0{secret}|{secret}", f"22|001||F|X{secret}", f"4|001||{secret}|9|24"]
    tables, _, refusals = read(b"".join(line(t) for t in texts))
    shown = repr(refusals) + "".join(repr(f.drop("record_digest").to_dicts()) for _, f in tables.items())
    assert secret not in shown and "9<8;:=?" not in shown and "29121010000012345678" not in shown
    assert tables.host.height == 3


def test_evidence_is_the_exact_bytes_and_repeats_of_a_line_are_dropped() -> None:
    data = line(REQUEST) + b"\n" + line("1|001||2") + line(REQUEST)
    tables, reader, _ = read(data)
    for offset, length, digest in tables.host.select("record_offset", "record_length", "record_digest").iter_rows():
        assert sha256(data[offset : offset + length]).digest() == digest
    assert tables.host.height == 2 and reader.tally.duplicates == 1


def test_the_first_bytes_tell_the_format() -> None:
    assert ndc.sniff(line(REQUEST) + line("1|001||2"), "x") == 95
    assert ndc.sniff(frame(REQUEST), "x") == 95
    assert ndc.sniff(b'{"time": "x", "hex": "30"}\n', "x") == 0
    assert ndc.sniff(b"time,terminal_id\n", "x") == 0


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="the shared samples are not here")
def test_real_messages_of_an_application_log_are_all_understood_or_ignored_knowingly() -> None:
    found = []
    shape = re.compile(r"\[(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d)-(\d{3})\].*(?:ATM2HOST|HOST2ATM): (.*)")
    for path in sorted(SAMPLES.glob("ndc-*.log")):
        for text in path.read_bytes().decode("latin-1").split("\n"):
            if seen := shape.search(text):
                stamp = datetime.fromisoformat(f"{seen[1]}T{seen[2]}.{seen[3]}").isoformat(timespec="milliseconds")
                found.append(json.dumps({"time": stamp, "message": seen[4].rstrip("\r"), "luno": "777"}))
    tables, reader, refusals = read("\n".join(found).encode())
    assert refusals == [] and reader.tally.understood == 14 and reader.tally.ignored == len(found) - 14
    told_by = dict(zip(column(tables.host, "detail"), tables.host.iter_rows(named=True), strict=True))
    assert told_by["opcode=WAA     "]["amount"] == 30000
    assert told_by["next-state=152"]["counts"] == [10] and told_by["next-state=152"]["tsn"] == "2423"
    assert told_by["code=2 out-of-service"]["activity"] == "command"
    assert told_by["device=D status=0 severity=4 diag=00 supplies=0"]["terminal"] == "000"
    assert column(tables.operator, "activity", "detail") == [("power-up", "config=8300")]
    assert set(told_by) >= {"last status=1", "ready", "state LA060000", "state 18300"}


texts = st.one_of(
    st.just(REQUEST),
    st.sampled_from(
        ["4|001||152|00040000|2423A111150|501", "12|001||P1000010001111", "12|001||P21", f"22|001||F|{COUNTERS}", "1|001||2"]
    ),
    st.text(alphabet=st.sampled_from("1248|PEBF09\x1d{\n"), max_size=30),
)
pieces = st.one_of(
    texts.map(frame), texts.map(line), st.binary(max_size=30), st.just(b"\0\0"), st.integers(4000, 5000).map(lambda n: b"z" * n)
)


@PLAIN
@given(st.booleans(), st.lists(pieces, max_size=8).map(b"".join), st.lists(st.integers(0, 2500), max_size=6))
def test_how_the_bytes_are_cut_never_changes_the_rows(as_lines: bool, rest: bytes, cuts: list[int]) -> None:
    data = (line if as_lines else frame)(REQUEST + "|5CAM00049A032603019F2103021107") + rest
    whole, first, refused = read(data)
    parts, second, refused_parts = read(data, cuts=tuple(cuts))
    for name, rows in whole.items():
        assert_frame_equal(rows, parts[name])
    assert (first.tally, refused) == (second.tally, refused_parts)


@PLAIN
@given(st.binary(max_size=300), st.lists(st.tuples(st.integers(0, 400), st.binary(max_size=3)), max_size=6), st.booleans())
def test_no_bytes_crash_the_reader(junk: bytes, edits: list, as_lines: bool) -> None:
    wrap = line if as_lines else frame
    data = bytearray(
        b"".join(wrap(t) for t in (REQUEST, "4|001||152|00040000|2423A|5", f"22|001||F|{COUNTERS}", "12|001||P511111"))
    )
    for place, new in edits:
        data[place : place + len(new)] = new
    for whole in (junk, frame("12|001||" + junk.decode("latin-1")), line("4|001||" + junk.decode("latin-1")), bytes(data)):
        tables, reader, refusals = read(whole)
        tally = reader.tally
        assert tally.understood + tally.ignored + len(refusals) + tally.duplicates >= tally.records
        for name, rows in tables.items():
            assert rows.schema == BY_NAME[name].schema


tsns = st.from_regex(r"[0-9]{4}", fullmatch=True)
mixes = st.lists(st.integers(0, 99), min_size=4, max_size=4).filter(any)
fives = st.lists(st.integers(0, 99999), min_size=4, max_size=4)
stories = st.lists(
    st.one_of(
        st.tuples(st.just("withdrawal"), st.integers(1, 10**8 - 1), st.one_of(st.none(), mixes), tsns),
        st.tuples(st.just("fault"), mixes, st.sampled_from(["22", "12"])),
        st.tuples(st.just("counters"), fives, fives, tsns.filter(lambda t: t != "0000")),
        st.tuples(st.just("mode"), st.sampled_from(["supervisor-entered", "supervisor-left"])),
        st.tuples(st.just("power-up"), tsns),
        st.tuples(st.just("menu"), st.sampled_from(["09", "12"])),
        st.tuples(st.just("door"), st.sampled_from([("cabinet", "door"), ("safe", "door"), ("safe", "seismic")])),
        st.tuples(st.just("command"), st.sampled_from(["code=2 out-of-service", "code=1 in-service", "code=1C set-clock"])),
        st.tuples(st.just("last"), fives, tsns),
        st.tuples(st.just("ready"), st.one_of(st.none(), tsns)),
    ),
    max_size=8,
)


class Teller:
    """Rows of a story as the simulator would write them."""

    def __init__(self) -> None:
        self.rows = Rows(READING)
        self.time = 1_772_331_067_000_000
        self.open: dict[tuple[str, str, str], bool] = {}

    def add(self, table: str, luno: str, **values: object) -> None:
        self.time += 1_000
        self.rows.at(self.time, b"", bytes(32))
        self.rows.add(table, self.time, terminal=luno, naming="luno", time_uncertainty=1000, **values)

    def host(self, luno: str, **values: object) -> None:
        self.add("host", luno, view="line", **values)

    def tell(self, luno: str, kind: str, *of: object) -> None:
        getattr(self, kind.replace("-", "_"))(luno, *of)

    def withdrawal(self, luno: str, amount: int, mix: list[int] | None, tsn: str) -> None:
        self.host(luno, activity="request", amount=amount, currency="USD", mti="11", detail="opcode=AB     C")
        decided = {"approved": mix is not None, "response": "A" if mix else "5", "counts": mix, "detail": "next-state=152"}
        self.host(luno, activity="reply", amount=amount, currency="USD", mti="4", tsn=tsn, **decided)

    def fault(self, luno: str, mix: list[int], mti: str) -> None:
        status = "3" + "".join(f"{c:02d}" for c in mix)
        self.host(luno, activity="status", counts=mix, mti=mti, detail=f"device=E status={status} severity=00000 diag=09")

    def counters(self, luno: str, inside: list[int], out: list[int], tsn: str) -> None:
        self.host(luno, activity="status", mti="22", tsn=tsn, counts=out, detail="supply-counters transactions=3")
        for i in range(4):
            self.time -= 1_000
            told_of = {"count": inside[i], "rejected": 0, "dispensed": out[i], "unit": i + 1, "snapshot": self.time}
            self.add("units", luno, basis="host", cause="snapshot", kind="bill", currency="USD", **told_of)

    def mode(self, luno: str, activity: str) -> None:
        self.add("operator", luno, activity=activity, detail="P21" if activity.endswith("entered") else "P20")

    def power_up(self, luno: str, config: str) -> None:
        self.add("operator", luno, activity="power-up", detail=f"config={config}")

    def menu(self, luno: str, key: str) -> None:
        self.add("operator", luno, activity="menu", detail=f"key={key}")

    def door(self, luno: str, place: tuple[str, str]) -> None:
        part, sensor = place
        now = self.open[luno, part, sensor] = not self.open.get((luno, part, sensor), False)
        word = ("alarm", "restored") if sensor == "seismic" else ("opened", "closed")
        self.add("cabinet", luno, activity=word[not now], part=part, sensor=sensor)

    def command(self, luno: str, detail: str) -> None:
        self.host(luno, activity="command", mti=detail[5] if detail[6] == " " else "3", detail=detail)

    def last(self, luno: str, counts: list[int], tsn: str) -> None:
        self.host(luno, activity="status", mti="11", tsn=tsn, counts=counts, detail="last status=1")

    def ready(self, luno: str, tsn: str | None) -> None:
        self.host(luno, activity="status", mti="22", tsn=tsn, detail="ready")


@PLAIN
@given(stories, st.lists(st.sampled_from(["001", "002"]), min_size=8, max_size=8))
def test_what_is_written_is_read_back(story: list[tuple], lunos: list[str]) -> None:
    teller = Teller()
    for (kind, *of), luno in zip(story, lunos, strict=False):
        teller.tell(luno, kind, *of)
    given_rows = teller.rows.take()
    back = read(ndc.encode(given_rows, READING))[0]
    dropped = {"event_id", "record_offset", "record_length", "record_digest", "snapshot", "mti"}
    for name in ("host", "units", "operator", "cabinet"):
        carried = [c for c in BY_NAME[name].schema if c not in dropped | ({"detail"} if name == "cabinet" else set())]
        order = ["time", "terminal", "unit"] if name == "units" else ["time"]
        assert_frame_equal(back[name].select(carried).sort(order), given_rows[name].select(carried).sort(order))


def test_rows_it_cannot_say_are_left_out() -> None:
    rows = Rows(READING)
    rows.at(0, b"", bytes(32))
    common = {"view": "line", "terminal": "001", "naming": "luno"}
    rows.add("host", 0, activity="reply", approved=True, counts=[100], **common)
    rows.add("host", 0, activity="reply", approved=True, **common)
    rows.add("host", 0, activity="advice", approved=True, **common)
    rows.add("host", 0, activity="reply", view="host", terminal="ATM1", naming="terminal_id")
    rows.add("operator", 0, activity="login", terminal="001", naming="luno")
    rows.add("cabinet", 0, activity="tamper", part="fascia", sensor="shield", terminal="001", naming="luno")
    rows.add("operator", 0, activity="power-up", terminal="bank\x1cname", naming="luno")
    assert ndc.encode(rows.take(), READING) == b""

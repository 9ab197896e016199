"""SIA DC-09 frames: their check, their fields held against pysiaalarm, and what their events mean."""

import re
from datetime import UTC, datetime

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pysiaalarm import SIAEvent

from jackstop import formats
from jackstop.formats import _dc09_frame as dc09
from jackstop.formats._dc09_codes import CONTACT, SIA
from jackstop.model import vocabulary as v
from jackstop.model.fleet import Reading

SECOND = 1_000_000
AT = "_02:11:07,03-01-2026"
NOON = int(datetime(2026, 3, 1, 2, 11, 7, tzinfo=UTC).timestamp()) * SECOND


def line(text: str, received: str = "") -> bytes:
    return (f"{received} " if received else "").encode() + dc09.framed(text.encode("cp1252")) + b"\n"


def read(*lines: bytes, **options):
    reader = formats.find("dc09").reader(Reading(name="alarms", **options))
    return reader, reader.feed(b"".join(lines), final=True)


def rows(body: str, kind: str = "SIA-DCS", **options):
    _, decoded = read(line(f'"{kind}"0001R1L0#1111[#1111|{body}]{AT}'), **options)
    assert decoded.refusals == []
    return decoded.tables.cabinet.select("activity", "part", "sensor").rows()


@pytest.mark.parametrize(
    ("kind", "body", "meaning"),
    [
        ("SIA-DCS", "Nri1/BA15", ("alarm", "unknown", "other")),
        ("SIA-DCS", "NBA15", ("alarm", "unknown", "other")),
        ("SIA-DCS", "Nri1BR0015", ("restored", "unknown", "other")),
        ("SIA-DCS", "Nri1/BA15|ASafe door", ("opened", "safe", "door")),
        ("SIA-DCS", "Nri1/BH15|ACabinet door", ("closed", "cabinet", "door")),
        ("SIA-DCS", "Nri1/TA3", ("tamper", "unknown", "tamper")),
        ("SIA-DCS", "Nri1/TR3*top hat*", ("restored", "fascia", "tamper")),
        ("SIA-DCS", "Nti02:11/id7/ri1/UA3|AVault vibration", ("alarm", "safe", "seismic")),
        ("SIA-DCS", "Nri1/KA3", ("alarm", "unknown", "heat")),
        ("SIA-DCS", "Nri1/AT0", ("alarm", "site", "power")),
        ("SIA-DCS", "Nri1/DF2", ("opened", "unknown", "door")),
        ("SIA-DCS", "Nri1/HA9", ("alarm", "site", "other")),
        ("ADM-CID", "1137 01 015", ("tamper", "unknown", "tamper")),
        ("ADM-CID", "3137 01 015", ("restored", "unknown", "tamper")),
        ("ADM-CID", "1133 01 002", ("alarm", "safe", "other")),
        ("ADM-CID", "1130 01 002", ("alarm", "unknown", "other")),
        ("ADM-CID", "3301 00 000", ("restored", "site", "power")),
        ("ADM-CID", "1423 01 00A", ("opened", "unknown", "door")),
    ],
)
def test_a_code_says_what_happened_and_words_say_where(kind, body, meaning):
    assert rows(body, kind) == [meaning]


@pytest.mark.parametrize(
    ("kind", "body", "events", "meaning"),
    [
        ("SIA-DCS", "Nri1/BA15", {"BA15": "safe.opened"}, ("opened", "safe", "door")),
        ("SIA-DCS", "Nri1/BA015", {"BA15": "safe.opened"}, ("opened", "safe", "door")),
        ("SIA-DCS", "Nri1/BR15", {"BA15": "safe.opened"}, ("closed", "safe", "door")),
        ("SIA-DCS", "Nri1/BA16", {"BA15": "safe.opened"}, ("alarm", "unknown", "other")),
        ("SIA-DCS", "Nri1/BA15", {"zone 15": "safe"}, ("alarm", "safe", "other")),
        ("SIA-DCS", "Nri1/BA15", {"zone 15": "safe.door", "zone 16": "cabinet.door"}, ("opened", "safe", "door")),
        ("SIA-DCS", "Nri1/BH16", {"zone 15": "safe.door", "zone 16": "cabinet.door"}, ("closed", "cabinet", "door")),
        ("SIA-DCS", "Nri2/BA15", {"zone 15": "safe.door", "zone 2/15": "rear.door"}, ("opened", "rear", "door")),
        ("SIA-DCS", "Nri1/TA15", {"zone 15": "safe.door"}, ("tamper", "safe", "tamper")),
        ("SIA-DCS", "Nri1/BA15", {"#2222/BA15": "rear.opened", "#1111/BA15": "safe.opened"}, ("opened", "safe", "door")),
        ("SIA-DCS", "Nri1/OP1", {"OP": "site.opened"}, ("opened", "site", "door")),
        ("ADM-CID", "1137 01 015", {"137/01/015": "safe.opened"}, ("opened", "safe", "door")),
        ("ADM-CID", "3137 01 015", {"137/01/015": "safe.opened"}, ("closed", "safe", "door")),
        ("ADM-CID", "3137 01 015", {"137/01/015": "safe.opened", "3137/1/15": "safe.tamper.alarm"}, ("alarm", "safe", "tamper")),
        ("ADM-CID", "1130 01 015", {"130": "safe.seismic.alarm"}, ("alarm", "safe", "seismic")),
        ("ADM-CID", "1130 01 015", {"zone 01/015": "dispenser.door"}, ("opened", "dispenser", "door")),
    ],
)
def test_a_sites_own_words_for_codes_and_zones_come_first(kind, body, events, meaning):
    assert rows(body, kind, events=events) == [meaning]


@pytest.mark.parametrize("events", [{"BA15": "moon.landed"}, {"zone 15": "moon"}, {"door 15": "safe.opened"}])
def test_words_that_mean_nothing_are_refused_with_what_was_expected(events):
    _, decoded = read(line(f'"SIA-DCS"0001L0#1111[#1111|Nri1/BA15]{AT}'), events=events)
    assert "expected" in decoded.refusals[0].reason


def test_every_meaning_is_a_word_of_the_vocabulary():
    for meaning in (*SIA.values(), *CONTACT.values()):
        assert meaning.activity in v.CABINET_ACTIVITY
        assert meaning.sensor in v.CABINET_SENSOR
        assert meaning.part is None or meaning.part in v.CABINET_PART


@pytest.mark.parametrize("body", ["Nri1/OP1", "Nri1/CL1", "Nri1/BB15", "NYC", "Nri1/JP2"])
def test_arming_bypasses_and_users_are_understood_and_give_no_rows(body):
    reader, decoded = read(line(f'"SIA-DCS"0001L0#1111[#1111|{body}]{AT}'))
    assert (reader.tally.understood, decoded.tables.height) == (1, 0)


def test_several_events_of_a_frame_are_several_rows():
    assert [r[0] for r in rows("Nri1/BA15/TA16/BR15")] == ["alarm", "tamper", "restored"]


def test_rows_name_the_account_of_the_data_before_the_frames():
    _, decoded = read(line(f'"SIA-DCS"0007R1L0#AAAA[#1111|Nri1/TA3]{AT}'), line(f'"SIA-DCS"0001R1L0#BBBB[|Nri1/TA3]{AT}'))
    found = decoded.tables.cabinet.select("terminal", "naming", "sequence").rows()
    assert found == [("1111", "alarm_account", 7), ("BBBB", "alarm_account", 1)]


@pytest.mark.parametrize(
    ("text", "received", "expected"),
    [
        (f'"SIA-DCS"0001L0#1[#1|NTA1]{AT}', "", NOON),
        (f'"SIA-DCS"0001L0#1[#1|NTA1]{AT}', "2026-03-01T02:11:47.500000Z", NOON),
        (f'"SIA-DCS"0001L0#1[#1|NTA1]{AT}', "2026-03-01T05:11:07.000000Z", NOON + 3 * 3600 * SECOND),
        (f'"SIA-DCS"0001L0#1[#1|NTA1][H02:01:07,03-01-2026]{AT}', "2026-03-01T02:11:07.000000Z", NOON - 600 * SECOND),
        (
            f'"SIA-DCS"0001L0#1[#1|NTA1][H02:01:07,03-01-2026]{AT}',
            "2026-03-01T05:11:07.000000Z",
            NOON + (3 * 3600 - 600) * SECOND,
        ),
        ('"SIA-DCS"0001L0#1[#1|NTA1]', "2026-03-01T02:11:07.000000Z", NOON),
    ],
)
def test_the_time_is_the_panels_unless_its_clock_is_off(text, received, expected):
    row = read(line(text, received))[1].tables.cabinet
    assert row["time"].to_physical().to_list() == [expected]


def test_without_any_stamp_a_frame_is_refused_not_guessed():
    assert "stamp" in read(line('"SIA-DCS"0001L0#1[#1|NTA1]'))[1].refusals[0].reason


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"hello\n", "no frame"),
        (line(f'"SIA-DCS"0001L0#1[#1|NTA1]{AT}').replace(b"NTA1", b"NTA2"), "CRC"),
        (line(f'"SIA-DCS"0001L0#1[#1|NTA1]{AT}').replace(b"NTA1", b"NTA12"), "bytes, expected"),
        (line(f'"SIA-DCS"0001L0#1[#1|what]{AT}'), "no event"),
        (line(f'"ADM-CID"0001L0#1[#1|137 1 15]{AT}'), "no event"),
        (line(f'"SIA-DCS"0001L0#1[#1|NTA1]{AT}!'), "something else"),
        (line('"SIA-DCS"0001L0#1[#1|NTA1]_99:11:07,03-01-2026'), "something else"),
        (line('"*SIA-DCS"0001L0#1[A1B2C3D4'), "encrypted"),
        (line(f'"ACR-SF"0001L0#1[#1|NTA1]{AT}'), "id ACR-SF"),
        (line('"SIA-DCS"0001L0#1[#1|NTA1'), "no end"),
    ],
)
def test_a_frame_that_cannot_be_read_is_refused_with_its_reason(raw, reason):
    (refusal,) = read(raw)[1].refusals
    assert reason in refusal.reason


def test_missing_frames_and_new_beginnings_are_rows_of_feeds():
    numbers = [1, 2, 5, 4, 6, 9998, 9999, 1, 2, 1]
    lines = [line(f'"SIA-DCS"{n:04d}L0#1[#1|Nri{i}/TA1]{AT}') for i, n in enumerate(numbers)]
    feeds = read(*lines)[1].tables.feeds
    found = feeds.select("activity", "count", "before", "after", "terminal").rows()
    assert found == [("gap", 2, 2, 5, "1"), ("gap", 9991, 6, 9998, "1"), ("restarted", 1, 2, 1, "1")]


def test_panels_are_counted_each_by_itself():
    lines = [line(f'"SIA-DCS"{n:04d}L0#{a}[#{a}|Nri1/TA{n}]{AT}') for n in (1, 2, 3) for a in ("11", "22")]
    assert read(*lines)[1].tables.feeds.height == 0


def test_signs_of_life_are_told_once_a_quarter_of_an_hour():
    lines = []
    for n in range(40):
        when = dc09.stamped(datetime.fromtimestamp(NOON // SECOND + n * 60, UTC))
        lines.append(line(f'"NULL"{n + 1:04d}L0#1[]_{when}'))
    lines.append(line(f'"SIA-DCS"0041L0#2[#2|Nri0/RP0]{AT}'))
    reader, decoded = read(*lines)
    assert decoded.tables.feeds.select("activity", "terminal").rows() == [("heartbeat", "1")] * 3 + [("heartbeat", "2")]
    assert reader.tally.understood == 41


def test_a_frame_that_came_twice_is_read_once():
    text = f'"SIA-DCS"0001L0#1[#1|NTA1]{AT}'
    reader, decoded = read(line(text, "2026-03-01T02:11:07.000000Z"), line(text, "2026-03-01T02:11:27.000000Z"))
    assert (reader.tally.duplicates, decoded.tables.cabinet.height) == (1, 1)


def test_a_panel_without_a_clock_that_begins_anew_every_day_is_not_taken_for_a_repeat():
    text = '"SIA-DCS"0001L0#1[#1|NTA1]'
    days = [line(text, f"2026-03-0{day}T02:11:07.000000Z") for day in (1, 2, 3)]
    assert read(*days)[1].tables.cabinet.height == 3


def test_card_numbers_are_masked_wherever_a_frame_may_carry_them():
    card = "4111111111111111"
    bodies = [f"Nri1/TA1|Acard {card}", f"NTA1*{card}*", f"NTA1][I{card}"]
    lines = [line(f'"SIA-DCS"{n:04d}L0#{card}[#{card}|{b}]{AT}') for n, b in enumerate(bodies, 1)]
    _, decoded = read(*lines)
    assert decoded.tables.cabinet.height == 3
    for frame in (decoded.tables.cabinet, decoded.tables.feeds):
        assert card not in frame.select(pl.selectors.string()).write_ndjson()


ACCOUNT = st.text("0123456789ABCDEF", min_size=3, max_size=16)


@given(
    account=ACCOUNT,
    code=st.sampled_from(sorted(SIA)),
    zone=st.integers(0, 999),
    area=st.integers(0, 99),
    number=st.integers(0, 9999),
    receiver=st.one_of(st.none(), st.text("0123456789ABCDEF", min_size=1, max_size=6)),
)
@settings(max_examples=150, deadline=None)
def test_fields_are_those_pysiaalarm_finds(account, code, zone, area, number, receiver):
    told = f"R{receiver}" if receiver else ""
    text = f'"SIA-DCS"{number:04d}{told}L0#{account}[#{account}|Nri{area}/{code}{zone}]{AT}'
    raw = dc09.framed(text.encode())
    oracle = SIAEvent.from_line(raw.decode())
    message = dc09.parse(raw[8:])
    (event,) = dc09.events(message)
    assert oracle.valid_message
    assert int(oracle.length, 16) == len(oracle.full_message) == len(text)
    assert (oracle.account, int(oracle.sequence), oracle.code, int(oracle.ri)) == (
        message.who,
        message.sequence,
        event.code,
        event.area,
    )
    assert re.fullmatch(r"0*(\d+)", oracle.message)[1] == str(event.zone)
    assert int(oracle.timestamp.timestamp()) * SECOND == message.stamp
    assert (message.receiver, message.line) == (receiver, "0")


@given(qualifier=st.sampled_from("13"), code=st.integers(100, 999), area=st.integers(0, 99), zone=st.integers(0, 999))
@settings(max_examples=100, deadline=None)
def test_contact_id_is_read_as_pysiaalarm_reads_it_and_the_zone_besides(qualifier, code, area, zone):
    raw = dc09.framed(f'"ADM-CID"0002L0#1111[#1111|{qualifier}{code:03d} {area:02d} {zone:03d}]'.encode())
    oracle = SIAEvent.from_line(raw.decode())
    (event,) = dc09.events(dc09.parse(raw[8:]))
    assert (oracle.event_qualifier, oracle.event_type, int(oracle.partition)) == (str(event.qualifier), event.code, event.area)
    assert event.zone == zone == int(oracle.ri)


@given(st.binary(max_size=300))
@settings(max_examples=300, deadline=None)
def test_any_bytes_are_a_frames_text_or_refused(data):
    try:
        message = dc09.parse(data)
        dc09.events(message)
    except dc09.Broken as fault:
        assert "expected" in str(fault)
        return
    assert isinstance(message.text, str)


@given(st.text('"*SIA-DCSNULLRL#[]|_0123456789:,abz/^ ', max_size=120))
@settings(max_examples=300, deadline=None)
def test_lines_made_of_frames_own_signs_are_read_or_refused(text):
    _, decoded = read(line(text), line(f'"SIA-DCS"0001L0#1[#1|{text.replace("]", "")}]{AT}'))
    assert decoded.tables.feeds.filter(decoded.tables.feeds["activity"] == "refused").height == len(decoded.refusals)

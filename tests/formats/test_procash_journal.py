"""ProCash journals: what their lines say, how they are placed in time, and what damage does to them."""

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from journal_rows import brief, check, every_word, expected, journals, mutated, read, reading, said, same, tables

from jackstop.formats import guess, procash_journal

GABON = reading(name="logs/T1/20230418.jrn", timezone="Africa/Libreville", currency="XAF")
DAY = b"""06:00:00 JOURNALING STARTED\r\r
*1000*06:00:02 OPERATOR DOOR OPENED\r\r
*1001*06:00:03 COMMUNICATION ONLINE\r\r
06:00:04 DEVICE CCCdmFW STATUS 4 SUPPLY 1\r\r
10:12:01 -> TRANSACTION START\r\r
10:12:05 TRACK 2 DATA: 4111111111111111\r\r
10:12:10 EMV AID A0000000031010 STARTED\r\r
10:12:14 PIN ENTERED\r\r
10:12:20 AMOUNT 30000 ENTERED\r\r
10:12:21 TRANSACTION REQUEST ABAI\r\r
10:12:23 TRANSACTION REPLY NEXT 128 FUNCTION Z000Z000E065B067C067H061\r\r
CODE REPONSE: 00\r\r
RRN: 310865672052\r\r
AUTH. CODE: 649432 UTRNNO: 3093649432\r\r
10:12:23 CASH REQUEST: 01010501\r\r
10:12:31 CASH PRESENTED\r\r
10:12:33 CARD(53123431********) TAKEN\r\r
10:12:35 CASH TAKEN\r\r
10:12:39 <- TRANSACTION END\r\r
"""
PERIOD = b"""*1002*11:43:25 SERVICEMODE ENTERED
*1003*11:43:40 THIRD CASSETTE REMOVED
*1004*11:45:40 REJECT CASSETTE INSERTED
11:50:00 CASH COUNTERS BEFORE SOP
   CFA    10000 1553*
   CFA     5000  290*
RETRACTS: 1
REJECTS: 3
*1005*11:50:30 CLEAR CASH
11:51:01 CASH COUNTERS AFTER SOP
   CFA    10000  853
   CFA     5000 1003
*1006*11:59:59 SERVICEMODE LEFT
12:00:12 PHYSICAL CASSETTE 2 LOW
"""


def procash(data, given=GABON, cuts=()):
    return read("procash-journal", data, given, cuts)


def test_a_withdrawal_gives_its_rows_in_local_time_with_keys_and_ordered_notes():
    found, refusals, tally = procash(DAY)
    assert (refusals, tally.ignored) == ([], 0)
    assert brief(found.cash) == [
        ("status", "18 05:00:04"),
        ("session-start", "18 09:12:01"),
        ("card", "18 09:12:05"),
        ("pin", "18 09:12:14"),
        ("request-sent", "18 09:12:21"),
        ("reply-received", "18 09:12:23"),
        ("dispense-requested", "18 09:12:23"),
        ("presented", "18 09:12:31"),
        ("taken", "18 09:12:35"),
        ("session-end", "18 09:12:39"),
    ]
    by = {r["activity"]: r for r in found.cash.to_dicts()}
    assert by["status"]["state"] == "hardware-error"
    assert by["card"]["detail"] == "411111******1111"
    assert (by["request-sent"]["amount"], by["request-sent"]["currency"]) == (30_000, "XAF")
    reply = by["reply-received"]
    assert (reply["rrn"], reply["auth_code"]) == ("310865672052", "649432")
    assert reply["detail"] == "approved: response 00, function EBCH"
    assert by["dispense-requested"]["counts"] == [1, 1, 5, 1]
    assert all(q & 2 for q in found.cash["quality"])


def test_machine_lines_give_operator_and_cabinet_rows_with_their_numbers():
    found, _, _ = procash(DAY + PERIOD)
    assert said(found.cabinet, "activity", "part", "sensor", "sequence") == [("opened", "cabinet", "door", 1000)]
    assert said(found.operator, "activity", "detail", "sequence") == [
        ("host-online", "COMMUNICATION ONLINE", 1001),
        ("supervisor-entered", "SERVICEMODE ENTERED", 1002),
        ("cassette-removed", "THIRD", 1003),
        ("cassette-inserted", "REJECT", 1004),
        ("counters-cleared", "CLEAR CASH", 1005),
        ("counters-set", "CASH COUNTERS AFTER SOP", None),
        ("supervisor-left", "SERVICEMODE LEFT", 1006),
    ]


def test_counters_around_a_start_of_period_give_units_by_position():
    found, _, _ = procash(DAY + PERIOD)
    assert said(found.units, "cause", "unit", "kind", "currency", "value", "count", "status", "accuracy") == [
        ("snapshot", 1, "bill", "XAF", 10_000, 1553, None, "inaccurate"),
        ("snapshot", 2, "bill", "XAF", 5_000, 290, None, "inaccurate"),
        ("snapshot", None, "retract", None, None, 1, None, None),
        ("snapshot", None, "reject", None, None, 3, None, None),
        ("set", 1, "bill", "XAF", 10_000, 853, None, None),
        ("set", 2, "bill", "XAF", 5_000, 1003, None, None),
        ("changed", 2, "bill", None, None, None, "low", None),
    ]
    assert found.units["snapshot"].n_unique() == 3


@pytest.mark.parametrize(
    ("phrase", "activity"),
    [
        (b"GO IN SERVICE COMMAND", "in-service"),
        (b"GO OUT OF SERVICE COMMAND", "out-of-service"),
        (b"COMMUNICATION OFFLINE", "host-offline"),
        (b"APPLICATION STARTED", "started"),
        (b"BOTTOM CASSETTE REMOVED", "cassette-removed"),
    ],
)
def test_a_line_about_the_machine_gives_an_operator_row(phrase, activity):
    assert brief(procash(b"*7*08:00:00 " + phrase + b"\r\n")[0].operator) == [(activity, "18 07:00:00")]


@pytest.mark.parametrize(
    ("reply", "detail"),
    [
        (b"NEXT 267 FUNCTION Z000Z0005025", "declined: function 5 moves no cash"),
        (b"NEXT 523 FUNCTION 5157", "declined: function 5 moves no cash"),
        (b"NEXT 295 FUNCTION Z000", "the decision is not told"),
        (b"NEXT 128 FUNCTION Z000Z000B067", "approved: function B"),
        (b"NEXT 128 FUNCTION Z000Z000B067\nRESP_CODE: 51", "declined: response 51, function B"),
    ],
)
def test_a_reply_is_what_its_response_code_or_its_functions_say(reply, detail):
    found, _, _ = procash(b"10:00:00 TRANSACTION REPLY " + reply + b"\n10:00:01 PIN ENTERED\n")
    assert said(found.cash, "activity", "detail") == [("reply-received", detail), ("pin", None)]


def test_a_dispenser_error_fails_the_order_at_hand_and_else_is_a_state():
    fault = b" CDM ERROR: 0000001D 20001823 00000000\n"
    found, _, _ = procash(b"10:00:00 CASH REQUEST: 0102\n10:00:04" + fault + b"10:05:00" + fault)
    assert said(found.cash, "activity", "result_name", "state") == [
        ("dispense-requested", None, None),
        ("dispense-failed", "0000001D 20001823 00000000", None),
        ("status", None, "hardware-error"),
    ]


def test_an_order_cut_in_its_digits_is_refused():
    found, refusals, _ = procash(b"10:00:00 CASH REQUEST: 01015\n")
    assert found.cash.height == 0
    assert [r.reason for r in refusals] == ["CASH REQUEST 01015 is cut, expected two digits per cassette"]


def test_retracted_cash_and_keys_told_later_are_kept():
    found, _, _ = procash(b"10:00:00 CASH PRESENTED\nRRN: 310865672052\n10:00:40 CASH RETRACTED\n")
    assert said(found.cash, "activity", "rrn") == [("presented", None), ("retracted", "310865672052")]


def test_without_a_date_in_the_name_lines_are_refused_until_a_line_tells_it():
    data = b"23:00:00 CASH TAKEN\n----------2026/03/01----------\n23:00:01 CASH TAKEN\n"
    found, refusals, _ = procash(data, reading(timezone="UTC"))
    assert brief(found.cash) == [("taken", "01 23:00:01")]
    assert "its date or time is not known" in refusals[0].reason


def test_a_name_with_an_impossible_date_is_refused_with_the_reason():
    _, refusals, _ = procash(b"23:00:00 CASH TAKEN\n", reading(name="20261332.jrn"))
    assert "the file's name holds no date" in refusals[0].reason


def test_lines_past_midnight_belong_to_the_next_day():
    found, _, _ = procash(b"23:59:59 CASH PRESENTED\n00:00:03 CASH TAKEN\n")
    assert brief(found.cash) == [("presented", "18 22:59:59"), ("taken", "18 23:00:03")]


def test_a_clock_set_back_an_hour_stays_on_its_day():
    found, _, _ = procash(b"10:00:00 CASH PRESENTED\n09:00:03 CASH TAKEN\n")
    assert brief(found.cash) == [("presented", "18 09:00:00"), ("taken", "18 08:00:03")]


def test_an_amount_may_have_decimals_and_follows_its_currency():
    data = b"10:00:00 AMOUNT 1,200.50 ENTERED\n10:00:01 TRANSACTION REQUEST AB\n"
    dinar, _, _ = procash(data, reading(name="20230418.jrn", currency="KWD"))
    euro, _, _ = procash(data, reading(name="20230418.jrn", currency="EUR"))
    yen, refusals, _ = procash(data, reading(name="20230418.jrn", currency="JPY"))
    assert (dinar.cash["amount"].item(), euro.cash["amount"].item()) == (1_200_500, 120_050)
    assert yen.cash["amount"].to_list() == [None]
    assert "amount '1,200.50' is not one of JPY" in refusals[0].reason


def test_a_day_printed_twice_gives_its_rows_once():
    found, _, tally = procash(DAY + PERIOD + DAY + PERIOD)
    once, _, _ = procash(DAY + PERIOD)
    assert said(found.cash, "time", "activity") == said(once.cash, "time", "activity")
    assert said(found.units, "time", "unit", "count") == said(once.units, "time", "unit", "count")
    assert (found.feeds.height, tally.duplicates) == (0, 24)


def test_missing_event_numbers_are_a_gap():
    found, _, _ = procash(
        b"*998*10:00:00 SAFE DOOR OPENED\n*999*10:00:01 SAFE DOOR CLOSED\n*1*10:00:02 CLEAR CASH\n*5*10:00:03 CLEAR CASH\n"
    )
    assert said(found.feeds, "activity", "count", "before", "after") == [("gap", 3, 1, 5)]


def test_interleaved_and_torn_lines_are_read_apart():
    found, _, _ = procash(b"10:12:23 CASH REQ10:12:31 CASH PRESENTED10:12:35 CASH TAKEN\nH TAKEN\n10:12:39 <- TRANSACTION END\n")
    assert brief(found.cash) == [("presented", "18 09:12:31"), ("taken", "18 09:12:35"), ("session-end", "18 09:12:39")]
    assert [q & 32 for q in found.cash["quality"]] == [32, 32, 0]


def test_certainty_is_for_procash_journals_alone():
    written = procash_journal.encode(procash(DAY + PERIOD)[0], GABON)
    for data in (DAY, written):
        assert next(guess(data, "20230418.jrn"))[1] == "procash-journal"
        assert procash_journal.sniff(data, "journal.txt") >= 95
    assert procash_journal.sniff(b"*476*04/02/2025*06:26:55*\n 06:27:00 CASH TAKEN\n", "x.jrn") == 0
    assert procash_journal.sniff(b"10:00:00 everything is fine\n", "app.log") == 0
    assert procash_journal.sniff(b"<xml/>", "20230418.jrn") == 0


OPERATIONS = (
    *("supervisor-entered", "supervisor-left", "in-service", "out-of-service", "host-online", "host-offline"),
    *("started", "power-up", "counters-cleared", "counters-set", "cash-added"),
)
KEPT = (
    *("session-start", "card", "pin", "request-sent", "reply-received", "dispense-requested"),
    *("presented", "taken", "retracted", "dispense-failed", "session-end"),
)
rows = journals(operations=OPERATIONS, failures=(None, "0000001D 20001823 00000000"), causes=("snapshot", "set"))


@settings(max_examples=60, deadline=None)
@given(rows)
def test_what_is_written_is_read_back(given_rows):
    source = reading(timezone="Asia/Tokyo", name="journal")
    given_tables = tables(source, given_rows)
    found, refusals, tally = read("procash-journal", procash_journal.encode(given_tables, source), source)
    assert (refusals, tally.ignored, found.feeds.height) == ([], 0, 0)
    assert said(found.cash, "time", "activity") == expected(given_tables, "cash", ("time", "activity"), KEPT)
    told = {
        "request-sent": ("amount",),
        "reply-received": ("tsn", "rrn", "auth_code"),
        "dispense-requested": ("counts",),
        "presented": ("counts",),
        "dispense-failed": ("result_name",),
    }
    for activity, columns in told.items():
        assert said(found.cash.filter(activity=activity), *columns) == expected(given_tables, "cash", columns, [activity])
    declined = [bool(d) and "declin" in d for d in found.cash.filter(activity="reply-received")["detail"]]
    assert declined == [d == "declined" for (d,) in expected(given_tables, "cash", ("detail",), ["reply-received"])]
    assert said(found.cabinet, "time", "activity", "part") == expected(given_tables, "cabinet", ("time", "activity", "part"))
    counted = ("time", "cause", "unit", "kind", "currency", "value", "count")
    assert said(found.units, *counted) == expected(given_tables, "units", counted)
    anchors = {t for t, c in said(found.units, "time", "cause") if c == "set"}
    heard = found.operator.filter(~pl.col("time").is_in(list(anchors)))
    assert said(heard, "time", "activity") == expected(given_tables, "operator", ("time", "activity"))


@pytest.mark.parametrize("table", ["cash", "operator", "cabinet", "units"])
def test_every_word_is_accepted_and_what_cannot_be_said_is_left_out(table):
    given_tables = tables(GABON, every_word(table))
    found, refusals, tally = procash(procash_journal.encode(given_tables, GABON))
    assert (refusals, tally.ignored) == ([], 0)
    words = {
        "cash": {*KEPT, "rejected"},
        "operator": {*OPERATIONS, "cassette-removed", "cassette-inserted"},
        "cabinet": {"opened", "closed"},
        "units": {"snapshot", "set"},
    }
    assert set(found[table]["cause" if table == "units" else "activity"].cast(pl.String)) == words[table]


@settings(max_examples=40, deadline=None)
@given(rows, st.lists(st.integers(0, 4000), max_size=8))
def test_rows_do_not_depend_on_how_the_bytes_are_cut(given_rows, cuts):
    data = procash_journal.encode(tables(GABON, given_rows), GABON) + DAY + PERIOD
    whole, refusals, tally = procash(data)
    cut, cut_refusals, cut_tally = procash(data, cuts=cuts)
    assert same(whole, cut)
    assert (refusals, tally) == (cut_refusals, cut_tally)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.data_too_large])
@given(st.data())
def test_mutated_journals_never_crash_and_keep_the_schemas(data):
    found, refusals, tally = procash(mutated(data.draw, DAY + PERIOD))
    check(found)
    assert tally.refused == len(refusals) == found.feeds.filter(activity="refused").height


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=600))
def test_any_bytes_are_survived(data):
    check(procash(data)[0])
    assert 0 <= procash_journal.sniff(data, "x.jrn") <= 100

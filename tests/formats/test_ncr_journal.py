"""NCR journals: what their lines say, how they are placed in time, and what damage does to them."""

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from journal_rows import SECOND, START, brief, check, every_word, expected, journals, mutated, read, reading, said, same, tables

from jackstop.formats import guess, ncr_journal
from jackstop.formats._journal_days import UNDECLARED

ASIA = reading(timezone="Asia/Kolkata", currency="INR", date_order="dmy")
SESSION = b"""\x1b[020t*476*04/02/2025*13:39:55*
     *TRANSACTION START*
\x1b[020t CARD INSERTED
\x1b[020tCARD: 4111111111111111
 13:39:56 ATR RECEIVED T=0
[020t 13:40:02 PIN ENTERED
[020t 13:40:09 AMOUNT 10000 ENTERED
[020t 13:40:10 OPCODE = BBD
   REQUEST SENT [AMOUNT=00010000]
   RESPONSE RECEIVED [FUNCTION ID=B, TXN SN NO=6437]
   GENAC 1 : ARQC / GENAC 2 : TC
[020t 13:40:23 NOTES STACKED
[020t 13:40:28 CARD TAKEN
    AUTH CODE         : 211473
    RRN.               515816007649
[020t 13:40:31 NOTES PRESENTED 0,0,20,0
[020t 13:40:33 NOTES TAKEN
[020t 13:40:36 TRANSACTION END
"""
COUNTERS = b"""CASH TOTAL       TYPE1 TYPE2 TYPE3 TYPE4
CASS POSITION        1     2     3     0
DENOMINATION       100   200   500     0
DISPENSED        00271 00243 00621 00000
REJECTED         00003 00001 00010 00000
REMAINING        01729 01757 01379 00000
"""
SUPERVISOR = b"""*477*04/02/2025*13:41*
SUPERVISOR MODE ENTRY
SECOND CASSETTE REMOVED
SAFE DOOR OPENED
SECOND CASSETTE INSERTED
CASH COUNTS CLEARED
CASH DISPENSED
TYPE 1 \xf7 01501  TYPE 2 \xf7 01499
CASH REMAINING
TYPE 1 \xf7 00001  TYPE 2 \xf7 00000
CASH REJECTED
TYPE 1 \xf7 00002  TYPE 2 \xf7 00003
CASH ADDED
TYPE 1 =  1500  TYPE 2 =  1000
SUPERVISOR MODE EXIT
"""


def ncr(data, given=ASIA, cuts=()):
    return read("ncr-journal", data, given, cuts)


def test_a_withdrawal_gives_its_rows_in_local_time_with_keys_and_note_mix():
    found, refusals, tally = ncr(SESSION)
    assert refusals == []
    assert tally.ignored == 0
    assert brief(found.cash) == [
        ("session-start", "04 08:09:55"),
        ("card", "04 08:09:55"),
        ("pin", "04 08:10:02"),
        ("request-sent", "04 08:10:10"),
        ("reply-received", "04 08:10:10"),
        ("dispensed", "04 08:10:23"),
        ("presented", "04 08:10:31"),
        ("taken", "04 08:10:33"),
        ("session-end", "04 08:10:36"),
    ]
    by = {r["activity"]: r for r in found.cash.to_dicts()}
    assert by["request-sent"]["amount"] == 1_000_000
    assert (by["reply-received"]["tsn"], by["reply-received"]["detail"]) == ("6437", "approved: function B")
    assert by["presented"]["counts"] == [0, 0, 20, 0]
    assert (by["taken"]["rrn"], by["taken"]["auth_code"]) == ("515816007649", "211473")
    assert set(found.cash["session"]) == {"476"}
    assert set(found.cash["sequence"]) == {476}


def test_no_card_number_leaves_the_reader_whole():
    found, _, _ = ncr(SESSION)
    card = found.cash.filter(activity="card")
    assert card["detail"].to_list() == ["411111******1111"]
    assert card["quality"].item() & 8
    assert all("4111111111111111" not in str(f.to_dicts()) for _, f in found.items())


def test_counter_tables_give_units_of_basis_journal():
    found, _, tally = ncr(SESSION.replace(b"[020t 13:40:36", COUNTERS + b"[020t 13:40:36"))
    assert tally.ignored == 0
    assert said(found.units, "unit", "value", "dispensed", "rejected", "count", "cause", "basis", "kind") == [
        (1, 10_000, 271, 3, 1729, "snapshot", "journal", "bill"),
        (2, 20_000, 243, 1, 1757, "snapshot", "journal", "bill"),
        (3, 50_000, 621, 10, 1379, "snapshot", "journal", "bill"),
        (4, None, 0, 0, 0, "snapshot", "journal", "bill"),
    ]
    assert found.units["snapshot"].n_unique() == 1
    assert found.cash["activity"].to_list()[-1] == "session-end"


def test_a_torn_counter_table_is_marked_partial_and_keeps_what_it_has():
    torn = b"*1*04/02/2025*10:00:00*\nCASH TOTAL  TYPE1 TYPE2\nDISPENSED 00005 00006\n 10:00:05 NOTES TAKEN\nREMAINING 1 2\n"
    found, _, _ = ncr(torn)
    assert said(found.units, "unit", "dispensed", "count") == [(1, 5, None), (2, 6, None)]
    assert all(q & 1 for q in found.units["quality"])


def test_supervisor_work_gives_operator_cabinet_and_counter_rows():
    found, refusals, tally = ncr(SUPERVISOR)
    assert (refusals, tally.ignored) == ([], 0)
    assert said(found.operator, "activity", "detail") == [
        ("supervisor-entered", "SUPERVISOR MODE ENTRY"),
        ("cassette-removed", "SECOND"),
        ("cassette-inserted", "SECOND"),
        ("counters-cleared", "CASH COUNTS CLEARED"),
        ("cash-added", "CASH ADDED"),
        ("supervisor-left", "SUPERVISOR MODE EXIT"),
    ]
    assert said(found.cabinet, "activity", "part", "sensor") == [("opened", "safe", "door")]
    assert said(found.units, "cause", "unit", "count", "dispensed", "rejected", "initial") == [
        ("cleared", 1, 1, 1501, 2, None),
        ("cleared", 2, 0, 1499, 3, None),
        ("set", 1, None, None, None, 1500),
        ("set", 2, None, None, None, 1000),
    ]


def test_foreign_glyphs_mark_bad_bytes_unless_their_code_page_is_declared():
    undeclared, _, _ = ncr(SUPERVISOR)
    declared, _, _ = ncr(SUPERVISOR, ASIA.model_copy(update={"encoding": "cp437"}))
    assert [q & 16 for q in undeclared.units["quality"]] == [16, 16, 0, 0]
    assert [q & 16 for q in declared.units["quality"]] == [0, 0, 0, 0]


def test_an_unknown_encoding_refuses_every_line_and_says_so():
    _, refusals, tally = ncr(SESSION, ASIA.model_copy(update={"encoding": "rot13"}))
    assert tally.understood == 0
    assert "encoding 'rot13' cannot be used" in refusals[0].reason


@pytest.mark.parametrize(
    ("phrase", "activity"),
    [
        (b"SST IN SERVICE", "in-service"),
        (b"SST OUT OF SERVICE", "out-of-service"),
        (b"SST ON-LINE", "host-online"),
        (b"SST OFF-LINE", "host-offline"),
        (b"POWER-UP/RESET", "power-up"),
        (b"APTRA ADVANCE NDC 05.01.00", "started"),
        (b"REJECT BIN REMOVED", "cassette-removed"),
        (b"TOP CASSETTE INSERTED", "cassette-inserted"),
        (b"SUPERVISOR TASK ENTERED", "supervisor-entered"),
    ],
)
def test_a_line_about_the_machine_gives_an_operator_row(phrase, activity):
    found, _, _ = ncr(b"\x1b[05p*9*04/02/2025*10:00:00*\r\n\x1b[000p\x1b[040q\x1b(I" + phrase + b"\x1b[00p\r\n")
    assert brief(found.operator) == [(activity, "04 04:30:00")]


def test_a_task_within_supervisor_mode_is_a_menu_call():
    lines = b"MODE ENTRY", b"TASK ENTERED", b"TASK EXITED", b"MODE EXIT"
    found, _, _ = ncr(b"*9*04/02/2025*10:00:00*\n" + b"".join(b"SUPERVISOR " + line + b"\n" for line in lines))
    assert found.operator["activity"].to_list() == ["supervisor-entered", "menu", "menu", "supervisor-left"]


def test_replies_whose_function_moves_no_cash_are_declines():
    head = b"*1*04/02/2025*10:00:00*\n RESPONSE RECEIVED [FUNCTION ID="
    found, _, _ = ncr(head + b"5, TXN SN NO=12]\n 10:00:01 RESPONSE RECEIVED [FUNCTION ID=A]\nRESPONSE CODE  051\n")
    assert said(found.cash, "tsn", "detail") == [
        ("0012", "declined: function 5 moves no cash"),
        (None, "declined: response 051, function A"),
    ]


def test_failures_and_retracts_are_told_apart_from_deposits():
    lines = b"UNABLE TO DISPENSE", b"NOTES RETRACTED", b"NOTES REJECTED", b"CASHIN RETRACT STARTED - RETRACT BIN"
    found, _, tally = ncr(b"*1*04/02/2025*10:00:00*\n" + b"\n".join(lines))
    assert found.cash["activity"].to_list() == ["dispense-failed", "retracted", "rejected"]
    assert tally.ignored == 0


def test_notes_presented_may_tell_positions_and_counts_on_lines_of_their_own():
    block = b"NOTES PRESENTED\nPOSITION 1,2,3,0\nCOUNT    1,2,3,0\n[020t\n 10:00:09 NOTES TAKEN\n"
    found, _, _ = ncr(b"*1*04/02/2025*10:00:00*\n" + block)
    assert said(found.cash, "activity", "counts") == [("presented", [1, 2, 3, 0]), ("taken", None)]


def test_lines_past_midnight_belong_to_the_next_day():
    found, _, _ = ncr(
        b"*1*31/12/2025*23:59:50*\n 23:59:58 NOTES STACKED\n 00:00:04 NOTES PRESENTED 1,0\n", reading(date_order="dmy")
    )
    assert brief(found.cash) == [("dispensed", "01 05:59:58"), ("presented", "01 06:00:04")]
    assert all(q & 2 for q in found.cash["quality"])


def test_a_late_line_of_the_day_before_does_not_move_the_date():
    data = b"*1*01/03/2026*00:00:03*\n 23:59:59 NOTES STACKED\n 00:00:05 NOTES TAKEN\n"
    found, _, _ = ncr(data, reading(timezone="UTC", date_order="dmy"))
    assert brief(found.cash) == [("dispensed", "28 23:59:59"), ("taken", "01 00:00:05")]


def test_a_clock_set_back_an_hour_stays_on_its_day():
    data = b"*1*01/03/2026*10:00:03*\n 10:30:00 NOTES STACKED\n 09:30:05 NOTES TAKEN\n"
    found, _, _ = ncr(data, reading(timezone="UTC", date_order="dmy"))
    assert brief(found.cash) == [("dispensed", "01 10:30:00"), ("taken", "01 09:30:05")]


def test_a_header_without_seconds_does_not_step_behind_the_line_before_it():
    stacked = b"*1*01/03/2026*10:00:03*\n 10:30:40 NOTES STACKED\n"
    data = stacked + b"*2*01/03/2026*10:30*\nSUPERVISOR MODE ENTRY\n*3*01/03/2026*10:31*\nSST OFF-LINE\n"
    found, _, _ = ncr(data, reading(timezone="UTC", date_order="dmy"))
    assert brief(found.operator) == [("supervisor-entered", "01 10:30:40"), ("host-offline", "01 10:31:00")]
    assert found.operator["time_uncertainty"].to_list() == [60_000_000, 60_000_000]


@pytest.mark.parametrize(
    ("order", "date", "day"),
    [("dmy", b"04/02/2025", "2025-02-04"), ("mdy", b"04/02/2025", "2025-04-02"), (None, b"2025/02/04", "2025-02-04")],
)
def test_the_declared_order_decides_the_date_and_a_leading_year_needs_none(order, date, day):
    found, _, _ = ncr(b"*1*" + date + b"*12:00:00*\nSST ON-LINE\n", reading(timezone="UTC", date_order=order))
    assert found.operator["time"].dt.date().cast(pl.String).to_list() == [day]


def test_without_a_declared_order_nothing_is_guessed():
    found, refusals, _ = ncr(SESSION, ASIA.model_copy(update={"date_order": None}))
    assert found.cash.height == found.units.height == 0
    assert {r.reason for r in refusals} == {UNDECLARED}


def test_lines_after_a_header_with_an_impossible_date_are_refused_until_the_next():
    data = b"*1*31/02/2025*10:00:00*\nSST ON-LINE\n*2*01/03/2025*10:00:00*\nSST OFF-LINE\n"
    found, refusals, _ = ncr(data)
    assert [r.reason for r in refusals] == ["no date 31/02/2025 in the order dmy", "the header above has no valid date"]
    assert found.operator["activity"].to_list() == ["host-offline"]


def test_lines_before_the_first_header_are_refused():
    _, refusals, _ = ncr(b" 10:00:00 NOTES STACKED\n")
    assert "no header with a date stands before this line" in refusals[0].reason


def test_a_line_that_exists_twice_in_autumn_is_marked_until_the_clock_steps_back():
    data = b"*1*11/01/2026*01:30:00*\nSST OFF-LINE\n*2*11/01/2026*01:10:00*\nSST ON-LINE\n"
    found, _, _ = ncr(data, reading(date_order="mdy"))
    assert brief(found.operator) == [("host-offline", "01 06:30:00"), ("host-online", "01 07:10:00")]
    assert [q & 4 for q in found.operator["quality"]] == [4, 0]


def test_a_supervisor_block_within_a_transaction_does_not_end_the_session():
    data = SESSION.replace(b"[020t 13:40:31", b"*477*04/02/2025*13:40:30*\nSUPERVISOR MODE ENTRY\n[020t 13:40:31")
    found, _, _ = ncr(data)
    assert set(found.cash["session"]) == {"476"}
    assert found.operator["activity"].to_list() == ["supervisor-entered"]


def test_blocks_delivered_twice_are_dropped_and_are_no_restart():
    twice, _, tally = ncr(SESSION + SUPERVISOR + SESSION + SUPERVISOR)
    once, _, _ = ncr(SESSION + SUPERVISOR)
    assert twice.cash.height == once.cash.height
    assert twice.operator.equals(once.operator)
    assert twice.feeds.height == 0
    assert tally.duplicates == 14 + 9


def test_a_block_delivered_again_with_more_lines_gives_the_lines_that_are_new():
    found, _, _ = ncr(SESSION[: SESSION.index(b"[020t 13:40:23")] + SESSION)
    whole, _, _ = ncr(SESSION)
    assert brief(found.cash) == brief(whole.cash)


def test_equal_lines_of_different_blocks_are_both_kept():
    found, _, _ = ncr(b"".join(b"*%d*04/02/2025*10:0%d:00*\n     *TRANSACTION START*\n" % (n, n) for n in range(3)))
    assert found.cash["session"].to_list() == ["0", "1", "2"]
    assert found.cash["event_id"].n_unique() == found.cash["record_digest"].n_unique() + 2 == 3


def test_missing_header_numbers_are_a_gap_and_a_wrap_is_not():
    data = b"".join(b"*%d*04/02/2025*10:00:%02d*\nSST ON-LINE\n" % (n, s) for s, n in enumerate((997, 998, 999, 0, 1, 5, 2)))
    found, _, _ = ncr(data)
    assert said(found.feeds, "activity", "count", "before", "after") == [("gap", 3, 1, 5), ("restarted", 1, 5, 2)]


def test_two_lines_torn_into_one_are_both_read():
    found, _, _ = ncr(b"*1*04/02/2025*10:00:00*\n 10:00:05 NOTES STACKED 10:00:07 CARD TAK[020t 10:00:09 NOTES PRESENTED 1,2\n")
    assert brief(found.cash) == [("dispensed", "04 04:30:05"), ("presented", "04 04:30:09")]
    assert all(q & 32 for q in found.cash["quality"])


def test_a_header_torn_into_the_line_before_it_is_found():
    found, _, _ = ncr(b"*1*04/02/2025*10:00:00*\n 10:00:05 NOTES TAKEN*2*04/02/2025*10:01:00*\nSST OFF-LINE\n")
    assert brief(found.cash) == [("taken", "04 04:30:05")]
    assert brief(found.operator) == [("host-offline", "04 04:31:00")]


def test_a_broken_block_that_the_archive_marks_is_refused():
    _, refusals, _ = ncr(b"*1*04/02/2025*10:00:00*\n*** BROKEN BLOCK ***\n")
    assert [r.reason for r in refusals] == ["the journal marks a broken block here"]


@pytest.mark.parametrize("end", [b"\r\n", b"\r", b"\r\r\n", b"\n\n"])
def test_every_kind_of_line_end_gives_the_same_rows(end):
    found, _, _ = ncr(SESSION.replace(b"\n", end))
    whole, _, _ = ncr(SESSION)
    assert brief(found.cash) == brief(whole.cash)
    assert found.cash["rrn"].equals(whole.cash["rrn"])


def test_a_journal_in_utf_16_is_read():
    found, refusals, _ = ncr(SESSION.decode("latin-1").encode("utf-16"))
    assert refusals == []
    assert found.cash["activity"].to_list()[-4:] == ["dispensed", "presented", "taken", "session-end"]


def test_certainty_is_for_ncr_journals_alone():
    written = ncr_journal.encode(ncr(SESSION)[0], ASIA)
    for data in (SESSION, SUPERVISOR, written):
        assert next(guess(data, "ej.log"))[1] == "ncr-journal"
        assert ncr_journal.sniff(data, "ej.log") >= 95
    assert ncr_journal.sniff(b"10:12:01 -> TRANSACTION START\n10:12:05 PIN ENTERED\n", "20260301.jrn") == 0
    assert ncr_journal.sniff(b"time,terminal_id,type\n2026-03-01,ATM,withdrawal\n", "switch.csv") == 0


OPERATIONS = (
    "supervisor-entered",
    "supervisor-left",
    "in-service",
    "out-of-service",
    "host-online",
    "host-offline",
    "power-up",
    "started",
)
KEPT = (
    *("session-start", "card", "pin", "request-sent", "reply-received", "dispensed"),
    *("presented", "taken", "retracted", "dispense-failed", "session-end"),
)
rows = journals(operations=OPERATIONS, causes=("snapshot", "cleared"))


@settings(max_examples=60, deadline=None)
@given(rows, st.sampled_from((None, "dmy", "mdy")))
def test_what_is_written_is_read_back(given_rows, order):
    source = reading(date_order=order, timezone="Europe/Paris")
    given_tables = tables(source, given_rows)
    found, refusals, tally = read("ncr-journal", ncr_journal.encode(given_tables, source), source)
    assert (refusals, tally.ignored, found.feeds.height) == ([], 0, 0)
    assert said(found.cash, "time", "activity") == expected(given_tables, "cash", ("time", "activity"), KEPT)
    for activity, columns in (
        ("request-sent", ("amount",)),
        ("reply-received", ("tsn", "rrn", "auth_code")),
        ("presented", ("counts",)),
    ):
        assert said(found.cash.filter(activity=activity), *columns) == expected(given_tables, "cash", columns, [activity])
    declined = [bool(d) and "declin" in d for d in found.cash.filter(activity="reply-received")["detail"]]
    assert declined == [d == "declined" for (d,) in expected(given_tables, "cash", ("detail",), ["reply-received"])]
    cleared = {t for (t, c) in said(found.units, "time", "cause") if c == "cleared"}
    heard = found.operator.filter(pl.col("activity") != "counters-cleared")
    assert said(heard, "time", "activity") == expected(given_tables, "operator", ("time", "activity"))
    assert {t for (t,) in said(found.operator.filter(activity="counters-cleared"), "time")} == cleared
    assert said(found.cabinet, "time", "activity", "part") == expected(given_tables, "cabinet", ("time", "activity", "part"))
    counted = ("time", "cause", "unit", "count", "rejected", "dispensed")
    assert said(found.units, *counted) == expected(given_tables, "units", counted)
    tabled = given_tables.units.filter(cause="snapshot")["value"].to_list()
    assert found.units.filter(cause="snapshot")["value"].to_list() == tabled


@pytest.mark.parametrize("table", ["cash", "operator", "cabinet", "units"])
def test_every_word_is_accepted_and_what_cannot_be_said_is_left_out(table):
    source = reading(date_order="dmy")
    given_tables = tables(source, every_word(table))
    found, refusals, tally = read("ncr-journal", ncr_journal.encode(given_tables, source), source)
    assert (refusals, tally.ignored) == ([], 0)
    words = {
        "cash": {*KEPT, "rejected"},
        "operator": {*OPERATIONS, "cassette-removed", "cassette-inserted", "counters-cleared", "cash-added"},
        "cabinet": {"opened", "closed"},
        "units": {"snapshot", "cleared"},
    }
    assert set(found[table]["cause" if table == "units" else "activity"].cast(pl.String)) == words[table]


def test_a_menu_call_is_written_within_supervisor_mode_only():
    words = "menu", "supervisor-entered", "menu", "supervisor-left", "menu"
    given_tables = tables(ASIA, [("operator", START + n * SECOND, {"activity": word}) for n, word in enumerate(words)])
    found, _, _ = ncr(ncr_journal.encode(given_tables, ASIA))
    assert found.operator["activity"].to_list() == ["supervisor-entered", "menu", "supervisor-left"]


@settings(max_examples=40, deadline=None)
@given(rows, st.lists(st.integers(0, 4000), max_size=8))
def test_rows_do_not_depend_on_how_the_bytes_are_cut(given_rows, cuts):
    data = ncr_journal.encode(tables(ASIA, given_rows), ASIA) + SESSION + COUNTERS + SUPERVISOR
    whole, refusals, tally = ncr(data)
    cut, cut_refusals, cut_tally = ncr(data, cuts=cuts)
    assert same(whole, cut)
    assert (refusals, tally) == (cut_refusals, cut_tally)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.data_too_large])
@given(st.data(), st.sampled_from((None, "utf-16", "cp500", "idna", "hex")))
def test_mutated_journals_never_crash_and_keep_the_schemas(data, encoding):
    found, refusals, tally = ncr(
        mutated(data.draw, SESSION + COUNTERS + SUPERVISOR), ASIA.model_copy(update={"encoding": encoding})
    )
    check(found)
    assert tally.refused == len(refusals) == found.feeds.filter(activity="refused").height


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=600))
def test_any_bytes_are_survived(data):
    check(ncr(data)[0])
    assert 0 <= ncr_journal.sniff(data, "x") <= 100

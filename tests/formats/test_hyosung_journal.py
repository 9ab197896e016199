"""Hyosung WinCE journals: the real file, what records say, and what damage does to them."""

from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from journal_rows import brief, check, every_word, expected, journals, mutated, read, reading, said, same, tables

from jackstop.formats import guess, hyosung_journal

REAL = Path(__file__).parents[2].parent / "shared/samples/hyosung-journal/JNL00_20250308.dat"
REST = "************^03012026^{at}^03244604^{rrn}^00000300^000000^03012026"
HERE = reading(timezone="America/New_York")


def record(number, kind, rest, stamp="2026^03^01^15^44^25"):
    """A record as the machine writes it: its length is one less than the bytes before 0x1C."""
    body = f"^ {kind}^    {number:04d}^{stamp}^{rest}^X"
    return f"{len(body) + 3:04d}{body}\x1c".encode()


def paid(number, rrn="515816007649"):
    rest = REST.format(at="154446", rrn=rrn)
    return record(
        number,
        "TA",
        f"TERM0001^{number:04d}^CW^CA^--^1111^{rest}^395^   20000^   20000^    03244604^ 6^ TRUE^0000000"
        "^************1111^0000^000000000000^~L00 10 00 00~M00 00 00 00^1",
    )


def failed(number, error, given="00000000", notes=""):
    rest = REST.format(at="154456", rrn="000000000009")
    return record(
        number,
        "TE",
        f"TERM0001^{number:04d}^CW^CA^--^1111^{rest}^       0^   10000^{given}^            ^ 3^FALSE^{error}"
        f"^************1111^0000^000000000000^{notes}^1",
    )


def told(number, text, stamp="2026^03^01^15^44^25"):
    return record(number, "OA", text, stamp)


JOURNAL = (
    record(1, "SF", "SF")
    + told(2, "Safe door: OPEN")
    + record(3, "SD", "MASTER")
    + record(4, "A3", "000000^000000^000000^000350")
    + told(5, "CE6 S(2)A(6021301)R(0x10351)O(101113)")
    + told(6, "Safe door: CLOSED")
    + paid(7)
    + record(8, "OD", "TERM0001^0007^00000300^4F0014A0000000980840500008US DEBIT9F2616", "2026^03^01^15^44^25")
    + failed(9, "DA05500")
)


def hyosung(data, given=HERE, cuts=()):
    return read("hyosung-journal", data, given, cuts)


@pytest.mark.skipif(not REAL.exists(), reason="the shared samples are not here")
def test_every_record_of_a_real_file_is_understood():
    found, refusals, tally = hyosung(REAL.read_bytes(), reading(timezone="America/New_York", terminal=None))
    assert (refusals, tally.records, tally.understood, tally.skipped_bytes) == ([], 99, 99, 0)
    assert found.feeds.height == 0
    assert set(found.cash["naming"]) == {"terminal_id"}


@pytest.mark.skipif(not REAL.exists(), reason="the shared samples are not here")
def test_every_withdrawal_of_a_real_file_is_decoded_and_its_notes_agree_with_its_amount():
    found, _, _ = hyosung(REAL.read_bytes())
    shown = found.cash.filter(activity="presented")
    assert shown.height == 22
    assert shown["amount"].to_list() == [sum(counts) * 2000 for counts in shown["counts"]]
    assert shown["amount"].sum() == 248_000
    assert shown["counts"].to_list()[:3] == [[0, 1, 0, 0], [0, 2, 0, 0], [0, 10, 0, 0]]
    assert brief(shown)[0] == ("presented", "07 19:07:29")
    declines = found.cash.filter(pl.col("detail").str.contains("declined"))
    assert said(declines, "session", "detail") == [(n, "declined: error DA05500") for n in ("0010", "0011", "0018")]
    assert said(found.cash.filter(pl.col("session") == "0018"), "activity", "amount")[1] == ("request-sent", 6000)


@pytest.mark.skipif(not REAL.exists(), reason="the shared samples are not here")
def test_doors_logins_and_loads_of_a_real_file_are_decoded():
    found, _, _ = hyosung(REAL.read_bytes())
    assert found.cabinet["activity"].to_list() == ["opened", "opened", "closed", "opened", "opened", "opened", "closed"]
    assert set(found.cabinet["part"]) == {"safe"}
    assert found.operator.filter(activity="login")["person"].to_list() == ["MASTER"] * 12
    loads = found.operator.filter(pl.col("activity").is_in(["cash-added", "counters-set"]))
    assert said(loads, "activity", "detail") == [
        ("counters-set", "D3 000000 000010 000000 000020"),
        ("cash-added", "A3 000000 000000 000000 000350"),
    ]


def test_one_approved_record_gives_the_whole_transaction():
    found, refusals, _ = hyosung(JOURNAL)
    assert refusals == []
    assert said(found.cash.filter(session="0007"), "activity", "amount", "counts", "rrn", "detail") == [
        ("card", None, None, "515816007649", "************1111"),
        ("request-sent", 20_000, None, "515816007649", "CW"),
        ("reply-received", 20_000, None, "515816007649", "approved"),
        ("dispensed", 20_000, [0, 10, 0, 0], "515816007649", None),
        ("presented", 20_000, [0, 10, 0, 0], "515816007649", None),
    ]
    assert set(found.cash["time_uncertainty"]) == {1_000_000}


def test_the_transactions_own_number_is_no_reference_of_the_host():
    found, _, _ = hyosung(paid(3, rrn="000000000003"))
    assert found.cash["rrn"].null_count() == 5


def test_a_device_error_fails_the_dispense_and_tells_what_was_given():
    found, _, _ = hyosung(failed(1, "2000400", "    4000", "~L00 02 00 00~M00 00 00 00") + failed(2, "2000400"))
    assert said(found.cash.filter(activity="dispense-failed"), "amount", "counts", "result_name") == [
        (4000, [0, 2, 0, 0], "2000400"),
        (0, None, "2000400"),
    ]
    assert found.cash.filter(activity="reply-received").height == 0


def test_doors_are_told_in_any_case_and_of_any_part():
    data = told(1, "Cabinet door: OPEN") + told(2, "SAFE DOOR: CLOSED") + told(3, "door: OPEN") + told(4, "Printer: OK")
    found, _, tally = hyosung(data)
    assert said(found.cabinet, "activity", "part") == [("opened", "cabinet"), ("closed", "safe"), ("opened", "unknown")]
    assert tally.ignored == 1


def test_missing_record_numbers_are_a_gap_and_a_wrap_is_not():
    found, _, _ = hyosung(told(9998, "a") + told(9999, "b") + told(1, "c") + told(5, "d"))
    assert said(found.feeds, "activity", "count", "before", "after") == [("gap", 3, 1, 5)]


def test_a_cut_record_is_refused_and_the_next_is_read():
    data = paid(1)[:120] + told(2, "Safe door: OPEN")
    found, refusals, tally = hyosung(data)
    assert [(r.offset, r.length, r.reason) for r in refusals] == [
        (0, 120, "its length is not the one it says: cut, or two records torn into one")
    ]
    assert found.cabinet["record_offset"].to_list() == [120]
    assert tally.understood == 1


def test_the_other_counting_of_lengths_is_taken_too():
    data = told(1, "Safe door: OPEN")
    longer = f"{int(data[:4]) + 2:04d}".encode() + data[4:]
    wrong = f"{int(data[:4]) + 9:04d}".encode() + data[4:]
    assert hyosung(longer)[0].cabinet.height == 1
    assert hyosung(wrong)[0].cabinet.height == 0


def test_records_may_stand_on_lines_of_their_own():
    found, refusals, _ = hyosung(JOURNAL.replace(b"\x1c", b"\x1c\r\n"))
    assert refusals == []
    assert brief(found.cash) == brief(hyosung(JOURNAL)[0].cash)


def test_a_time_that_does_not_exist_is_refused():
    _, refusals, _ = hyosung(told(1, "Safe door: OPEN", "2026^02^30^10^00^00") + told(2, "a", "0001^01^01^10^00^00"))
    assert [r.reason for r in refusals] == [
        "no such time: 2026 02 30 10 00 00, expected YYYY MM DD hh mm ss",
        "no such time: year 1",
    ]


def test_an_hour_that_exists_twice_is_marked_and_resolved_by_order():
    first = told(1, "Safe door: OPEN", "2026^11^01^01^50^00")
    found, _, _ = hyosung(first + told(2, "Safe door: CLOSED", "2026^11^01^01^10^00"))
    assert brief(found.cabinet) == [("opened", "01 05:50:00"), ("closed", "01 06:10:00")]
    assert [q & 4 for q in found.cabinet["quality"]] == [4, 0]


def test_a_record_delivered_twice_is_counted_once():
    found, _, tally = hyosung(JOURNAL + JOURNAL)
    assert found.cash.equals(hyosung(JOURNAL)[0].cash)
    assert tally.duplicates == 9


def test_card_numbers_are_hidden():
    found, _, _ = hyosung(
        failed(1, "2000400").replace(b"************1111", b"4111111111111111") + told(2, "Safe door: OPEN 4111111111111111")
    )
    assert all("4111111111111111" not in str(frame.to_dicts()) for _, frame in found.items())


def test_certainty_is_for_wince_journals_alone():
    for data in (JOURNAL, JOURNAL[30:], hyosung_journal.encode(hyosung(JOURNAL)[0], HERE)):
        assert next(guess(data, "JNL00.dat"))[1] == "hyosung-journal"
        assert hyosung_journal.sniff(data, "x") >= 90
    assert hyosung_journal.sniff(b"*476*04/02/2025*06:26:55*\n", "JNL00.dat") == 0
    assert hyosung_journal.sniff(b'{"time":"2026-03-01T00:00:00Z"}\n', "JNL00.dat") == 0


rows = journals(failures=(None, "2000400", "6030501"), operations=("login", "cash-added", "counters-set", "supervisor-entered"))


@settings(max_examples=60, deadline=None)
@given(rows)
def test_what_is_written_is_read_back(given_rows):
    given_tables = tables(HERE, given_rows)
    found, refusals, tally = hyosung(hyosung_journal.encode(given_tables, HERE))
    assert (refusals, tally.ignored, found.feeds.height) == ([], 0, 0)
    shown = [(t, a, _trimmed(c)) for t, a, c in said(found.cash.filter(activity="dispensed"), "time", "amount", "counts")]
    assert shown == [
        (t, a, _trimmed(c)) for t, a, c in expected(given_tables, "cash", ("time", "amount", "counts"), ["dispensed"])
    ]
    for activity, columns in (
        ("request-sent", ("amount",)),
        ("reply-received", ("amount", "rrn")),
        ("dispense-failed", ("time",)),
    ):
        if activity == "reply-received":
            kept = found.cash.filter(activity=activity)
            failures = given_tables.cash.filter(activity="dispense-failed").height
            assert kept.height + failures == given_tables.cash.filter(activity=activity).height
        else:
            assert said(found.cash.filter(activity=activity), *columns) == expected(given_tables, "cash", columns, [activity])
    refused = found.cash.filter(pl.col("detail").str.starts_with("declined")).height
    assert refused == given_tables.cash.filter(detail="declined").height
    assert said(found.cabinet, "time", "activity", "part") == expected(given_tables, "cabinet", ("time", "activity", "part"))
    known = ["login", "cash-added", "counters-set"]
    assert said(found.operator, "time", "activity") == expected(given_tables, "operator", ("time", "activity"), known)


def _trimmed(counts):
    """Notes per cassette without empty cassettes at the end, as the format always has four."""
    while counts and counts[-1] == 0:
        counts = counts[:-1]
    return counts or None


@pytest.mark.parametrize("table", ["cash", "operator", "cabinet", "units"])
def test_every_word_is_accepted_and_what_cannot_be_said_is_left_out(table):
    found, refusals, tally = hyosung(hyosung_journal.encode(tables(HERE, every_word(table)), HERE))
    assert (refusals, tally.ignored) == ([], 0)
    words = {
        "cash": {"card", "request-sent", "dispense-failed"},
        "operator": {"login", "cash-added", "counters-set"},
        "cabinet": {"opened", "closed"},
        "units": set(),
    }
    assert set(found[table]["cause" if table == "units" else "activity"].cast(pl.String)) == words[table]


@settings(max_examples=40, deadline=None)
@given(rows, st.lists(st.integers(0, 4000), max_size=8))
def test_rows_do_not_depend_on_how_the_bytes_are_cut(given_rows, cuts):
    data = hyosung_journal.encode(tables(HERE, given_rows), HERE) + paid(1)[:80] + JOURNAL
    whole, refusals, tally = hyosung(data)
    cut, cut_refusals, cut_tally = hyosung(data, cuts=cuts)
    assert same(whole, cut)
    assert (refusals, tally) == (cut_refusals, cut_tally)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.data_too_large])
@given(st.data(), st.sampled_from((None, "cp437", "utf-16", "hex")))
def test_mutated_journals_never_crash_and_keep_the_schemas(data, encoding):
    found, refusals, tally = hyosung(mutated(data.draw, JOURNAL), reading(encoding=encoding))
    check(found)
    assert tally.refused == len(refusals) == found.feeds.filter(activity="refused").height


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=600))
def test_any_bytes_are_survived(data):
    check(hyosung(data)[0])
    assert 0 <= hyosung_journal.sniff(data, "x") <= 100

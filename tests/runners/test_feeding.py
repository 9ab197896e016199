"""Feeds of the loop: their rows, their accounts, and where in a feed's stream a record lies."""

from itertools import count

from jackstop.model.fleet import Reading
from jackstop.model.service import Feed
from jackstop.runners.feeding import FORGOTTEN, Feeds
from jackstop.spool import Frame, Kind, Position

LINE = b"2026-03-01T02:00:%02dZ,ATM00001,withdrawal,4000,USD,00,%06d,%012d\n"
HEADER = b"time,terminal_id,type,amount,currency,response,stan,rrn\n"
FEED = Feed(format="switch-csv", reading=Reading(name="host"))
NUMBER = count(1)


def frame(kind, data=b"", offset=0, name="host", note=""):
    n = next(NUMBER)
    return Frame(n, kind, n * 1000, name, offset, data, b"", "", note, Position(1, n))


def declared(feed=FEED):
    return frame(Kind.FEED, feed.model_dump_json().encode(), name=feed.name)


def lines(first, last):
    return b"".join(LINE % (i, i, i) for i in range(first, last))


def test_rows_come_however_a_feed_is_cut_and_a_record_lies_where_its_offset_says():
    whole = HEADER + lines(0, 9)
    feeds, got = Feeds(), []
    got.append(feeds.decode([declared(), frame(Kind.DATA, whole[:100]), frame(Kind.DATA, whole[100:230], 100)]))
    got.append(feeds.decode([frame(Kind.DATA, whole[230:], 230)]))
    rows = [r for t in got for r in t.host.iter_rows(named=True)]
    assert len(rows) == 9
    for row in rows:
        at = row["record_offset"]
        assert whole[at : at + row["record_length"]].decode().split(",")[7] == row["rrn"]


def test_a_feed_that_ended_begins_anew_and_its_records_still_lie_where_they_say():
    first, second = HEADER + lines(0, 3), HEADER + lines(3, 6)
    feeds = Feeds()
    tables = feeds.decode([declared(), frame(Kind.DATA, first), frame(Kind.END)])
    again = feeds.decode([frame(Kind.DATA, second, len(first))])
    whole = first + second
    rows = [*tables.host.iter_rows(named=True), *again.host.iter_rows(named=True)]
    assert [r["rrn"] for r in rows] == [f"{i:012d}" for i in range(6)]
    assert all(whole[r["record_offset"] :].startswith(b"2026-") for r in rows)
    [account] = feeds.accounts()
    assert (account.records, account.understood, account.rows) == (6, 6, 6)


def test_bytes_refused_at_the_door_are_counted_with_their_reason():
    feeds = Feeds()
    feeds.decode([declared(), frame(Kind.REFUSED, b"x" * 10, note="too long")])
    [account] = feeds.accounts()
    assert (account.refused, account.reasons) == (1, {"too long": 1})
    assert feeds.accounts() == []


def test_bytes_of_a_feed_nobody_declared_give_no_rows():
    assert Feeds().decode([frame(Kind.DATA, HEADER + lines(0, 2))]).height == 0


def test_feeds_from_a_checkpoint_go_on_in_the_middle_of_a_record():
    whole = HEADER + lines(0, 6)
    for cut in range(len(HEADER) + 10, len(whole), 37):
        feeds = Feeds()
        before = feeds.decode([declared(), frame(Kind.DATA, whole[:cut])])
        feeds.accounts()
        other = Feeds()
        other.unpack(feeds.pack())
        after = other.decode([frame(Kind.DATA, whole[cut:], cut)])
        assert [*before.host["rrn"], *after.host["rrn"]] == [f"{i:012d}" for i in range(6)]
        [account] = other.accounts()
        assert (account.records, account.rows) == (6, 6)
        assert [s.name for s in other.streams()] == ["host"]


def test_feeds_that_ended_are_forgotten_after_a_day_but_for_the_last_of_their_kind():
    feeds = Feeds()
    for nth in range(5):
        one = FEED.model_copy(update={"reading": Reading(name=f"export-{nth}")})
        body = HEADER + lines(nth, nth + 1)
        tables = feeds.decode([declared(one), frame(Kind.DATA, body, name=one.name), frame(Kind.END, name=one.name)])
        assert tables.host.height == 1
    running = FEED.model_copy(update={"reading": Reading(name="alarms", terminal="ATM-1"), "format": "cef"})
    last = declared(running)
    feeds.decode([last])
    feeds.accounts()
    assert feeds.forget(last.received) == ()
    assert len(feeds.pack()) == 6
    later = last.received + FORGOTTEN
    assert feeds.forget(later) == ("export-0", "export-1", "export-2", "export-3")
    assert feeds.changed
    assert [s.name for s in feeds.streams()] == ["export-4", "alarms"]
    assert feeds.forget(later) == ()
    assert feeds.decode([frame(Kind.DATA, HEADER + lines(7, 8), name="export-1")]).height == 0
    again = FEED.model_copy(update={"reading": Reading(name="export-1")})
    at = len(HEADER + lines(1, 2))
    rows = feeds.decode([declared(again), frame(Kind.DATA, HEADER + lines(7, 8), at, name="export-1")]).host
    assert rows["record_offset"].to_list() == [at + len(HEADER)]


def test_when_a_feed_ended_outlives_a_checkpoint_and_what_comes_after_keeps_it():
    feeds, other = Feeds(), Feeds()
    one, two = (FEED.model_copy(update={"reading": Reading(name=n)}) for n in "ab")
    feeds.decode([declared(one), frame(Kind.END, name="a"), declared(two), frame(Kind.END, name="b")])
    other.unpack(feeds.pack())
    assert other.forget(2 * FORGOTTEN) == ("a",)
    feeds.decode([declared(one)])
    assert feeds.forget(2 * FORGOTTEN) == ()

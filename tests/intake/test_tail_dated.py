"""Logs of which every day is a file of its own: one stream in the order of the days, each byte once."""

import asyncio
import gzip
import os
import shutil
import tempfile
import time
from datetime import date, timedelta
from pathlib import Path

import pytest
from fake_gate import FakeGate, FakePlace, running, until
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from test_tail import TAIL, config
from test_tail_rotation import Follow, add

from jackstop.intake import _tail_dates
from jackstop.intake import _tail_rotation as rotation
from jackstop.intake._tail_mark import Mark

PATH, FEED = "EJ{date}.jrn", "t/EJ{date}.jrn"
TODAY = _tail_dates.today


@pytest.fixture(autouse=True)
def _all_days_have_come(monkeypatch):
    """Of these tests."""
    monkeypatch.setattr(_tail_dates, "today", lambda zone: date(2100, 1, 1))


@pytest.fixture
def make(tmp_path):
    made = []

    def follow(path=PATH, **keys):
        made.append(Follow(tmp_path, path, **keys))
        return made[-1]

    yield follow
    for one in made:
        one.logs.close()


def day(root, n, text=None):
    """The file of a day of March; with more in it, if there is more."""
    path = root / f"EJ202603{n:02}.jrn"
    if text is not None:
        add(path, text)
    return path


def pack(path):
    packed = path.with_name(path.name + ".gz")
    packed.write_bytes(gzip.compress(path.read_bytes()))
    path.unlink()
    return packed


def test_the_days_are_one_stream_in_their_order(make, tmp_path):
    for n in (3, 1, 2):
        day(tmp_path, n, b"%d\n" % n)
    follow = make()
    follow.settle()
    assert (follow.feeds(), follow.data(FEED)) == ({FEED}, b"1\n2\n3\n")
    day(tmp_path, 3, b"more\n")
    follow.settle()
    day(tmp_path, 5, b"5\n")
    day(tmp_path, 4, b"4\n")
    follow.settle()
    assert (follow.feeds(), follow.data(FEED)) == ({FEED}, b"1\n2\n3\nmore\n4\n5\n")


def test_order_is_of_the_digits_and_not_of_the_time_a_file_was_changed(make, tmp_path):
    for n, name in enumerate(["EJ2026-03-02.jrn", "EJ20260301.jrn", "EJ2026_03_01-2.jrn", "EJ2026.03.03T10:00.jrn"]):
        add(tmp_path / name, name.encode() + b"\n")
        os.utime(tmp_path / name, (10**9 - n, 10**9 - n))
    follow = make()
    follow.settle()
    assert follow.data(FEED) == b"EJ20260301.jrn\nEJ2026_03_01-2.jrn\nEJ2026-03-02.jrn\nEJ2026.03.03T10:00.jrn\n"


def test_a_day_is_followed_until_it_was_quiet_and_the_next_has_something_in_it(make, tmp_path):
    follow = make()
    day(tmp_path, 1, b"a\n")
    follow.look()
    day(tmp_path, 2, b"")
    for _ in range(5):
        follow.look()
    day(tmp_path, 1, b"b\n")
    follow.look()
    day(tmp_path, 2, b"x\n")
    follow.look(0.5)
    day(tmp_path, 1, b"late\n")
    follow.look(0.5)
    follow.look(0.5)
    day(tmp_path, 1, b"later\n")
    follow.settle()
    assert follow.data(FEED) == b"a\nb\nlate\nlater\nx\n"
    day(tmp_path, 1, b"too late\n")
    follow.settle()
    follow.again()
    follow.settle()
    assert follow.data(FEED) == b"a\nb\nlate\nlater\nx\n"


def test_the_unfinished_last_line_of_a_day_is_taken_as_a_line(make, tmp_path):
    follow = make()
    day(tmp_path, 1, b"a\nhalf")
    follow.look()
    day(tmp_path, 2, b"b\n")
    follow.settle()
    assert follow.data(FEED) == b"a\nhalf\nb\n"


def test_what_comes_at_the_last_moment_is_taken_before_the_next_day(make, tmp_path, monkeypatch):
    follow, same = make(), rotation.same
    day(tmp_path, 1, b"a\n")
    follow.settle()
    day(tmp_path, 2, b"2\n")

    def late(*shapes):
        monkeypatch.setattr(rotation, "same", same)
        day(tmp_path, 1, b"late\nha")
        return same(*shapes)

    monkeypatch.setattr(rotation, "same", late)
    follow.look()
    follow.look(0.1)
    day(tmp_path, 1, b"lf\n")
    follow.settle()
    assert follow.data(FEED) == b"a\nlate\nhalf\n2\n"


def test_the_unfinished_last_line_of_a_packed_day_is_not_waited_for_longer(make, tmp_path):
    follow = make()
    day(tmp_path, 1, b"a\n")
    follow.settle()
    day(tmp_path, 1, b"b\nhalf")
    pack(day(tmp_path, 1))
    day(tmp_path, 2, b"2\n")
    follow.again()
    for _ in range(8):
        follow.look()
    assert follow.data(FEED) == b"a\nb\nhalf\n2\n"


@pytest.mark.parametrize("unseen", [1, 2])
def test_a_day_that_cannot_be_seen_now_is_not_passed_over(make, tmp_path, monkeypatch, unseen):
    follow = make()
    day(tmp_path, 1, b"a\n")
    follow.settle()
    for n in (1, 2, 3):
        day(tmp_path, n, b"%d\n" % n)
    stat = os.stat

    def blind(path, **keys):
        if str(path).endswith((f"0{unseen}.jrn", f"0{unseen}.jrn.gz")):
            raise OSError(116, "Stale file handle")
        return stat(path, **keys)

    monkeypatch.setattr(os, "stat", blind)
    follow.again()
    follow.settle()
    monkeypatch.undo()
    follow.settle()
    assert follow.data(FEED) == b"a\n1\n2\n3\n"


def test_earlier_days_that_come_later_are_not_read(make, tmp_path):
    follow = make()
    first = day(tmp_path, 2, b"2\n")
    follow.settle()
    day(tmp_path, 3, b"3\n")
    follow.settle()
    day(tmp_path, 1, b"1\n")
    first.write_bytes(b"copied back, and other\n")
    for _ in range(2):
        follow.settle()
        follow.again()
    follow.settle()
    assert (follow.feeds(), follow.data(FEED)) == ({FEED}, b"2\n3\n")


@pytest.mark.parametrize("deleted", [False, True])
def test_after_a_restart_it_goes_on_where_it_was(make, tmp_path, deleted):
    follow = make()
    first = day(tmp_path, 1, b"a\n")
    follow.settle()
    if deleted:
        first.unlink()
    else:
        day(tmp_path, 1, b"b\n")
    for n in (2, 3):
        day(tmp_path, n, b"%d\n" % n)
    follow.again()
    follow.settle()
    assert follow.data(FEED) == (b"a\n2\n3\n" if deleted else b"a\nb\n2\n3\n")


def test_only_what_is_new_is_taken_where_that_is_wanted(make, tmp_path):
    for n in (1, 2):
        day(tmp_path, n, b"old\n")
    follow = make(skip=True)
    follow.settle()
    day(tmp_path, 2, b"new\n")
    day(tmp_path, 3, b"3\n")
    follow.settle()
    assert follow.data(FEED) == b"new\n3\n"


@pytest.mark.parametrize("restart", [False, True])
def test_what_was_packed_before_it_was_read_is_read_packed(make, tmp_path, restart):
    follow = make()
    day(tmp_path, 1, b"a\n" * 500)
    follow.settle()
    day(tmp_path, 1, b"b\n")
    pack(day(tmp_path, 1))
    pack(day(tmp_path, 2, b"2\n"))
    if restart:
        follow.again()
    follow.settle()
    assert follow.data(FEED) == b"a\n" * 500 + b"b\n2\n"
    day(tmp_path, 3, b"3\n")
    follow.settle()
    pack(day(tmp_path, 3))
    follow.again()
    follow.settle()
    assert (follow.feeds(), follow.data(FEED)) == ({FEED}, b"a\n" * 500 + b"b\n2\n3\n")


@pytest.mark.parametrize("cut", [500, -4])
def test_a_packed_file_that_is_not_whole_yet_is_waited_for(make, tmp_path, cut):
    follow = make()
    day(tmp_path, 1, os.urandom(3000).hex().encode() + b"\n")
    follow.settle()
    day(tmp_path, 1, b"b\n")
    whole, packed = day(tmp_path, 1).read_bytes(), pack(day(tmp_path, 1))
    data = packed.read_bytes()
    packed.write_bytes(data[:cut])
    follow.again()
    follow.settle()
    packed.write_bytes(data)
    follow.settle()
    assert follow.data(FEED) == whole


def test_packed_files_alone_are_no_log(make, tmp_path):
    pack(day(tmp_path, 1, b"a\n"))
    (tmp_path / "EJ20260302.jrn.zip").write_bytes(b"PK")
    follow = make("EJ{date}*")
    follow.settle()
    assert follow.trails == []
    day(tmp_path, 3, b"b\n")
    follow.settle()
    assert follow.data(FEED) == b"b\n"


@pytest.mark.parametrize("restart", [False, True])
def test_a_day_that_was_renamed_is_read_to_its_end(make, tmp_path, restart):
    follow = make()
    first = day(tmp_path, 1, b"a\n")
    follow.settle()
    day(tmp_path, 1, b"b\n")
    first.rename(tmp_path / "EJ20260301.jrn.bak")
    day(tmp_path, 2, b"a\n2\n")
    if restart:
        follow.again()
    follow.settle()
    assert follow.data(FEED) == b"a\nb\na\n2\n"


def test_a_day_that_begins_like_the_one_before_it_is_not_taken_for_it(make, tmp_path):
    follow = make()
    first = day(tmp_path, 1, b"a\n")
    follow.settle()
    mark = Mark.decode(follow.gate.mark(FEED))
    first.unlink()
    second = day(tmp_path, 2, b"a\nb\n")
    forged = {f: getattr(mark, f) for f in mark.__struct_fields__} | {"ino": second.stat().st_ino}
    follow.gate._marks[FEED] = Mark(**forged).encode()
    follow.again()
    follow.settle()
    assert follow.data(FEED) == b"a\na\nb\n"


@pytest.mark.parametrize("restart", [False, True])
def test_a_file_that_was_written_anew_is_followed_as_any_log(make, tmp_path, restart):
    follow = make()
    first = day(tmp_path, 1, b"a\n" * 1000)
    follow.settle()
    fresh = tmp_path / ".fresh"
    fresh.write_bytes(first.read_bytes() + b"b\n")
    fresh.replace(first)
    if restart:
        follow.again()
    follow.settle()
    first.write_bytes(b"c\n")
    follow.settle()
    day(tmp_path, 2, b"2\n")
    follow.settle()
    assert follow.data(FEED) == b"a\n" * 1000 + b"b\nc\n2\n"


def test_days_of_several_machines_are_kept_apart(make, tmp_path):
    for name in ("ATM0001_20260301", "ATM0002_20260301", "ATM0001_20260302", "ATM0002_20260302"):
        add(tmp_path / f"{name}.jrn", name.encode() + b"\n")
    follow = make("{terminal}_{date}.jrn", terminals=["ATM0001", "ATM0002"])
    follow.settle()
    for n in (1, 2):
        assert follow.data(f"t/ATM000{n}/ATM000{n}_{{date}}.jrn") == b"ATM000%d_20260301\nATM000%d_20260302\n" % (n, n)
    assert {f.reading.terminal for f in follow.gate.feeds.values()} == {"ATM0001", "ATM0002"}


def test_a_log_is_gone_when_none_of_its_files_is_there(make, tmp_path):
    follow = make()
    first = day(tmp_path, 1, b"a\n")
    follow.settle()
    second = day(tmp_path, 2, b"b\n")
    follow.settle()
    second.unlink()
    follow.settle()
    assert follow.trails[0].gone is None
    first.unlink()
    follow.settle()
    assert follow.trails[0].gone is not None


async def test_a_log_that_is_gone_ends_its_feed_and_may_come_again(tmp_path):
    gate, place = FakeGate(), FakePlace(tmp_path)
    async with running(TAIL, config(path=PATH, forget="30ms"), gate, place):
        day(tmp_path, 1, b"a\n")
        await until(lambda: gate.data() == b"a\n")
        day(tmp_path, 2, b"b\n")
        await until(lambda: gate.data() == b"a\nb\n")
        for n in (1, 2):
            pack(day(tmp_path, n))
        await until(lambda: gate.ended == ["traces/EJ{date}.jrn"])
        day(tmp_path, 3, b"c\n")
        await until(lambda: gate.data() == b"a\nb\nc\n")
        await until(lambda: place.facts["files"] == 1)


def test_other_marks_than_those_of_dated_files_are_no_marks_of_them(make, tmp_path):
    follow = make("EJ*.jrn")
    day(tmp_path, 1, b"a\n")
    follow.settle()
    gate = follow.gate
    day(tmp_path, 1).rename(tmp_path / "EJ20260301.jrn.1")
    day(tmp_path, 2, b"b\n")
    dated = make()
    dated.gate = gate
    dated.again()
    dated.settle()
    assert [t.relative for t in dated.trails] == ["EJ{date}.jrn"]
    assert dated.data(FEED) == b"b\n"
    undated = make("EJ*.jrn")
    undated.gate = gate
    undated.again()
    assert [t.relative for t in undated.logs.scan(0)] == ["EJ20260301.jrn", "EJ20260302.jrn"]
    gate._marks[FEED] = gate.mark("t/EJ20260301.jrn")
    dated.again()
    dated.settle()
    assert dated.data(FEED) == b"b\nb\n"


def test_more_logs_than_may_be_open_turn_their_days_at_once(tmp_path, monkeypatch):
    monkeypatch.setattr("jackstop.intake._tail_logs._OPEN", 4)
    for n in range(20):
        add(tmp_path / f"{n}_20260301.jrn", b"a\n")
        add(tmp_path / f"{n}_20260302.jrn", b"b\n")
    follow = Follow(tmp_path, "*_{date}.jrn")
    for _ in range(20):
        follow.look(0.3)
    follow.logs.close()
    assert [follow.data(f"t/{n}_{{date}}.jrn") for n in range(20)] == [b"a\nb\n"] * 20


def test_a_day_that_was_packed_and_read_is_not_unpacked_again_and_again(make, tmp_path, monkeypatch):
    follow = make()
    day(tmp_path, 1, b"a\n")
    follow.settle()
    pack(day(tmp_path, 1))
    follow.settle()
    asked = []
    monkeypatch.setattr(rotation, "packed", lambda *a, **k: asked.append(a))
    monkeypatch.setattr(rotation, "earlier", lambda *a, **k: asked.append(a))
    for _ in range(10):
        follow.look()
    assert asked == []


async def test_many_quiet_machines_with_a_hundred_days_each_cost_little(tmp_path):
    for n in range(200):
        folder = tmp_path / f"{n}"
        folder.mkdir()
        for k in range(100):
            (folder / f"EJ{date(2026, 1, 1) + timedelta(k):%Y%m%d}.jrn").touch()
        add(folder / "EJ20260411.jrn", b"a\n")
    gate, place = FakeGate(), FakePlace(tmp_path)
    async with running(TAIL, config(path="*/EJ{date}.jrn", poll="200ms", quiet="2s"), gate, place):
        await until(lambda: len(gate.taken) == 200, 60)
        spent, began = time.process_time(), time.monotonic()
        await asyncio.sleep(3)
        used = (time.process_time() - spent) / (time.monotonic() - began)
    assert used < 0.2, f"{used:.0%} of a processor for 200 logs of 101 days"


class Days(RuleBasedStateMachine):
    """Any history of a log of days, of what is done to its old files, and of crashes of its follower."""

    @initialize()
    def begin(self):
        self.root = Path(tempfile.mkdtemp())
        self.follow = Follow(self.root, PATH)
        self.written, self.n, self.day, self.past = b"", 0, date(2026, 2, 20), []
        self.write(1, rest=False)
        self.follow.look()

    @property
    def path(self):
        return self.root / f"EJ{self.day:%Y%m%d}.jrn"

    @rule(lines=st.integers(1, 200), rest=st.booleans())
    def write(self, lines, rest):
        data = b"".join(b"line %d of the log\n" % (self.n + k) for k in range(lines)) + (b"part %d " % self.n if rest else b"")
        self.n += lines
        add(self.path, data)
        self.written += data

    @rule(days=st.integers(1, 40), again=st.booleans())
    def new_day(self, days, again):
        """A day begins; perhaps with the lines the one before began with."""
        if self.path.exists():
            self.past.append(self.path)
        if self.written and not self.written.endswith(b"\n"):
            self.written += b"\n"
        self.day += timedelta(days)
        data = b"line 0 of the log\n" if again else b"day %d\n" % self.n
        add(self.path, data)
        self.written += data

    @rule(seconds=st.sampled_from([0.1, 0.6, 2.0]))
    def look(self, seconds):
        self.follow.look(seconds)

    @rule()
    def crash(self):
        self.follow.again()

    @rule(which=st.integers(0, 5))
    def touch_an_old_file(self, which):
        if which < len(self.past) and self.past[which].exists():
            self.past[which].touch()

    @rule()
    def an_older_file_comes(self):
        if self.follow.data(FEED):
            add(self.root / "EJ20260101.jrn", b"copied back\n")

    @rule(which=st.integers(0, 5))
    def pack_an_old_file(self, which):
        if which < len(self.past) and self.past[which].exists():
            pack(self.past[which])

    @rule()
    def delete_what_was_read(self):
        """The old files, where the follower is in a later one."""
        at = Mark.decode(self.follow.gate.mark(FEED))
        for path in self.past:
            if at is not None and path.name < at.name:
                path.unlink(missing_ok=True)
                path.with_name(path.name + ".gz").unlink(missing_ok=True)

    @invariant()
    def nothing_is_taken_that_was_not_written(self):
        if hasattr(self, "follow"):
            assert (self.written + b"\n").startswith(self.follow.data(FEED))
            assert self.follow.feeds() <= {FEED}

    def teardown(self):
        if not hasattr(self, "follow"):
            return
        try:
            self.written += b"" if self.written.endswith(b"\n") else b"\n"
            for _ in range(3):
                self.follow.settle()
                self.follow.clock += 100
            assert self.follow.data(FEED) == self.written
        finally:
            self.follow.logs.close()
            shutil.rmtree(self.root)


Days.TestCase.settings = settings(max_examples=100, stateful_step_count=20, deadline=None)
TestDays = Days.TestCase


def test_a_file_of_a_day_to_come_draws_nobody_away_and_is_told_and_read_on_its_day(make, tmp_path, monkeypatch):
    monkeypatch.setattr(_tail_dates, "today", lambda zone: date(2026, 3, 2))
    day(tmp_path, 2, b"2\n")
    day(tmp_path, 3, b"forged\n")
    for name in ("EJ99991231.jrn", "EJ9999.jrn", "EJ0001.jrn"):
        add(tmp_path / name, b"junk\n")
    follow = make()
    follow.settle()
    day(tmp_path, 2, b"theft\n")
    follow.settle()
    assert follow.data(FEED) == b"2\ntheft\n"
    assert "EJ20260303.jrn: of a day that has not come" in str(follow.logs.facts()["fault"])
    monkeypatch.setattr(_tail_dates, "today", lambda zone: date(2026, 3, 3))
    follow.settle()
    assert follow.data(FEED) == b"2\ntheft\nforged\n"


def test_a_file_that_grows_after_the_next_was_begun_is_told(make, tmp_path):
    day(tmp_path, 1, b"1\n")
    day(tmp_path, 2, b"2\n")
    follow = make()
    follow.settle()
    assert follow.logs.facts()["fault"] == ""
    day(tmp_path, 1, b"late\n")
    follow.settle()
    assert follow.data(FEED) == b"1\n2\n"
    assert "EJ20260301.jrn: grew after the next was begun" in str(follow.logs.facts()["fault"])


@pytest.mark.parametrize(
    ("digits", "told"),
    [
        ("20260301", date(2026, 3, 1)),
        ("202603011159", date(2026, 3, 1)),
        ("260301", date(2026, 3, 1)),
        ("2603012359", date(2026, 3, 1)),
        ("202603", date(2026, 3, 1)),
        ("2026060", date(2026, 3, 1)),
        ("99991231", None),
        ("9999", None),
        ("0001", None),
        ("31122026", None),
    ],
)
def test_the_day_a_name_tells_of(digits, told):
    assert _tail_dates.day_of(digits) == told


def test_today_is_the_machines_own():
    assert TODAY("Pacific/Kiritimati") > TODAY("Pacific/Pago_Pago"), "25 hours apart"


def test_a_file_of_no_date_is_told(make, tmp_path):
    day(tmp_path, 1, b"1\n")
    add(tmp_path / "EJ0001.jrn", b"junk\n")
    follow = make()
    follow.settle()
    assert follow.data(FEED) == b"1\n"
    assert "EJ0001.jrn: of no day" in str(follow.logs.facts()["fault"])

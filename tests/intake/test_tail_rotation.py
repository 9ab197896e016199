"""Logs that are rotated in every way there is: each byte is taken once and in order."""

import gzip
import os
import shutil
import tempfile
from pathlib import Path

import pytest
from fake_gate import FakeGate, FakePlace
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from jackstop.intake import find
from jackstop.intake._pattern import Pattern
from jackstop.intake._sources import Sources
from jackstop.intake._tail_logs import Logs, Wanted
from jackstop.intake._tail_mark import Mark
from jackstop.intake._tail_rotation import base_of, family
from jackstop.intake._tail_trail import Rules

TAIL = find("tail")


class Follow:
    """A follower by hand: looks when it is told to, at a clock of its own, and can be begun anew from its marks."""

    def __init__(self, root: Path, path: str = "*.log", terminals=(), form: str | None = "cef", **keys) -> None:
        self.root, self.gate, self.clock = root, FakeGate(), 1000.0
        self.place = FakePlace(root, terminals).place()
        config = TAIL.Config.model_validate({"kind": "tail", "name": "t", "path": path, "format": form or "auto"})
        self.made = lambda: Logs(
            Wanted("t", form, 100, keys.get("skip", False)),
            Rules(60.0, 1.0, False),
            Pattern(path, str(root)),
            Sources(config, self.place),
            self.gate,
        )
        self.again()

    def again(self) -> None:
        """Begin anew, as after a crash."""
        if hasattr(self, "logs"):
            self.logs.close()
        self.logs, self.trails = self.made(), []

    def look(self, seconds: float = 2.0) -> bool:
        """Scan and look once at every log; whether something was taken."""
        self.clock += seconds
        self.trails += self.logs.scan(self.clock)
        pieces, rest = self.logs.look(self.trails, self.clock)
        assert not rest
        for trail, piece in pieces:
            if piece is not None:
                self.gate._marks[trail.feed.name] = piece.mark
                self.gate.feeds[trail.feed.name] = trail.feed
                self.gate.taken.append((trail.feed.name, piece.data))
                trail.taken(piece, self.clock)
        return any(p for _, p in pieces)

    def settle(self) -> None:
        """Look until nothing comes any more."""
        quiet = 0
        while quiet < 3:
            quiet = 0 if self.look() else quiet + 1

    def data(self, name: str = "t/x.log") -> bytes:
        return b"".join(data for feed, data in self.gate.taken if feed == name)

    def feeds(self) -> set[str]:
        return {feed for feed, _ in self.gate.taken}


@pytest.fixture
def follow(tmp_path):
    made = Follow(tmp_path)
    yield made
    made.logs.close()


def add(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)


def test_only_whole_lines_are_taken_and_the_rest_after_a_long_time(follow):
    log = follow.root / "x.log"
    add(log, b"one\ntw")
    follow.look()
    assert follow.data() == b"one\n"
    add(log, b"o\nthree")
    follow.look()
    assert follow.data() == b"one\ntwo\n"
    for _ in range(29):
        follow.look()
    assert follow.data() == b"one\ntwo\n"
    follow.look()
    follow.look()
    assert follow.data() == b"one\ntwo\nthree\n"
    add(log, b"\nfour\n")
    follow.settle()
    assert follow.data() == b"one\ntwo\nthree\n\nfour\n"


def test_half_a_line_is_waited_for_also_after_a_long_quiet_time(follow):
    log = follow.root / "x.log"
    add(log, b"a\n")
    follow.settle()
    follow.look(3600)
    add(log, b"ha")
    follow.look()
    add(log, b"lf\n")
    follow.settle()
    assert follow.data() == b"a\nhalf\n"


def test_a_rotated_file_is_waited_for_also_after_a_long_quiet_time(follow):
    log = follow.root / "x.log"
    add(log, b"a\n")
    follow.settle()
    log.rename(follow.root / "x.log.1")
    add(log, b"c\n")
    follow.look(3600)
    add(follow.root / "x.log.1", b"late\n")
    follow.settle()
    assert follow.data() == b"a\nlate\nc\n"


def test_more_logs_than_may_be_open_are_rotated_at_once(tmp_path, monkeypatch):
    monkeypatch.setattr("jackstop.intake._tail_logs._OPEN", 4)
    logs = [tmp_path / f"{n}.log" for n in range(20)]
    for log in logs:
        add(log, b"a\n")
    follow = Follow(tmp_path)
    follow.settle()
    for log in logs:
        log.rename(f"{log}.1")
        add(log, b"b\n")
    for _ in range(20):
        follow.look(0.3)
    follow.logs.close()
    assert [follow.data(f"t/{log.name}") for log in logs] == [b"a\nb\n"] * 20


def test_a_rotated_file_is_read_to_its_end_before_the_next(follow):
    log = follow.root / "x.log"
    add(log, b"a\n")
    follow.look()
    add(log, b"b\nunfinished")
    log.rename(follow.root / "x.log.1")
    add(log, b"c\n")
    follow.look(0.1)
    add(follow.root / "x.log.1", b" late\n")
    follow.settle()
    assert follow.data() == b"a\nb\nunfinished late\nc\n"


def test_the_unfinished_last_line_of_a_rotated_file_is_taken_as_a_line(follow):
    log = follow.root / "x.log"
    add(log, b"a\nb")
    follow.look()
    log.rename(follow.root / "x.log.1")
    add(log, b"c\n")
    follow.settle()
    assert follow.data() == b"a\nb\nc\n"


@pytest.mark.parametrize("restart", [False, True])
def test_a_deleted_or_moved_away_file_goes_on_with_its_successor(follow, restart):
    log = follow.root / "x.log"
    add(log, b"a\n")
    follow.look()
    log.unlink()
    add(log, b"completely other\n")
    if restart:
        follow.again()
    follow.settle()
    assert follow.data() == b"a\ncompletely other\n"


@pytest.mark.parametrize("restart", [False, True])
def test_copy_and_truncate_loses_nothing_that_the_copy_has(follow, restart):
    log = follow.root / "x.log"
    add(log, b"a\n" * 1000)
    follow.settle()
    add(log, b"b\n")
    shutil.copyfile(log, follow.root / "x.log.1")
    log.write_bytes(b"")
    add(log, b"c\n" * 3000)
    if restart:
        follow.again()
    follow.settle()
    assert follow.data() == b"a\n" * 1000 + b"b\n" + b"c\n" * 3000


def test_a_truncated_file_is_read_from_its_beginning(follow):
    log = follow.root / "x.log"
    add(log, b"first\n" * 10)
    follow.settle()
    log.write_bytes(b"second\n")
    follow.settle()
    log.write_bytes(b"third, and longer than before\n" * 10)
    follow.settle()
    assert follow.data() == b"first\n" * 10 + b"second\n" + b"third, and longer than before\n" * 10


def test_several_rotations_while_nobody_looked_are_read_in_order(follow):
    log = follow.root / "x.log"
    add(log, b"a1\n")
    follow.settle()
    add(log, b"a2\n")
    for n, text in enumerate((b"b\n", b"c\n", b"d\n"), 1):
        for k in range(n, 0, -1):
            older = follow.root / f"x.log.{k}"
            if older.exists():
                older.rename(follow.root / f"x.log.{k + 1}")
        log.rename(follow.root / "x.log.1")
        os.utime(follow.root / "x.log.1", ns=(0, log_time(follow.root / "x.log.1") + n * 1_000_000))
        add(log, text)
        os.utime(log, ns=(0, log_time(log) + (n + 1) * 1_000_000))
    follow.again()
    follow.settle()
    assert follow.data() == b"a1\na2\nb\nc\nd\n"
    assert follow.feeds() == {"t/x.log"}


def log_time(path: Path) -> int:
    return path.stat().st_mtime_ns


def test_a_packed_file_is_read_where_it_holds_what_was_not_read(follow):
    log = follow.root / "x.log"
    add(log, b"a\n" * 500)
    follow.settle()
    add(log, b"b\n")
    packed = follow.root / "x.log.1.gz"
    packed.write_bytes(gzip.compress(log.read_bytes()))
    log.unlink()
    add(log, b"c\n")
    follow.again()
    follow.settle()
    assert follow.data() == b"a\n" * 500 + b"b\nc\n"


def test_a_packed_file_that_was_read_is_passed_over(tmp_path):
    follow = Follow(tmp_path, "*")
    log = tmp_path / "x.log"
    add(log, b"a\n")
    follow.settle()
    (tmp_path / "x.log.1.gz").write_bytes(gzip.compress(log.read_bytes()))
    log.unlink()
    add(log, b"c\n")
    follow.settle()
    follow.again()
    follow.settle()
    assert (follow.feeds(), follow.data()) == ({"t/x.log"}, b"a\nc\n")
    follow.logs.close()


def test_a_file_written_anew_with_more_in_it_is_the_same(follow):
    log = follow.root / "x.log"
    add(log, b"a\n" * 5000)
    follow.settle()
    for n in range(3):
        fresh = follow.root / ".x.log.tmp"
        fresh.write_bytes(log.read_bytes() + b"%d\n" % n)
        fresh.replace(log)
        follow.settle()
    assert follow.data() == b"a\n" * 5000 + b"0\n1\n2\n"


def test_an_inode_used_again_is_no_sign_of_the_same_file(follow):
    log = follow.root / "x.log"
    add(log, b"a\n" * 100)
    follow.settle()
    mark = Mark.decode(follow.gate.mark("t/x.log"))
    log.unlink()
    add(log, b"b\n" * 200)
    forged = {f: getattr(mark, f) for f in mark.__struct_fields__} | {"ino": log.stat().st_ino}
    follow.gate._marks["t/x.log"] = Mark(**forged).encode()
    follow.again()
    follow.settle()
    assert follow.data() == b"a\n" * 100 + b"b\n" * 200


def test_earlier_lives_that_fit_the_pattern_are_one_stream_with_the_log(tmp_path):
    for n, text in ((2, b"a\n"), (1, b"b\n"), (0, b"c\n")):
        path = tmp_path / ("x.log" + (f".{n}" if n else ""))
        add(path, text)
        os.utime(path, ns=(0, (10 - n) * 10**9))
    follow = Follow(tmp_path, "*")
    follow.settle()
    assert (follow.feeds(), follow.data()) == ({"t/x.log"}, b"a\nb\nc\n")
    (tmp_path / "x.log.2").rename(tmp_path / "x.log.3")
    (tmp_path / "x.log.1").rename(tmp_path / "x.log.2")
    (tmp_path / "x.log").rename(tmp_path / "x.log.1")
    add(tmp_path / "x.log", b"d\n")
    follow.settle()
    follow.again()
    follow.settle()
    assert (follow.feeds(), follow.data()) == ({"t/x.log"}, b"a\nb\nc\nd\n")
    follow.logs.close()


def test_a_rotated_file_seen_before_its_log_is_read_once_all_the_same(tmp_path):
    follow = Follow(tmp_path, "*")
    add(tmp_path / "x.log.1", b"a\n" * 600_000)
    follow.look()
    add(tmp_path / "x.log", b"b\n")
    follow.look()
    (tmp_path / "x.log.1").rename(tmp_path / "x.log.2")
    (tmp_path / "x.log").rename(tmp_path / "x.log.1")
    add(tmp_path / "x.log", b"c\n")
    follow.again()
    follow.settle()
    assert follow.data("t/x.log.1") == b"a\n" * 600_000
    assert follow.data("t/x.log") == b"b\nc\n"
    follow.logs.close()


def test_a_file_renamed_to_a_name_that_fits_is_no_new_log(tmp_path):
    follow = Follow(tmp_path, "*.log")
    add(tmp_path / "app.log", b"a\n")
    follow.settle()
    (tmp_path / "app.log").rename(tmp_path / "app-1.log")
    add(tmp_path / "app.log", b"b\n")
    follow.settle()
    follow.again()
    follow.settle()
    assert follow.feeds() == {"t/app.log"}
    assert follow.data("t/app.log") == b"a\nb\n"
    follow.logs.close()


def test_logs_with_like_names_are_logs_of_their_own(tmp_path):
    names = ["atm.log", "atm_2.log", "atm.20260301.log", "EJ20260301.log", "EJ20260302.log"]
    for name in names:
        add(tmp_path / name, name.encode() + b"\n")
    follow = Follow(tmp_path, "*.log")
    follow.settle()
    assert follow.feeds() == {f"t/{n}" for n in names}
    for name in names:
        add(tmp_path / name, b"more\n")
        follow.settle()
        assert follow.data(f"t/{name}") == name.encode() + b"\nmore\n"
    follow.logs.close()


def test_a_log_rotated_away_while_nobody_looked_is_finished_though_it_has_no_successor(follow):
    log = follow.root / "x.log"
    add(log, b"a\n")
    follow.settle()
    add(log, b"b\n")
    log.rename(follow.root / "x.log.1")
    follow.again()
    follow.settle()
    assert follow.data() == b"a\nb\n"


def test_only_what_is_new_is_taken_where_that_is_wanted(tmp_path):
    add(tmp_path / "x.log", b"old\n" * 1000 + b"half")
    follow = Follow(tmp_path, skip=True)
    follow.settle()
    add(tmp_path / "x.log", b" line\nnew\n")
    add(tmp_path / "y.log", b"later\n")
    follow.settle()
    assert (follow.data(), follow.data("t/y.log")) == (b"half line\nnew\n", b"later\n")
    follow.logs.close()


def test_formats_that_are_no_lines_are_taken_as_they_are(tmp_path):
    follow = Follow(tmp_path, "*", form="nextware-trace")
    add(tmp_path / "x.log", b"no line end")
    follow.settle()
    assert follow.data() == b"no line end"
    follow.logs.close()


def test_a_format_is_told_from_what_a_log_holds_or_waited_for(tmp_path):
    follow = Follow(tmp_path, "*", form=None)
    line = b"<132>1 2026-03-01T02:11:09Z ATM0001 monitor - - - Safe door CLOSED\n"
    add(tmp_path / "x.log", line)
    add(tmp_path / "y.log", b"what is this\n")
    follow.settle()
    assert follow.feeds() == {"t/x.log"}
    assert follow.gate.feeds["t/x.log"].format == "cef"
    assert follow.logs.facts()["unrecognised"] == 1
    (tmp_path / "y.log").write_bytes(line)
    follow.settle()
    assert follow.data("t/y.log") == line
    follow.logs.close()


def test_terminals_are_named_and_unknown_ones_told(tmp_path):
    for name in ("ATM1", "pc-atm2", "ATM9"):
        (tmp_path / name).mkdir()
        add(tmp_path / name / "x.log", b"a\n")
    follow = Follow(tmp_path, "{terminal}/*.log", terminals=["ATM1", "ATM2"])
    follow.settle()
    assert follow.feeds() == {"t/ATM1/x.log", "t/ATM2/pc-atm2/x.log", "t/ATM9/x.log"}
    assert {f.reading.terminal for f in follow.gate.feeds.values()} == {"ATM1", "ATM2", None}
    assert follow.logs.facts()["unknown_terminals"] == "ATM9"
    follow.logs.close()


def test_a_very_long_line_is_taken_in_pieces(follow):
    add(follow.root / "x.log", b"x" * (3 << 20) + b"\nend\n")
    follow.settle()
    assert follow.data() == b"x" * (3 << 20) + b"\nend\n"


def test_what_cannot_be_read_is_told_and_read_later(follow, monkeypatch):
    log = follow.root / "x.log"
    add(log, b"a\n")

    def refused(*_: object, **__: object) -> bytes:
        raise OSError(116, "Stale file handle")

    monkeypatch.setattr(os, "pread", refused)
    follow.look()
    assert "Stale file handle" in str(follow.logs.facts()["fault"])
    monkeypatch.undo()
    follow.settle()
    assert follow.data() == b"a\n"
    assert follow.logs.facts()["fault"] == ""


def test_a_link_or_a_pipe_is_no_log(follow):
    (follow.root / "y.log").symlink_to("/etc/passwd")
    os.mkfifo(follow.root / "z.log")
    follow.settle()
    assert follow.gate.taken == []


@pytest.mark.parametrize(
    ("name", "base"),
    [
        ("x.log.1", "x.log"),
        ("x.log.12.gz", "x.log"),
        ("x.log-20260301", "x.log"),
        ("x.log.2026-03-01T02:11", "x.log"),
        ("x.log.old", "x.log"),
        ("x.log~1", "x.log"),
        ("x.log", None),
        ("atm_2.log", None),
        ("EJ20260301.log", None),
        ("1", None),
    ],
)
def test_rotated_names_are_told_by_what_follows(name, base):
    assert base_of(name) == base
    assert base is None or family(base).fullmatch(name)


class Rotations(RuleBasedStateMachine):
    """Any history of a log, of its rotations, and of crashes of its follower."""

    @initialize()
    def begin(self):
        self.root = Path(tempfile.mkdtemp())
        self.follow = Follow(self.root, "x.log*")
        self.log, self.written, self.n, self.time = self.root / "x.log", b"", 0, 10**18
        self.write(1, rest=False)
        self.follow.look()

    def touch(self):
        self.time += 10**6
        os.utime(self.log, ns=(self.time, self.time))

    @rule(lines=st.integers(1, 400), rest=st.booleans())
    def write(self, lines, rest):
        data = b"".join(b"line %d of the log\n" % (self.n + k) for k in range(lines)) + (b"part %d " % self.n if rest else b"")
        self.n += lines
        add(self.log, data)
        self.written += data
        self.touch()

    def finish(self):
        """An unfinished line is given its end when its file is rotated away."""
        if self.written and not self.written.endswith(b"\n"):
            self.written += b"\n"

    def shift(self):
        for k in range(8, 0, -1):
            if (older := self.root / f"x.log.{k}").exists():
                older.rename(self.root / f"x.log.{k + 1}")

    @rule()
    def rename(self):
        if self.log.exists() and self.log.stat().st_size:
            self.shift()
            self.log.rename(self.root / "x.log.1")
            self.finish()

    @rule()
    def copy_and_truncate(self):
        if self.log.exists() and self.log.stat().st_size:
            self.shift()
            shutil.copy2(self.log, self.root / "x.log.1")
            os.truncate(self.log, 0)
            self.touch()
            self.finish()

    @rule()
    def write_anew(self):
        if self.log.exists():
            fresh = self.root / ".fresh"
            fresh.write_bytes(self.log.read_bytes())
            fresh.replace(self.log)
            self.touch()

    @rule(seconds=st.sampled_from([0.1, 2.0]))
    def look(self, seconds):
        self.follow.look(seconds)

    @rule()
    def crash(self):
        self.follow.again()

    @invariant()
    def nothing_is_taken_that_was_not_written(self):
        if hasattr(self, "follow"):
            taken = self.follow.data()
            assert self.written.startswith(taken) or (self.written + b"\n").startswith(taken)

    def teardown(self):
        if not hasattr(self, "follow"):
            return
        try:
            self.finish()
            for _ in range(3):
                self.follow.settle()
                self.follow.clock += 100
            assert self.follow.data() == self.written
        finally:
            self.follow.logs.close()
            shutil.rmtree(self.root)


Rotations.TestCase.settings = settings(max_examples=60, stateful_step_count=15, deadline=None)
TestRotations = Rotations.TestCase


@given(st.binary(max_size=200))
@settings(max_examples=100, deadline=None)
def test_a_mark_that_is_none_is_no_mark(data):
    assert Mark.decode(data) is None


@pytest.mark.parametrize(("idle", "seconds"), [(0, 0.2), (4, 1.0), (3600, 2.0), (86_400, 2.0), (3 * 86_400, 60.0)])
def test_a_log_is_looked_at_within_the_quiet_time_until_it_is_of_days_past(follow, idle, seconds):
    add(follow.root / "x.log", b"a\n")
    follow.look()
    (trail,) = follow.trails
    assert trail.wait(trail.changed + idle, 0.2, 2.0) == seconds

"""The writer and the follower: what is appended comes back, in order, across segments, only when it is safe."""

import os
import random
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from some_spool import START, Clock, everything, feed, fill, in_memory, opened, streams

from jackstop.model.service import SpoolInfo
from jackstop.spool import Kind, Position
from jackstop.spool.faults import SpoolError
from jackstop.spool.follower import Follower
from jackstop.spool.layout import FeedState
from jackstop.spool.segments import PLAIN, numbers, place
from jackstop.spool.signer import Signer
from jackstop.spool.verify import verify

names = st.text(max_size=12)
parts = st.tuples(
    st.sampled_from(list(Kind)),
    names,
    st.binary(max_size=400),
    st.binary(max_size=30),
    st.text(max_size=20),
    st.text(max_size=30),
)


@given(st.lists(st.lists(parts, max_size=6), max_size=8))
@settings(max_examples=60, deadline=None)
def test_what_is_appended_comes_back_as_it_was_in_order_and_once(batches) -> None:
    with in_memory() as folder:
        _comes_back(folder, batches)


def _comes_back(folder: Path, batches) -> None:
    writer = opened(folder)
    said = []
    for batch in batches:
        for kind, name, data, mark, peer, note in batch:
            said.append((writer.append(kind, name, data, mark=mark, peer=peer, note=note), kind, name, data, mark, peer, note))
        assert writer.commit() == len(said)
    found = everything(folder)
    assert [(f.seq, f.kind, f.feed, f.data, f.mark, f.peer, f.note) for f in found] == said
    assert [f.seq for f in found] == list(range(1, len(said) + 1))
    times = [f.received for f in found]
    assert all(a < b for a, b in pairwise(times))
    streams(found)
    last: dict[str, bytes] = {}
    for _, _, name, _, mark, _, _ in said:
        last |= {name: mark} if mark else {}
    assert writer.marks("") == last
    writer.close()
    again = opened(folder)
    assert again.marks("") == last
    again.close()


def test_nothing_is_seen_before_it_is_committed(tmp_path: Path) -> None:
    writer = opened(tmp_path)
    follower = Follower(tmp_path / "spool", None)
    writer.append(Kind.DATA, "a", b"1")
    assert follower.take() == []
    assert writer.mark("a") == b""
    assert writer.commit() == 1
    (frame,) = follower.take()
    assert (frame.seq, frame.data) == (1, b"1")
    assert follower.head == (1, frame.received)
    assert follower.take() == []
    follower.close()
    writer.close()


def test_a_clock_that_stands_still_or_goes_back_does_not_turn_the_order_of_frames(tmp_path: Path) -> None:
    clock = Clock(step=0)
    writer = opened(tmp_path, clock=clock)
    for n in range(5):
        clock.now -= 1_000_000 * n
        writer.append(Kind.DATA, "a", b"%d" % n)
    writer.commit()
    writer.close()
    clock.now = START - 3_600_000_000
    writer = opened(tmp_path, clock=clock)
    writer.append(Kind.DATA, "a", b"5")
    writer.commit()
    writer.close()
    assert [f.received - START for f in everything(tmp_path)] == [0, 1, 2, 3, 4, 5]


def test_a_follower_reads_on_from_any_frame_across_segments_packed_or_not(tmp_path: Path) -> None:
    writer = opened(tmp_path)
    for n in range(40):
        fill(writer, 50, begin=n * 50)
    every = everything(tmp_path)
    assert len(numbers(tmp_path / "spool")) > 3
    writer.close()
    assert list((tmp_path / "spool").glob("*.zst"))
    assert everything(tmp_path) == every
    for frame in random.Random(1).sample(every, 40):
        assert everything(tmp_path, frame.next) == every[frame.seq :]


@given(st.integers(1, 5000))
@settings(max_examples=25, deadline=None)
def test_how_much_is_taken_at_once_changes_nothing(tmp_path_factory: pytest.TempPathFactory, most: int) -> None:
    folder = tmp_path_factory.getbasetemp() / "taken"
    if not folder.exists():
        writer = opened(folder)
        for n in range(10):
            fill(writer, 60, begin=n * 60, size=1 + n * 90)
        writer.close()
    follower, found = Follower(folder / "spool", None), []
    while frames := follower.take(most):
        assert sum(len(f.data) for f in frames[:-1]) <= most + 1000
        found += frames
    follower.close()
    assert found == everything(folder)


def test_a_follower_may_come_first_and_goes_on_while_segments_are_packed_under_it(tmp_path: Path) -> None:
    follower, found = Follower(tmp_path / "spool", None), []
    assert follower.take() == []
    assert follower.position == (0, 0)
    writer = opened(tmp_path)
    for n in range(60):
        fill(writer, 30, begin=n * 30)
        found += follower.take(3000)
    while frames := follower.take():
        found += frames
    writer.close()
    follower.close()
    assert [f.seq for f in found] == list(range(1, 1801))


def test_a_position_that_is_not_in_the_spool_is_told_once_a_writer_has_looked_through_it(tmp_path: Path) -> None:
    writer = opened(tmp_path)
    fill(writer, 10)
    beyond = Position(1, 10_000_000)
    follower = Follower(tmp_path / "spool", beyond)
    with pytest.raises(SpoolError, match="the spool ends at"):
        follower.take()
    writer.close()
    assert follower.take() == []
    follower.close()


def test_frames_before_a_damaged_one_are_given_and_then_the_damage_is_told(tmp_path: Path) -> None:
    writer = opened(tmp_path)
    fill(writer, 100)
    every = everything(tmp_path)
    writer.close()
    path = place(tmp_path / "spool", 1, PLAIN)
    content = bytearray(path.read_bytes())
    content[every[59].next.offset + 50] ^= 1
    path.write_bytes(content)
    follower = Follower(tmp_path / "spool", None)
    found = follower.take(1000) + follower.take(50_000)
    assert found == every[:60]
    for _ in range(2):
        with pytest.raises(SpoolError, match=r"00000001.seg@\d+: a damaged frame, expected a whole frame"):
            follower.take()
    assert follower.position == every[59].next
    follower.close()


def test_there_is_one_writer(tmp_path: Path) -> None:
    writer = opened(tmp_path)
    with pytest.raises(SpoolError, match="another writer"):
        opened(tmp_path)
    writer.close()
    opened(tmp_path).close()


def test_a_folder_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    (tmp_path / "spool").write_text("a file")
    with pytest.raises(SpoolError, match="expected a folder to keep evidence in"):
        opened(tmp_path)


def test_the_spool_and_the_key_are_for_its_owner_alone(tmp_path: Path) -> None:
    writer = opened(tmp_path)
    for n in range(10):
        fill(writer, 100, begin=n * 100)
    writer.close()
    assert (tmp_path / "spool").stat().st_mode & 0o777 == 0o700
    assert {p.stat().st_mode & 0o777 for p in (tmp_path / "spool").iterdir()} == {0o600}
    assert (tmp_path / "keys" / "evidence.key").stat().st_mode & 0o777 == 0o600


def test_declarations_and_stream_offsets_outlive_restarts_and_segments(tmp_path: Path) -> None:
    writer = opened(tmp_path)
    declared = feed("feed-0").model_dump_json().encode()
    writer.append(Kind.FEED, "feed-0", declared)
    fill(writer, 30)
    for n in range(1, 30):
        writer.close()
        writer = opened(tmp_path)
        assert writer.declared("feed-0") == declared
        assert writer.feeds() == {"feed-0": declared}
        fill(writer, 30, begin=n * 30)
    writer.close()
    assert len(numbers(tmp_path / "spool")) > 2
    assert all(len(s) == 10 * 30 * 200 for s in streams(everything(tmp_path)).values())


def test_parts_that_do_not_fit_a_frame_are_refused_and_nothing_of_them_stays(tmp_path: Path) -> None:
    writer = opened(tmp_path)
    for name, data, mark in (("a", bytes((4 << 20) + 1), b""), ("a" * 70_000, b"", b""), ("a", b"", bytes(70_000))):
        with pytest.raises(ValueError, match="expected at most"):
            writer.append(Kind.DATA, name, data, mark=mark)
    writer.append(Kind.DATA, "a", b"1", peer="p" * 70_000, note="n" * 70_000)
    writer.commit()
    writer.close()
    (frame,) = everything(tmp_path)
    assert (frame.seq, frame.offset, frame.peer, len(frame.note)) == (1, 0, "p" * 0xFFFF, 0xFFFF)


def test_a_batch_larger_than_a_segment_and_the_largest_frames_are_kept(tmp_path: Path) -> None:
    writer = opened(tmp_path)
    data = [os.urandom(4 << 20) for _ in range(3)]
    for piece in data:
        writer.append(Kind.DATA, "large", piece)
    writer.commit()
    writer.close()
    assert [f.data for f in everything(tmp_path)] == data
    assert verify(tmp_path / "spool", Signer(tmp_path / "keys").public()).ok


def test_a_table_of_feeds_larger_than_a_segment_does_not_close_segments_for_ever(tmp_path: Path) -> None:
    writer = opened(tmp_path, SpoolInfo(segment=1 << 16, free=0))
    for _ in range(3000):
        writer.append(Kind.DATA, os.urandom(40).hex(), b"x", mark=os.urandom(30))
    writer.commit()
    for _ in range(20):
        writer.append(Kind.TICK, "", b"")
        writer.commit()
    writer.close()
    assert len(numbers(tmp_path / "spool")) == 2


def test_what_was_not_committed_is_gone_after_a_close(tmp_path: Path) -> None:
    writer = opened(tmp_path)
    fill(writer, 5)
    writer.append(Kind.DATA, "feed-0", b"never")
    writer.close()
    writer = opened(tmp_path)
    fill(writer, 1, begin=5)
    writer.close()
    assert [f.data.split()[0] for f in everything(tmp_path)] == [b"%d" % n for n in range(6)]


def test_a_feed_state_without_anything_is_all_empty() -> None:
    assert FeedState() == FeedState(0, b"", b"")

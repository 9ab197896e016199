"""Finding the bytes of a record that a result cites."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from some_spool import START, everything, fill, in_memory, opened, streams

from jackstop.model.results import RecordRef
from jackstop.spool import Frame, Kind, Position
from jackstop.spool.faults import SpoolError
from jackstop.spool.find import Finder
from jackstop.spool.retention import sweep
from jackstop.spool.segments import INDEX, numbers, place
from jackstop.spool.signer import Signer


@pytest.fixture(scope="module")
def made() -> Iterator[Path]:
    with in_memory() as folder:
        writer = opened(folder)
        for n in range(12):
            fill(writer, 90, begin=n * 90, size=180 + n)
            writer.append(Kind.DATA, f"rare-{n % 4}", b"%d" % n * 900)
            writer.commit()
        writer.close()
        place(folder / "spool", 2, INDEX).unlink()
        yield folder


def ref(feed: str, stream: bytes, offset: int, length: int) -> RecordRef:
    return RecordRef(feed, offset, length, hashlib.sha256(stream[offset : offset + length]).hexdigest())


@pytest.fixture(scope="module")
def frames(made: Path) -> list[Frame]:
    return everything(made)


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_any_piece_of_any_stream_is_found_with_the_frames_it_came_in(made: Path, frames: list[Frame], data) -> None:
    every = streams(frames)
    feed = data.draw(st.sampled_from(sorted(every)))
    stream = every[feed]
    offset = data.draw(st.integers(0, len(stream) - 1))
    length = data.draw(st.integers(1, min(70_000, len(stream) - offset)))
    found = Finder(made / "spool").find(ref(feed, stream, offset, length))
    assert found.data == stream[offset : offset + length]
    touched = [f for f in frames if f.feed == feed and f.offset < offset + length and f.offset + len(f.data) > offset]
    assert list(found.frames) == touched


def test_one_finder_finds_many_records_in_any_order(made: Path) -> None:
    every, finder = streams(everything(made)), Finder(made / "spool")
    assert len(numbers(made / "spool")) > 3
    for feed, stream in sorted(every.items(), reverse=True):
        for offset in range(len(stream) - 50, 0, -len(stream) // 7):
            assert finder.find(ref(feed, stream, offset, 50)).data == stream[offset : offset + 50]


@pytest.mark.parametrize(
    ("feed", "offset", "length", "what"),
    [("nobody", 0, 5, "not in the spool"), ("feed-0", 10**9, 5, "not in the spool"), ("feed-0", 0, 10**8, "not in the spool")],
)
def test_what_is_not_there_is_told(made: Path, feed: str, offset: int, length: int, what: str) -> None:
    with pytest.raises(SpoolError, match=what):
        Finder(made / "spool").find(RecordRef(feed, offset, length, "0" * 64))


def test_other_bytes_than_the_digest_says_are_told(made: Path) -> None:
    with pytest.raises(SpoolError, match="other bytes"):
        Finder(made / "spool").find(RecordRef("feed-0", 0, 5, "0" * 64))


def test_a_record_whose_segment_was_removed_is_told_and_later_ones_are_found(tmp_path: Path) -> None:
    writer = opened(tmp_path)
    fill(writer, 900)
    fill(writer, 90, begin=900)
    writer.close()
    stream = streams(everything(tmp_path))["feed-1"]
    sweep(tmp_path / "spool", 0, [], START * 2, Position(2, 0), Signer(tmp_path / "keys"))
    finder = Finder(tmp_path / "spool")
    with pytest.raises(SpoolError, match="not removed since"):
        finder.find(ref("feed-1", stream, 0, 5))
    assert finder.find(ref("feed-1", stream, len(stream) - 5, 5)).data == stream[-5:]


def test_a_record_that_reaches_into_a_removed_segment_is_told(tmp_path: Path) -> None:
    writer = opened(tmp_path)
    for n in range(3):
        fill(writer, 400, begin=n * 400)
    writer.close()
    every = everything(tmp_path)
    stream = streams(every)["feed-1"]
    ends = [max(f.offset + len(f.data) for f in every if f.feed == "feed-1" and f.next.segment == n) for n in (1, 2)]
    first = next(f.received for f in every)
    sweep(tmp_path / "spool", 0, [(first, first)], START * 2, Position(3, 0), Signer(tmp_path / "keys"))
    assert numbers(tmp_path / "spool") == [1, 3, 4]
    finder = Finder(tmp_path / "spool")
    assert finder.find(ref("feed-1", stream, ends[0] - 10, 10)).data == stream[ends[0] - 10 : ends[0]]
    for offset, length in ((ends[0] - 5, 10), (ends[0] - 5, ends[1] - ends[0] + 10), (ends[1] - 5, 10)):
        with pytest.raises(SpoolError, match="not in the spool"):
            finder.find(ref("feed-1", stream, offset, length))


def test_an_empty_folder_holds_no_record(tmp_path: Path) -> None:
    with pytest.raises(SpoolError, match="not in the spool"):
        Finder(tmp_path).find(RecordRef("a", 0, 1, "0" * 64))

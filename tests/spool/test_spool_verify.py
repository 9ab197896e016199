"""Verification: no byte of a spool can be altered, cut, moved or taken away unseen; what was removed by rule is told apart."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from some_spool import START, everything, feed, fill, in_memory, opened

from jackstop.spool import Kind, Position
from jackstop.spool.chain import Chain, Tree, leaf, proves
from jackstop.spool.heads import read
from jackstop.spool.retention import DAY, LEDGER, closed, sweep
from jackstop.spool.seekable import Seekable
from jackstop.spool.segments import HEAD, INDEX, PACKED, PLAIN, Segment, numbers, place
from jackstop.spool.signer import Signer
from jackstop.spool.verify import Verified, verify


def looked(folder: Path) -> Verified:
    return verify(folder / "spool", Signer(folder / "keys").public())


def faults(found: Verified) -> list[str]:
    return [f"{f.where}: {f.what}" for f in [*found.faults, *(f for s in found.segments for f in s.faults)]]


@pytest.fixture(scope="module")
def made() -> Iterator[Path]:
    """A spool with everything there can be: removed segments, packed ones, an open one, a torn tail."""
    with in_memory() as folder:
        writer = opened(folder)
        for n in range(10):
            writer.append(Kind.FEED, f"feed-{n % 3}", feed(f"feed-{n % 3}").model_dump_json().encode())
            fill(writer, 100, begin=n * 100)
            writer.append(Kind.TICK, "", b"")
            writer.append(Kind.REFUSED, "feed-1", b"junk", note="too long", peer="10.0.0.9")
            writer.append(Kind.NOTE, "interlock", b'{"answer":"allow"}')
        writer.commit()
        writer.close()
        newest = numbers(folder / "spool")[-1]
        with place(folder / "spool", newest, PLAIN).open("ab") as file:
            file.write(b"torn")
        opened(folder).close()
        sweep(folder / "spool", 0, [], START * 2, Position(2, 0), Signer(folder / "keys"))
        yield folder


def test_a_spool_as_it_was_written_is_whole(made: Path) -> None:
    found = looked(made)
    assert faults(found) == []
    assert found.ok
    assert [s.state for s in found.segments] == ["removed", "closed", "closed", "open"]
    assert sum(s.frames for s in found.segments) == 10 * 104
    names = {p.name.partition(".")[2] for p in (made / "spool").iterdir()}
    assert {"seg.zst", "seg", "idx", "head", "jsonl"} <= names


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_no_byte_anywhere_can_be_altered_unseen(made: Path, data) -> None:
    files = sorted(p for p in (made / "spool").iterdir() if p.stat().st_size)
    file = data.draw(st.sampled_from(files))
    before = file.read_bytes()
    at = data.draw(st.integers(0, len(before) - 1))
    altered = bytearray(before)
    altered[at] ^= data.draw(st.integers(1, 255))
    try:
        file.write_bytes(altered)
        assert not looked(made).ok, (file.name, at)
    finally:
        file.write_bytes(before)


def test_of_a_small_spool_each_single_byte_is_watched() -> None:
    """Removed, packed, open, torn; large frames of one letter, so that all of it is a few thousand bytes."""
    with in_memory() as folder:
        writer = opened(folder)
        for n in range(2):
            writer.append(Kind.DATA, "a", bytes([65 + n]) * (1 << 16), mark=b"%d" % n)
            writer.commit()
        fill(writer, 2, size=20)
        writer.close()
        with place(folder / "spool", 3, PLAIN).open("ab") as file:
            file.write(b"torn")
        opened(folder).close()
        assert sweep(folder / "spool", 0, [], START * 2, Position(2, 0), Signer(folder / "keys")) == [1]
        assert faults(looked(folder)) == []
        keys = Signer(folder / "keys").public()
        for file in [p for p in (folder / "spool").iterdir() if p.stat().st_size]:
            before = file.read_bytes()
            for at in range(len(before)):
                altered = bytearray(before)
                altered[at] ^= (1, 0x20, 0x80)[at % 3]
                file.write_bytes(altered)
                assert not verify(folder / "spool", keys).ok, (file.name, at)
            file.write_bytes(before)


@given(st.data())
@settings(max_examples=80, deadline=None)
def test_no_file_can_be_cut_or_grow_unseen(made: Path, data) -> None:
    files = sorted(p for p in (made / "spool").iterdir() if p.stat().st_size)
    file = data.draw(st.sampled_from(files))
    before = file.read_bytes()
    cut = data.draw(st.integers(0, len(before) - 1))
    grown = data.draw(st.booleans())
    try:
        file.write_bytes(before + before[cut:] if grown else before[:cut])
        found = looked(made)
        unfinished = grown and file.name.endswith((PLAIN, LEDGER))
        assert unfinished or not found.ok, (file.name, cut, grown)
        assert not unfinished or found.notices or not found.ok
    finally:
        file.write_bytes(before)


@pytest.mark.parametrize("number", [2, 3, 4])
def test_a_segment_that_is_taken_away_is_told(made: Path, number: int) -> None:
    with in_memory() as folder:
        shutil.copytree(made, folder, dirs_exist_ok=True)
        for ending in (PACKED, PLAIN, INDEX, HEAD):
            place(folder / "spool", number, ending).unlink(missing_ok=True)
        found = looked(folder)
        assert [s.state for s in found.segments if s.number == number] == ["missing"]
        assert not found.ok


def test_segments_that_change_places_are_told(made: Path) -> None:
    with in_memory() as folder:
        shutil.copytree(made, folder, dirs_exist_ok=True)
        for ending in (PACKED, INDEX):
            a, b = place(folder / "spool", 2, ending), place(folder / "spool", 3, ending)
            held = a.read_bytes()
            shutil.copy(b, a)
            b.write_bytes(held)
        assert any("its header says segment 3" in f for f in faults(looked(folder)))


def test_a_whole_spool_made_anew_by_another_key_is_told(made: Path) -> None:
    with in_memory() as folder:
        writer = opened(folder)
        fill(writer, 600)
        writer.close()
        found = verify(folder / "spool", Signer(made / "keys").public())
        assert any("a foreign signature" in f for f in faults(found))
        assert any("damaged or of a foreign key" in f for f in faults(found))


def test_newest_segments_taken_away_with_all_that_names_them_are_told_by_a_head_kept_elsewhere(made: Path) -> None:
    with in_memory() as folder:
        shutil.copytree(made, folder, dirs_exist_ok=True)
        spool = folder / "spool"
        kept = closed(spool, 3)
        assert kept is not None
        for number in (3, 4):
            for ending in (PACKED, PLAIN, INDEX, HEAD):
                place(spool, number, ending).unlink(missing_ok=True)
        for torn in spool.glob("*.torn"):
            torn.unlink()
        (spool / "head").unlink()
        opened(folder).close()
        keys = Signer(folder / "keys").public()
        assert faults(verify(spool, keys)) == []
        assert not verify(spool, keys, [kept]).ok


def test_a_spool_in_use_is_whole_at_every_moment(tmp_path: Path) -> None:
    writer = opened(tmp_path)
    for n in range(40):
        fill(writer, 20, begin=n * 20)
        found = looked(tmp_path)
        assert found.ok, faults(found)
    writer.close()


def test_after_a_new_key_both_keys_signatures_hold(tmp_path: Path) -> None:
    writer = opened(tmp_path)
    fill(writer, 500)
    writer.close()
    signer = Signer(tmp_path / "keys")
    old, new = signer.id, signer.rotate()
    writer = opened(tmp_path)
    fill(writer, 500, begin=500)
    writer.close()
    found = looked(tmp_path)
    assert found.ok
    assert {s.key for s in found.segments} == {old, new, ""}
    assert sorted(Signer(tmp_path / "keys").public()) == sorted([old, new])


def test_what_is_held_not_consumed_or_not_old_enough_stays(tmp_path: Path) -> None:
    writer = opened(tmp_path)
    for n in range(20):
        fill(writer, 100, begin=n * 100)
    writer.close()
    spool, signer = tmp_path / "spool", Signer(tmp_path / "keys")
    every = numbers(spool)
    ends = {n: head.head for n in every[:-1] if (head := closed(spool, n))}
    now = ends[4].last_received + 10 * DAY + 1
    assert sweep(spool, 10, [], now, Position(1, 0), signer) == []
    assert sweep(spool, 11, [], now, Position(9, 0), signer) == []
    hold = (ends[2].last_received, ends[2].last_received)
    assert sweep(spool, 10, [hold], now, Position(4, 0), signer) == [1, 3]
    assert faults(looked(tmp_path)) == []
    assert sweep(spool, 10, [], now, Position(99, 0), signer) == [2, 4]
    assert numbers(spool) == every[4:]
    assert faults(looked(tmp_path)) == []
    assert [s.state for s in looked(tmp_path).segments][:5] == ["removed"] * 4 + ["closed"]
    assert everything(tmp_path)[0].seq == ends[5].first
    writer = opened(tmp_path)
    fill(writer, 10, begin=2000)
    writer.close()
    assert everything(tmp_path)[-1].seq == 2010


def test_an_unfinished_line_of_the_ledger_is_written_again(tmp_path: Path) -> None:
    writer = opened(tmp_path)
    fill(writer, 1500)
    fill(writer, 10)
    writer.close()
    spool, signer = tmp_path / "spool", Signer(tmp_path / "keys")
    (spool / LEDGER).write_bytes(b'{"removed":{"head"')
    sweep(spool, 0, [], START * 2, Position(2, 0), signer)
    assert looked(tmp_path).ok
    assert (spool / LEDGER).read_bytes().count(b"\n") == 1


@given(st.lists(st.binary(max_size=20), min_size=1, max_size=70))
@settings(max_examples=80, deadline=None)
def test_the_tree_is_that_of_rfc_9162_and_every_leaf_is_proved_and_no_other(units: list[bytes]) -> None:
    from hashlib import sha256

    def mth(leaves: list[bytes]) -> bytes:
        if len(leaves) == 1:
            return leaves[0]
        k = 1 << (len(leaves) - 1).bit_length() - 1
        return sha256(b"\x01" + mth(leaves[:k]) + mth(leaves[k:])).digest()

    chain = Chain(units[0])
    for unit in units[1:]:
        chain.add(unit)
    leaves = [leaf(u) for u in units]
    root = mth(leaves)
    tree = Tree(leaves)
    assert chain.root() == tree.root == root
    link = bytes(32)
    for one in leaves:
        link = sha256(link + one).digest()
    assert chain.link == link
    for n, one in enumerate(leaves):
        proof = tree.path(n)
        assert proves(one, n, len(leaves), proof, root)
        assert not proves(leaf(b"another" + units[n]), n, len(leaves), proof, root)
        assert not proves(one, len(leaves), len(leaves), proof, root)
        assert len(leaves) == 1 or not proves(one, n, len(leaves), proof[:-1], root)


def test_a_packed_segment_is_an_ordinary_zstandard_file_and_read_from_any_byte(tmp_path: Path, made: Path) -> None:
    import zstandard

    with Segment(made / "spool", 2) as segment:
        plain = segment.read(0, segment.size)
        for at in range(0, len(plain), 997):
            assert segment.read(at, 1500) == plain[at : at + 1500]
    with place(made / "spool", 2, PACKED).open("rb") as file:
        stream = zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True)
        assert stream.read() == plain
    assert read(b"{}") is None
    assert Seekable.__doc__

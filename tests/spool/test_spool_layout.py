"""The layout is what docs/evidence.md says: a reader written from that page alone reads a spool and checks it."""

import hashlib
import json
import struct
import zlib
from pathlib import Path

import msgspec
import pytest
import zstandard
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from hypothesis import given, settings
from hypothesis import strategies as st
from some_spool import everything, feed, fill, opened

from jackstop.spool import Kind
from jackstop.spool.faults import SpoolError
from jackstop.spool.layout import encode, read_header, scan
from jackstop.spool.segments import PACKED, PLAIN, numbers, place


def unpacked(path: Path) -> bytes:
    raw = path.read_bytes()
    return zstandard.ZstdDecompressor().stream_reader(raw, read_across_frames=True).read() if path.suffix == ".zst" else raw


def by_the_page(raw: bytes, before: bytes) -> tuple[list[tuple], dict, bytes | None]:
    """Frames, the table of feeds at the beginning, and the trailer's JSON, held against the chain."""
    magic, layout, _, _, _, n = struct.unpack("<8sIIQqI", raw[:36])
    assert (magic, layout, raw[36:68]) == (b"JSSPOOL\n", 1, before)
    table, at = raw[68 : 68 + n], 68 + n + 4
    assert struct.unpack("<I", raw[68 + n : at]) == (zlib.crc32(raw[: 68 + n]),)
    feeds = msgspec.msgpack.decode(zstandard.decompress(table))
    chain, frames = hashlib.sha256(bytes(32) + hashlib.sha256(b"\x00" + raw[:at]).digest()).digest(), []
    while at < len(raw):
        crc, size = struct.unpack("<II", raw[at : at + 8])
        last, size = size >> 31, size & 0x7FFFFFFF
        assert crc == zlib.crc32(raw[at + 4 : at + size])
        if last:
            assert at + size == len(raw)
            assert struct.unpack("<I", raw[-4:]) == (size,)
            signed = raw[at + 8 : -4]
            assert json.loads(signed)["head"]["chain"] == chain.hex()
            return frames, feeds, signed
        seq, received, offset, kind, zero, a, b, c, d = struct.unpack("<QqQBBHHHH", raw[at + 8 : at + 42])
        assert zero == 0
        rest = raw[at + 42 : at + size]
        parts = [rest[:a], rest[a : a + b], rest[a + b : a + b + c], rest[a + b + c : a + b + c + d], rest[a + b + c + d :]]
        frames.append((seq, received, offset, kind, *parts))
        chain = hashlib.sha256(chain + hashlib.sha256(b"\x00" + raw[at : at + size]).digest()).digest()
        at += size
    return frames, feeds, None


def test_a_reader_written_from_the_page_reads_a_spool_and_checks_its_chain_and_signatures(tmp_path: Path) -> None:
    writer = opened(tmp_path)
    for n in range(6):
        writer.append(Kind.FEED, "feed-0", feed("feed-0").model_dump_json().encode())
        fill(writer, 120, begin=n * 120)
        writer.append(Kind.REFUSED, "feed-1", b"junk", note="too long", peer="10.9.9.9")
        writer.append(Kind.TICK, "", b"")
        writer.commit()
    writer.close()
    spool, before, found, ends = tmp_path / "spool", bytes(32), [], {}
    for number in numbers(spool):
        path = next(p for p in (place(spool, number, PACKED), place(spool, number, PLAIN)) if p.exists())
        frames, feeds, signed = by_the_page(unpacked(path), before)
        assert {name: state[0] for name, state in feeds.items()} == ends
        for _, _, offset, kind, name, *_, data in frames:
            if kind == 1:
                ends[name.decode()] = offset + len(data)
            elif name:
                ends.setdefault(name.decode(), 0)
        found += frames
        if signed is not None:
            said = json.loads(signed)
            key = load_pem_public_key((tmp_path / "keys" / f"{said['key']}.pub").read_bytes())
            text = json.dumps(said["head"], separators=(",", ":")).encode()
            key.verify(bytes.fromhex(said["signature"]), b"jackstop head " + text)
            before = hashlib.sha256(signed).digest()
    ours = [(f.seq, f.received, f.offset, int(f.kind), f.feed, f.mark, f.peer, f.note, f.data) for f in everything(tmp_path)]
    assert [tuple(p.encode() if isinstance(p, str) else p for p in f) for f in ours] == found
    assert len(numbers(spool)) > 2


def test_the_bytes_of_a_frame_stay_what_they_are() -> None:
    made = encode(7, Kind.DATA, 1_800_000_000_000_000, b"T1/journal", 4096, b"CASH TAKEN\n", b"m", b"10.0.0.1", b"")
    rest = (
        "480000000700000000000000008098281765060000100000000000000100"
        + "0a00010008000000"
        + b"T1/journalm10.0.0.1CASH TAKEN\n".hex()
    )
    assert made.hex()[8:] == rest
    assert made[:4] == struct.pack("<I", zlib.crc32(bytes.fromhex(rest)))


@given(st.binary(max_size=300))
@settings(max_examples=300, deadline=None)
def test_any_bytes_are_frames_or_an_end_never_a_crash(raw: bytes) -> None:
    found = scan(raw, 1, 100, {})
    assert 100 <= found.end <= 100 + len(raw)
    with pytest.raises(SpoolError):
        read_header(lambda at, n: raw[at : at + n], "somewhere")


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_an_altered_frame_is_an_end_never_another_frame(data) -> None:
    good = encode(1, Kind.DATA, 5, b"a", 0, b"data", b"mark", b"peer", b"note")
    raw = bytearray(good + good)
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
    whole = scan(good, 1, 0, {}).frames[0]
    assert all(f._replace(next=whole.next) == whole for f in scan(bytes(raw), 1, 0, {}).frames)

"""Proof that a frame stood in a signed segment, without the other frames of it."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import msgspec

from jackstop.spool.chain import Tree, leaf, proves
from jackstop.spool.faults import SpoolError
from jackstop.spool.heads import Signed, read
from jackstop.spool.layout import pieces, read_header, trailer_of
from jackstop.spool.segments import HEAD, Segment, place

_PIECE = 8 << 20


class Proof(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """That the frame with this seq is under the signed head of its segment.

    Attributes:
        seq: of the frame. segment: its number. index, count: of its leaf, and how many there are (the header is the first).
        leaf: hex SHA-256 of 0x00 and the frame's bytes. path: hex, from below (RFC 9162, section 2.1.3).
    """

    seq: int
    segment: int
    index: int
    count: int
    leaf: str
    path: tuple[str, ...]

    def holds(self, signed: Signed) -> bool:
        """Whether it is right under this head. Whose head that is, is another question."""
        head = signed.head
        if head.segment != self.segment or self.count != head.last - head.first + 2 or self.index != self.seq - head.first + 1:
            return False
        try:
            under, path = bytes.fromhex(self.leaf), [bytes.fromhex(p) for p in self.path]
        except ValueError:
            return False
        return proves(under, self.index, self.count, path, bytes.fromhex(head.tree))

    def of(self, raw: bytes) -> bool:
        """Whether it is about a frame of these bytes."""
        return leaf(raw).hex() == self.leaf


@dataclass(frozen=True, slots=True)
class Proved:
    """The signed head of a segment, and of some of its frames the proof and the bytes.

    Frames that came after the head was signed have bytes only.
    """

    signed: Signed | None
    proofs: dict[int, Proof]
    raw: dict[int, bytes]


def prove(folder: Path, number: int, wanted: Collection[int]) -> Proved:
    """Prove frames of one segment, by their seq.

    Raises:
        SpoolError: the segment is not there, or it is not as its head says.
    """
    signed = _anchor(folder, number)
    with Segment(folder, number) as segment:
        if (found := trailer_of(segment.read, segment.size)) is not None:
            signed = read(found)
        header, first = read_header(segment.read, segment.path)
        leaves, raw = [leaf(first)], {}
        for piece in pieces(segment.read, number, header.size, {}, _PIECE):
            at = piece.base
            for frame in piece.frames:
                unit = bytes(piece.raw(at, frame.next.offset))
                at = frame.next.offset
                leaves.append(leaf(unit))
                if frame.seq in wanted:
                    raw[frame.seq] = unit
        where = segment.path
    if signed is None:
        return Proved(None, {}, raw)
    tree = Tree(leaves[: signed.head.last - signed.head.first + 2])
    if tree.root.hex() != signed.head.tree:
        raise SpoolError(where, "its frames are not those of its signed head", "a segment as it was written (`evidence verify`)")
    count = signed.head.last - signed.head.first + 2
    places = {seq: seq - header.first + 1 for seq in raw}
    proofs = {
        seq: Proof(seq, number, at, count, leaves[at].hex(), tuple(p.hex() for p in tree.path(at)))
        for seq, at in places.items()
        if at < count
    }
    return Proved(signed, proofs, raw)


def _anchor(folder: Path, number: int) -> Signed | None:
    """The head beside an open segment."""
    try:
        return read(place(folder, number, HEAD).read_bytes())
    except FileNotFoundError:
        return None

"""What binds the frames of a segment together: a chain of hashes, and a Merkle tree over the same leaves.

leaf_0 = SHA-256(0x00 ‖ header), leaf_i = SHA-256(0x00 ‖ frame i); chain_i = SHA-256(chain_i-1 ‖ leaf_i), from 32 zeros. The tree
is that of RFC 9162, section 2.1: with it one frame can be shown to have been in a signed segment without the other frames, which
may hold card data.
"""

from collections.abc import Sequence
from hashlib import sha256


class Chain:
    """The chain and the tree of a segment that grows."""

    __slots__ = ("_peaks", "count", "link")

    def __init__(self, header: bytes) -> None:
        self.link = bytes(32)
        self.count = 0
        self._peaks: list[bytes] = []
        self.add(header)

    def add(self, unit: bytes | memoryview) -> None:
        """Add the header, or the next frame."""
        hashed = sha256(b"\x00")
        hashed.update(unit)
        leaf = hashed.digest()
        self.link = sha256(self.link + leaf).digest()
        peaks, n = self._peaks, self.count
        while n & 1:
            leaf = sha256(b"\x01" + peaks.pop() + leaf).digest()
            n >>= 1
        peaks.append(leaf)
        self.count += 1

    def root(self) -> bytes:
        """The root of the tree now."""
        found = self._peaks[-1]
        for peak in reversed(self._peaks[:-1]):
            found = sha256(b"\x01" + peak + found).digest()
        return found

    def copy(self) -> "Chain":
        """The same, to go on from."""
        made = Chain.__new__(Chain)
        made.link, made.count, made._peaks = self.link, self.count, self._peaks.copy()
        return made


def leaf(unit: bytes) -> bytes:
    """The leaf of a header or a frame."""
    return sha256(b"\x00" + unit).digest()


class Tree:
    """A finished tree over some leaves, at least one; for paths."""

    def __init__(self, leaves: Sequence[bytes]) -> None:
        self._levels = [list(leaves)]
        while len(level := self._levels[-1]) > 1:
            upper = [sha256(b"\x01" + level[i] + level[i + 1]).digest() for i in range(0, len(level) - 1, 2)]
            self._levels.append(upper + level[len(upper) * 2 :])

    @property
    def root(self) -> bytes:
        """The root."""
        return self._levels[-1][0]

    def path(self, index: int) -> list[bytes]:
        """What is needed beside a leaf to come to the root, from below (RFC 9162, section 2.1.3.1)."""
        made = []
        for level in self._levels[:-1]:
            if index ^ 1 < len(level):
                made.append(level[index ^ 1])
            index >>= 1
        return made


def proves(leaf: bytes, index: int, count: int, path: Sequence[bytes], root: bytes) -> bool:
    """Whether a leaf was at this place among so many, under this root (RFC 9162, section 2.1.3.2)."""
    if not 0 <= index < count:
        return False
    at, last, found = index, count - 1, leaf
    for other in path:
        if not last:
            return False
        if at & 1 or at == last:
            found = sha256(b"\x01" + other + found).digest()
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            found = sha256(b"\x01" + found + other).digest()
        at, last = at >> 1, last >> 1
    return not last and found == root

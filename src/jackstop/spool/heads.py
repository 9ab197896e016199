"""Heads: what a segment's frames amount to, signed; and the head published for readers in other processes."""

import hashlib
import os
import struct
import zlib
from pathlib import Path
from typing import NamedTuple

import msgspec

from jackstop.spool.signer import Keys, Signer, genuine

PUBLISHED = "head"
ZEROS = bytes(32)


class Head(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a segment amounts to, up to a byte of it.

    Attributes:
        segment: its number. size: bytes up to here, header included. first, last: seq of its frames (`last` is `first` - 1
            where there are none). first_received, last_received: µs UTC. chain: hex, the last link. tree: hex, the root over
            header and frames (see `chain`). previous: hex SHA-256 of the signed head of the segment before. closed: whether the
            segment ends here.
    """

    segment: int
    size: int
    first: int
    last: int
    first_received: int
    last_received: int
    chain: str
    tree: str
    previous: str
    closed: bool


class Signed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A head, the id of the key, and the key's signature (hex) over the head's JSON."""

    head: Head
    key: str
    signature: str

    def raw(self) -> bytes:
        """Its one spelling as JSON."""
        return msgspec.json.encode(self)

    def digest(self) -> bytes:
        """SHA-256 of that, which the next segment names."""
        return hashlib.sha256(self.raw()).digest()

    def genuine(self, keys: Keys) -> bool:
        """Whether a known key signed it."""
        return genuine(keys, self.key, self.signature, _signed_text(self.head))


def sign(head: Head, signer: Signer) -> Signed:
    """Sign a head."""
    return Signed(head, signer.id, signer.sign(_signed_text(head)))


def read(raw: bytes) -> Signed | None:
    """A signed head from its JSON; None where it is none, or not spelled as `Signed.raw` does."""
    try:
        found = msgspec.json.decode(raw, type=Signed)
    except (msgspec.MsgspecError, ValueError):
        return None
    return found if found.raw() == raw else None


def _signed_text(head: Head) -> bytes:
    return b"jackstop head " + msgspec.json.encode(head)


class Published(NamedTuple):
    """How far the spool is safe on disk: segment, byte after the last frame, its seq, and its `received` (µs UTC)."""

    segment: int
    offset: int
    seq: int
    received: int


_SHAPE = struct.Struct("<QQQq")
_CRC = struct.Struct("<I")


class Board:
    """The file in which the writer publishes how far all is safe. 36 bytes with a checksum, written in place."""

    def __init__(self, folder: Path, *, write: bool = False) -> None:
        flags = os.O_RDWR | os.O_CREAT if write else os.O_RDONLY
        self._file = os.open(folder / PUBLISHED, flags | os.O_CLOEXEC, 0o600)

    def put(self, head: Published) -> None:
        """Publish."""
        body = _SHAPE.pack(*head)
        os.pwrite(self._file, body + _CRC.pack(zlib.crc32(body)), 0)

    def get(self) -> Published | None:
        """What was published last; None where there is nothing (or nothing whole) there."""
        for _ in range(100):
            raw = os.pread(self._file, _SHAPE.size + _CRC.size + 1, 0)
            if len(raw) == _SHAPE.size + _CRC.size and zlib.crc32(raw[: _SHAPE.size]) == _CRC.unpack(raw[_SHAPE.size :])[0]:
                return Published(*_SHAPE.unpack(raw[: _SHAPE.size]))
            if not raw:
                break
        return None

    def close(self) -> None:
        """Close the file."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

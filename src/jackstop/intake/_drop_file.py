"""A whole file that was dropped: examined before any of it is taken, unpacked within limits (blocking; for a thread)."""

import gzip
import os
import stat
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from typing import BinaryIO, NamedTuple

import msgspec
import zstandard

from jackstop.intake._logfile import Shape, shape

HEAD = 64 << 10
_PIECE = 1 << 20
_SLACK = 16 << 20
_WINDOW = 128 << 20
_SIP = 1024
_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"


class Unfit(ValueError):
    """This file is not taken; the message says why and what was expected."""


class Limits(NamedTuple):
    """Bytes a file may have unpacked, and how many times its packed size."""

    largest: int
    ratio: int


class Mark(msgspec.Struct, frozen=True):
    """How far a file was taken: its SHA-256 as it lies there, bytes of it unpacked, and whether that is all."""

    file: str
    offset: int
    done: bool

    def encode(self) -> bytes:
        """The mark as bytes (JSON)."""
        return msgspec.json.encode(self)


def mark(data: bytes) -> Mark | None:
    """The mark these bytes are; None where they are none."""
    try:
        return msgspec.json.decode(data, type=Mark)
    except (msgspec.DecodeError, ValueError):
        return None


class Examined(NamedTuple):
    """A file that is fit: its shape, SHA-256 as it lies there, size unpacked, and its first bytes unpacked."""

    shape: Shape
    digest: str
    size: int
    head: bytes


def examine(path: str, limits: Limits, stop: threading.Event | None = None) -> Examined:
    """Read a file through once.

    Args:
        stop: set, it is given up.

    Raises:
        Unfit: it is too large, damaged, or unpacks to too much. OSError: it cannot be read now, or was given up.
    """
    known = shape(path)
    if known is None:
        raise FileNotFoundError(2, "gone", path)
    digest = sha256()
    with _raw(path) as raw:
        while piece := raw.read(_PIECE):
            digest.update(piece)
            _go_on(path, stop)
    size, head = 0, b""
    allowed = min(limits.largest, known.size * limits.ratio + _SLACK)
    for piece in _pieces(path):
        head += piece[: HEAD - len(head)]
        size += len(piece)
        _go_on(path, stop)
        if size > allowed:
            raise Unfit(f"more than {allowed} bytes unpacked from {known.size}, expected fewer (keys largest, ratio)")
    if shape(path) != known:
        raise FileNotFoundError(2, "changed while it was read", path)
    return Examined(known, digest.hexdigest(), size, head)


def _go_on(path: str, stop: threading.Event | None) -> None:
    if stop is not None and stop.is_set():
        raise FileNotFoundError(2, "given up", path)


def _pieces(path: str) -> Iterator[bytes]:
    """A file's bytes unpacked, with every check its packing has."""
    with _raw(path) as raw:
        packed = raw.read(4) == _ZSTD
    if packed:
        yield from _frames(path)
        return
    with unpacked(path) as stream:
        while piece := _read(stream, _PIECE):
            yield piece


def _frames(path: str) -> Iterator[bytes]:
    """Zstandard frames unpacked; a stream reader would not tell that the last one is cut off.

    Little goes in at a time, for 4 bytes may unpack to 128 KiB (RFC 8878, section 3.1.1.2.2).
    """
    with _raw(path) as raw:
        frame, rest = None, b""
        while data := rest or raw.read(_SIP):
            frame = frame or zstandard.ZstdDecompressor(max_window_size=_WINDOW).decompressobj()
            try:
                yield frame.decompress(data)
            except zstandard.ZstdError as fault:
                raise Unfit(f"damaged: {fault}, expected a whole gzip or Zstandard file") from None
            rest = frame.unused_data if frame.eof else b""
            frame = None if frame.eof else frame
        if frame is not None:
            raise Unfit("damaged: cut off, expected a whole gzip or Zstandard file")


@contextmanager
def _raw(path: str) -> Iterator[BinaryIO]:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW)
    with os.fdopen(fd, "rb") as raw:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise FileNotFoundError(2, "no regular file", path)
        yield raw


@contextmanager
def unpacked(path: str) -> Iterator[BinaryIO]:
    """A file's bytes, unpacked where it is gzip or Zstandard (told by its first bytes).

    Raises:
        OSError: it cannot be read.
    """
    with _raw(path) as raw:
        magic = raw.read(4)
        raw.seek(0)
        if magic.startswith(_GZIP):
            with gzip.GzipFile(fileobj=raw, mode="rb") as stream:
                yield stream  # type: ignore[misc]
        elif magic == _ZSTD:
            reader = zstandard.ZstdDecompressor(max_window_size=_WINDOW).stream_reader(
                raw, read_across_frames=True, closefd=False
            )
            with reader as stream:
                yield stream
        else:
            yield raw


def _read(stream: BinaryIO, size: int) -> bytes:
    try:
        return stream.read(size)
    except (EOFError, zlib.error, gzip.BadGzipFile, zstandard.ZstdError) as fault:
        raise Unfit(f"damaged: {fault}, expected a whole gzip or Zstandard file") from None


def read(stream: BinaryIO, size: int) -> bytes:
    """So many bytes of an examined file, fewer only at its end.

    Raises:
        Unfit: it is damaged.
    """
    out = b""
    while len(out) < size and (piece := _read(stream, size - len(out))):
        out += piece
    return out


def skip(stream: BinaryIO, size: int) -> None:
    """Pass over bytes that were taken before.

    Raises:
        Unfit: it is damaged.
    """
    while size > 0:
        piece = _read(stream, min(size, _PIECE))
        if not piece:
            return
        size -= len(piece)


def first(path: str, size: int) -> bytes:
    """A file's first bytes as they lie there.

    Raises:
        OSError: it cannot be read.
    """
    with _raw(path) as raw:
        return raw.read(size)


def put_away(path: str, folder: str, reason: str = "") -> str:
    """Move a file into a folder beside it, under a name that is free; a reason lies beside it. Gives the new path.

    Raises:
        OSError: it cannot be moved.
    """
    at, name = os.path.split(path)
    into = os.path.join(at, folder)
    os.makedirs(into, mode=0o700, exist_ok=True)
    target, n = os.path.join(into, name), 1
    while os.path.lexists(target):
        n += 1
        target = os.path.join(into, f"{name}~{n}")
    os.rename(path, target)
    if reason:
        with open(f"{target}.reason.txt", "w", encoding="utf-8") as file:
            file.write(reason + "\n")
    return target

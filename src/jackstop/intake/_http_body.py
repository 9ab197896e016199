"""Bodies of requests: read with a limit on size and time, unpacked with a limit on size and ratio."""

import asyncio
import zlib
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any, NamedTuple

import zstandard

from jackstop.intake._http_words import Held, Refusal

PATIENCE = 60.0
"""Seconds a body may take to arrive."""

_STEP = 1 << 16
_FREE = 1 << 20
_APART = 1 << 16
_WINDOW = 8 << 20
_SLICE, _SMALL = 1 << 12, 1 << 7
_MEMBERS = 10_001

Receive = Callable[[], Awaitable[Mapping[str, Any]]]


class Gone(Exception):
    """The sender closed the connection before its body was whole."""


class Limits(NamedTuple):
    """Of one body: bytes packed and unpacked at most, and how many times larger it may become by unpacking."""

    size: int
    ratio: int


async def read(receive: Receive, length: bytes, limits: Limits, held: Held) -> bytes:
    """The body as sent.

    Args:
        receive: gives its parts (ASGI). length: of the header Content-Length, empty for none.

    Raises:
        Refusal: it is too long, takes too long, or too much is in memory. Gone: the sender left.
    """
    declared = int(length) if length.isdigit() and len(length) < 20 else 0
    if declared > limits.size:
        raise _large(limits)
    held.add(declared)
    parts, size = [], 0
    try:
        async with asyncio.timeout(PATIENCE):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise Gone
                part = message.get("body", b"")
                size += len(part)
                if size > limits.size:
                    raise _large(limits)
                if size > held.bytes:
                    held.add(size - held.bytes)
                parts.append(part)
                if not message.get("more_body", False):
                    return parts[0] if len(parts) == 1 else b"".join(parts)
    except TimeoutError:
        raise Refusal(408, f"the body took longer than {PATIENCE:g} s, expected it sooner") from None


async def unpacked(body: bytes, coding: str, limits: Limits, held: Held) -> bytes:
    """A body without its content coding; large ones are unpacked beside the event loop.

    Args:
        coding: of the header Content-Encoding.

    Raises:
        Refusal: the coding is unknown, the body damaged, or too large unpacked.
    """
    named = coding.strip().lower()
    if named in {"", "identity"}:
        return body
    parts = _PARTS.get(named)
    if parts is None:
        raise Refusal(415, f"content encoding {named[:40]!r}, expected gzip, zstd or identity")
    if len(body) > _APART:
        whole = await asyncio.to_thread(_bounded, body, parts, limits)
    else:
        whole = _bounded(body, parts, limits)
    held.add(len(whole))
    return whole


def _bounded(body: bytes, parts: Callable[[bytes], Iterator[bytes]], limits: Limits) -> bytes:
    """All parts, as long as they are not too many."""
    most = min(limits.size, max(_FREE, len(body) * limits.ratio))
    found = bytearray()
    try:
        for part in parts(body):
            found += part
            if len(found) > most:
                raise _large(limits)
    except (zlib.error, zstandard.ZstdError, EOFError) as fault:
        raise Refusal(400, f"the body cannot be unpacked ({str(fault)[:80]}), expected whole data of its encoding") from None
    return bytes(found)


def _gzip(body: bytes) -> Iterator[bytes]:
    """Parts of gzip data of one or several members (RFC 1952)."""
    view, at = memoryview(body), 0
    for _ in _members():
        if at == len(view):
            return
        stream = zlib.decompressobj(wbits=31)
        while not stream.eof:
            if at == len(view):
                raise EOFError("cut off")
            given: memoryview | bytes = view[at : at + _SLICE]
            at += len(view[at : at + _SLICE])
            full = True
            while full and not stream.eof:
                part = stream.decompress(given, _STEP)
                yield part
                given = stream.unconsumed_tail
                full = bool(given) or len(part) == _STEP
        at -= len(stream.unused_data)


def _zstd(body: bytes) -> Iterator[bytes]:
    """Parts of Zstandard data of one or several frames (RFC 8878); a block of 4 bytes may hold 128 KiB, so steps are small."""
    at = 0
    for _ in _members():
        if at == len(body):
            return
        stream = zstandard.ZstdDecompressor(max_window_size=_WINDOW).decompressobj()
        while not stream.eof:
            if at >= len(body):
                raise EOFError("cut off")
            yield stream.decompress(body[at : at + _SMALL])
            at += _SMALL
        at = min(at, len(body)) - len(stream.unused_data)


def _members() -> Iterator[int]:
    """A turn for each member of a body; tiny ones in great number would cost more than they carry.

    Raises:
        EOFError: there are too many.
    """
    yield from range(_MEMBERS)
    raise EOFError(f"more than {_MEMBERS - 1} members")


_PARTS: dict[str, Callable[[bytes], Iterator[bytes]]] = {"gzip": _gzip, "x-gzip": _gzip, "zstd": _zstd}


def _large(limits: Limits) -> Refusal:
    return Refusal(413, f"the body is larger than {limits.size} bytes or {limits.ratio} times its packed size, expected less")

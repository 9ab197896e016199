"""Where SIA DC-09 frames begin and end: from LF to CR, with a length and a CRC that must fit.

How the bytes are cut never changes what is found. A CRC of two bytes instead of four digits, as old panels send it, is read too.
"""

import re
from typing import NamedTuple

from jackstop.formats._dc09_frame import crc

_LF, _QUOTE = 0x0A, 0x22
_ENDS = re.compile(rb"[\r\n]")
_HEX = re.compile(rb"[0-9A-Fa-f]{4}")
_NOTHING = b" \t\r\0"
_KEPT = 256
_DECIDED = 8
"""Bytes of a frame after which it is known how its CRC is written."""


class Scanned(NamedTuple):
    """A frame's text, or with a `fault` bytes that are no frame and why."""

    text: bytes
    fault: str = ""


class Scanner:
    """The frames of one connection or datagram.

    Args:
        largest: bytes of a frame at most.
    """

    def __init__(self, largest: int) -> None:
        self._largest = largest
        self._buffer = b""
        self._junk = b""

    @property
    def begun(self) -> bool:
        """Whether a frame has begun and not ended."""
        return bool(self._buffer or self._junk)

    def feed(self, data: bytes) -> list[Scanned]:
        """The frames that these bytes complete."""
        found: list[Scanned] = []
        self._buffer += data
        while self._buffer:
            if self._junk or self._buffer[0] != _LF:
                if not self._hunt(found):
                    break
            elif not self._take(found):
                break
        return found

    def end(self) -> list[Scanned]:
        """What is left when no more bytes come."""
        found: list[Scanned] = []
        rest, self._buffer = self._buffer, b""
        self._passed(rest.removeprefix(b"\n"), found, "cut off: no CR at the end")
        return found

    def _hunt(self, found: list[Scanned]) -> bool:
        """Pass over bytes up to where a frame may begin."""
        at = self._buffer.find(b"\n")
        part, self._buffer = (self._buffer, b"") if at < 0 else (self._buffer[:at], self._buffer[at:])
        if at < 0:
            self._junk += part[: _KEPT - len(self._junk)] if self._junk.strip(_NOTHING) else part.lstrip(_NOTHING)[:_KEPT]
            return False
        self._passed(part, found, "no frame: no LF before it")
        return True

    def _passed(self, part: bytes, found: list[Scanned], fault: str) -> None:
        junk, self._junk = (self._junk + part).lstrip(_NOTHING)[:_KEPT].rstrip(_NOTHING), b""
        if junk:
            found.append(Scanned(junk, fault))

    def _take(self, found: list[Scanned]) -> bool:
        """Take the frame at the beginning of the buffer, if it is whole."""
        buffer = self._buffer
        if len(buffer) < _DECIDED:
            return False
        binary = buffer[7] == _QUOTE and _HEX.fullmatch(buffer, 3, 7) is not None
        ended = _ENDS.search(buffer, 3 if binary else 1)
        end = ended.start() if ended else len(buffer)
        if end > self._largest:
            self._buffer = buffer[1:]
            return self._hunt(found)
        if ended is None:
            return False
        self._buffer = buffer[end + (buffer[end] != _LF) :]
        if buffer[end] == _LF:
            self._passed(buffer[1:end], found, "cut off: no CR at the end")
        elif buffer[1:end].strip(_NOTHING):
            found.append(_checked(buffer[1:end], binary=binary))
        return True


def _checked(frame: bytes, *, binary: bool) -> Scanned:
    """A frame's text if its length and CRC fit."""
    size = 2 if binary else 4
    length, text = frame[size : size + 4], frame[size + 4 :]
    if _HEX.fullmatch(length) is None or (not binary and _HEX.fullmatch(frame, 0, 4) is None):
        return Scanned(frame[:_KEPT], "no frame: no CRC and length at the beginning")
    if int(length, 16) != len(text):
        return Scanned(frame[:_KEPT], f"{len(text)} bytes, expected the {int(length, 16)} told")
    if (int.from_bytes(frame[:2], "big") if binary else int(frame[:4], 16)) != crc(text):
        return Scanned(frame[:_KEPT], "the CRC does not fit the frame")
    return Scanned(text)

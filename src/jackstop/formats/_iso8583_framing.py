"""Messages behind a 2-byte big-endian length, or one per JSON line: where records begin and end.

A source that begins with `{` is JSON lines, any other is frames. A frame has to begin like a message; where none does,
the bytes up to the next that does are a record of their own (which nothing can read, so the damage is refused visibly).
"""

import re
from collections.abc import Iterator

import msgspec

from jackstop.formats._iso_stamp import Stamp, parse
from jackstop.formats._reading import Frame, Unreadable, lines

DAMAGE = 4096
SHORTEST = 3


class Line(msgspec.Struct):
    """One JSON line: when it was captured, which way it went, and the message (text, or hex)."""

    time: str | None = None
    direction: str | None = None
    message: str | None = None
    hex: str | None = None
    luno: str | None = None


_LINES = msgspec.json.Decoder(Line)


def line(record: bytes) -> Line:
    """A record as a line.

    Raises:
        Unreadable: it is not a JSON object with these keys as strings.
    """
    try:
        return _LINES.decode(record)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        raise Unreadable('not a JSON line, expected {"time": …, "message" or "hex": …} with text values') from None


def captured(text: str | None) -> Stamp | None:
    """When a line was captured; None where it does not say.

    Raises:
        Unreadable: it says something that is not a stamp.
    """
    if not text:
        return None
    stamp = parse(text)
    if stamp is None:
        raise Unreadable("time of the line is not a stamp, expected ISO 8601 such as 2026-03-01T02:11:07.120Z")
    return stamp


class Framing:
    """How one source is framed; known from its first byte that is not blank.

    Args:
        begins: matches the two length bytes and the first bytes of any message. reach: bytes that takes at most.
    """

    def __init__(self, begins: bytes, reach: int) -> None:
        self._begins = re.compile(b"(?=" + begins + b")", re.DOTALL)
        self._reach = reach
        self.json: bool | None = None

    def frames(self, buffer: bytes, *, final: bool) -> Iterator[Frame]:
        """Records in the buffer. See `RecordReader.frames`."""
        if self.json is None:
            first = buffer.lstrip()[:1]
            if not first:
                return iter(())
            self.json = first == b"{"
        return lines(buffer, final=final) if self.json else self._cut(buffer, final=final)

    def _cut(self, buffer: bytes, *, final: bool) -> Iterator[Frame]:
        at, size = 0, len(buffer)
        while at + 2 <= size:
            if buffer[at : at + 2] == b"\0\0":
                end = at + 2
            elif self._begin(buffer, at):
                end = at + 2 + int.from_bytes(buffer[at : at + 2])
            elif size - at < self._reach and not final:
                return
            else:
                found = self._next(buffer, at + 1)
                end = min(at + DAMAGE, size if found is None else found)
                if found is None and not final and size - at < DAMAGE + self._reach:
                    return
            if end > size:
                return
            yield Frame(at, end)
            at = end

    def _begin(self, buffer: bytes, at: int) -> bool:
        return self._begins.match(buffer, at) is not None and int.from_bytes(buffer[at : at + 2]) >= SHORTEST

    def _next(self, buffer: bytes, start: int) -> int | None:
        """Where the next message begins, if within reach of one record of damage."""
        end = min(start + DAMAGE, len(buffer)) + self._reach
        for found in self._begins.finditer(buffer, start, end):
            if self._begin(buffer, found.start()):
                return found.start()
        return None

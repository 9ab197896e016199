"""Where syslog messages begin and end on a connection: octet counting or line feeds (RFC 6587), told by its first byte.

How the bytes are cut never changes what is found. A message is given as one line: line feeds in it are written `\\n`.
"""

from typing import NamedTuple

_DIGITS = 10
"""Digits of a message's length at most."""
_ZERO = ord("0")


class Misframed(NamedTuple):
    """Bytes that are no message: the bytes kept of it, and why. After a `last` one nothing on the connection can be told."""

    data: bytes
    reason: str
    last: bool = False


Found = list[bytes | Misframed]


def line(message: bytes) -> bytes:
    """A message as one line, without its end; empty where it says nothing."""
    text = message.rstrip(b"\r\n\0")
    if b"\n" in text or b"\r" in text:
        text = text.replace(b"\r\n", b"\n").replace(b"\n", b"\\n").replace(b"\r", b"\\r")
    return text if text.strip() else b""


class Framer:
    """The messages of one connection.

    Args:
        largest: bytes of a message at most.
    """

    def __init__(self, largest: int) -> None:
        self._largest = largest
        self._buffer = b""
        self._counted: bool | None = None
        self._expected = -1
        self._over = 0
        self._dead = False

    @property
    def begun(self) -> bool:
        """Whether a message has begun and not ended."""
        return bool(self._buffer) or self._expected >= 0 or self._over > 0

    def feed(self, data: bytes) -> Found:
        """The messages that these bytes complete."""
        if self._dead or not data:
            return []
        if self._counted is None:
            self._counted = data[0] in b"123456789"
        return self._by_count(data) if self._counted else self._by_lines(data)

    def end(self) -> Found:
        """What is left when the connection ends: by lines the last message, by count bytes that were cut off."""
        if self._dead or not self.begun:
            return []
        self._dead = True
        if self._over:
            return [self._too_long()]
        if self._counted:
            length = f"{self._expected} ".encode() if self._expected >= 0 else b""
            return [Misframed(length + self._buffer, "cut off: the connection ended within a message")]
        text = line(self._buffer)
        return [text] if text else []

    def _too_long(self) -> Misframed:
        kept, self._buffer, self._over = self._buffer, b"", 0
        return Misframed(kept, f"longer than {self._largest} bytes")

    def _by_lines(self, data: bytes) -> Found:
        parts = data.split(b"\n")
        if len(parts) == 1:
            self._grow(data)
            return []
        found: Found = []
        self._grow(parts[0])
        if self._over:
            found.append(self._too_long())
        elif text := line(self._buffer):
            found.append(text)
        self._buffer = b""
        for part in parts[1:-1]:
            if len(part) > self._largest:
                found.append(Misframed(part[: self._largest], f"longer than {self._largest} bytes"))
            elif text := line(part):
                found.append(text)
        self._grow(parts[-1])
        return found

    def _grow(self, part: bytes) -> None:
        """Keep the beginning of a message; of one that is too long no more than may be."""
        room = self._largest - len(self._buffer)
        self._buffer += part[:room]
        self._over += max(0, len(part) - room)

    def _by_count(self, data: bytes) -> Found:
        found: Found = []
        if self._over:
            data = data[self._pass_over(data, found) :]
            if self._over:
                return found
        buffer, at = self._buffer + data if self._buffer else data, 0
        while at < len(buffer):
            if self._expected < 0 and (at := self._header(buffer, begin := at, found)) == begin:
                break
            if self._expected > self._largest:
                at = self._begin_over(buffer, at, found)
                if self._over:
                    return found
            elif len(buffer) - at < self._expected:
                break
            else:
                if text := line(buffer[at : at + self._expected]):
                    found.append(text)
                at, self._expected = at + self._expected, -1
        self._buffer = b"" if self._dead else buffer[at:]
        return found

    def _header(self, buffer: bytes, at: int, found: Found) -> int:
        """Read a message's length; where the message begins, or `at` again where the length is not there."""
        space = buffer.find(b" ", at, at + _DIGITS + 1)
        number = buffer[at:space] if space >= 0 else b""
        if number.isdigit() and number[0] != _ZERO:
            self._expected = int(number)
            return space + 1
        head = buffer[at : at + _DIGITS + 1]
        for n, byte in enumerate(head):
            if byte not in b"0123456789" or (n == 0 and byte == _ZERO) or n == _DIGITS:
                self._dead = True
                found.append(Misframed(head[: n + 1], "badly framed: no length where one must be", last=True))
                break
        return at

    def _begin_over(self, buffer: bytes, at: int, found: Found) -> int:
        """Keep the beginning of a message that is too long, and pass over the rest of it; where to go on."""
        rest = self._expected - (len(buffer) - at)
        self._buffer = buffer[at : at + min(self._largest, self._expected)]
        if rest > 0:
            self._over = rest
            return len(buffer)
        end = at + self._expected
        self._expected = -1
        found.append(self._too_long())
        return end

    def _pass_over(self, data: bytes, found: Found) -> int:
        """Bytes of a message that is too long; where the next one begins."""
        part = data[: self._over]
        self._buffer += part[: self._largest - len(self._buffer)]
        self._over -= len(part)
        if not self._over:
            self._expected = -1
            found.append(self._too_long())
        return len(part)

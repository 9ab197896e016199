"""XFS4IoT messages as JSON lines, as a tap or the application's log writes them; both dialects.

    {"time":"2026-03-01T02:11:07.120Z","terminal":"ATM-0001","direction":"in","message":{"header":{"type":"command",
     "name":"CashDispenser.Dispense","version":"2.0","requestId":123,"timeout":60000},"payload":{"denomination":{
     "denomination":{"app":{"currencies":{"USD":80},"values":{"C2":4}}}},"position":"outDefault"}}}
    {"time":"2026-03-01T02:11:10.300Z","terminal":"ATM-0001","direction":"out","message":{"header":{"type":"completion",
     "name":"CashDispenser.Dispense","requestId":123,"completionCode":"success"},"payload":{"currencies":{"USD":80}}}}

(One line each.) Source: formats.md §2; CEN Workshop Agreement XFS4IoT: Common, Auxiliaries, CashDispenser, CashManagement,
Storage, VendorMode. The dialect of 2021 keeps `completionCode` in the payload, later ones in the header. A message carries no
time: lines without the wrapper's `time` are refused. Fills cash (layer device; amounts from whole currency units; of a
token only a short hash and its value), units (basis logical), cabinet, operator, feeds (gaps of the wrapper's `sequence`).
"""

from hashlib import sha256
from typing import Any

import msgspec

from jackstop.formats._iso_stamp import parse
from jackstop.formats._localtime import Zone
from jackstop.formats._reading import MAX_RECORD, REMEMBERED, Decoded, Reader, Refusal, Tally, Unreadable
from jackstop.formats._x4_meaning import Meaning
from jackstop.formats._x4_rows import Rows
from jackstop.formats._x4_writing import encode
from jackstop.model.fleet import Reading

__all__ = ["CLOCK", "FILLS", "encode", "reader", "sniff"]

FILLS = ("cash", "units", "cabinet", "operator", "feeds")
CLOCK = "trace"

_NAMES = (b'"CashDispenser.', b'"CashManagement.', b'"Storage.', b'"Common.', b'"Auxiliaries.', b'"VendorMode.')
_OURS = ("CashDispenser.", "CashManagement.", "Storage.", "Common.", "Auxiliaries.", "VendorMode.")
_NO_TIME = 'no time, expected the wrapper {"time":…,"message":…} around each message'


class _Header(msgspec.Struct):
    type: str = ""
    name: str = ""
    requestId: int | None = None  # noqa: N815 - the standard's name
    completionCode: str | None = None  # noqa: N815


class _Message(msgspec.Struct):
    header: _Header | None = None
    payload: msgspec.Raw = msgspec.Raw(b"{}")


class _Line(msgspec.Struct):
    time: str | None = None
    terminal: str | None = None
    sequence: int | None = None
    message: _Message | None = None


_LINE = msgspec.json.Decoder(_Line)
_PAYLOAD = msgspec.json.Decoder(dict[str, Any] | None)


class _Reader:
    """Reads lines; what one says is in `Meaning`."""

    def __init__(self, reading: Reading) -> None:
        self.tally = Tally()
        self._zone = Zone(reading.timezone)
        self._rows = Rows(reading.name, reading.terminal, 1000)
        self._meanings: dict[str, Meaning] = {}
        self._terminal = reading.terminal
        self._rest = b""
        self._offset = 0
        self._giant: tuple[int, int] | None = None
        self._recent: dict[bytes, None] = {}
        self._second = ("", 0)
        self._time = 0
        self._sequence: int | None = None
        self._refusals: list[Refusal] = []

    def feed(self, chunk: bytes, *, final: bool = False) -> Decoded:
        """Rows of the lines that these bytes complete. See `Reader.feed`."""
        self._refusals = []
        buffer = self._rest + chunk if self._rest else chunk
        end = len(buffer) if final else buffer.rfind(b"\n") + 1
        offset = self._offset
        if end:
            for line in buffer[: end if final else end - 1].split(b"\n"):
                self._line(line, offset)
                offset += len(line) + 1
        elif final:
            self._line(b"", offset)
        self._rest = buffer[end:]
        self._offset += end
        if len(self._rest) > MAX_RECORD:
            at, length = self._giant or (self._offset, 0)
            self._giant = (at, length + len(self._rest))
            self._offset += len(self._rest)
            self._rest = b""
        return Decoded(self._rows.take(), self._refusals)

    def _line(self, line: bytes, offset: int) -> None:
        if self._giant is not None:
            at, length = self._giant
            self._giant = None
            self.tally.records += 1
            self._refuse(at, length + len(line), b"", f"longer than {MAX_RECORD} bytes, expected one message a line")
            return
        if not line or line.isspace():
            return
        self.tally.records += 1
        if len(line) > MAX_RECORD:
            self._refuse(offset, len(line), b"", f"longer than {MAX_RECORD} bytes, expected one message a line")
            return
        key = sha256(line).digest()
        if key in self._recent:
            self.tally.duplicates += 1
            return
        self._recent[key] = None
        if len(self._recent) > REMEMBERED:
            del self._recent[next(iter(self._recent))]
        try:
            understood = self._message(line, offset, key)
        except Unreadable as fault:
            self._refuse(offset, len(line), line, str(fault))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as fault:
            self._refuse(offset, len(line), line, f"{_plain(fault)}, expected a JSON message of XFS4IoT")
        else:
            self.tally.understood += understood
            self.tally.ignored += not understood

    def _message(self, line: bytes, offset: int, digest: bytes) -> bool:
        """Rows of one line; whether it was understood."""
        said = _LINE.decode(line)
        message = said.message
        if said.time is None or message is None or message.header is None:
            raise Unreadable(_NO_TIME if said.time is None else "no message with a header, expected one")
        header = message.header
        time = self._stamp(said.time)
        self._time = time
        self._rows.at((offset, len(line), digest), time, said.terminal, said.sequence)
        if said.sequence is not None:
            self._count(said.sequence)
        name = header.name
        if not name.startswith(_OURS) or header.type == "acknowledge":
            return False
        meaning = self._meaning(said.terminal)
        payload = _PAYLOAD.decode(message.payload) or {}
        if header.type == "command":
            return meaning.command(name, header.requestId, payload)
        if header.type == "completion":
            code = header.completionCode or payload.get("completionCode")
            return meaning.completion(name, header.requestId, code if isinstance(code, str) else None, payload)
        return meaning.event(name, header.requestId, payload)

    def _meaning(self, terminal: str | None) -> Meaning:
        """The state of the terminal the line names (one file may hold several machines' messages)."""
        key = self._terminal or terminal or ""
        found = self._meanings.get(key)
        if found is None:
            found = self._meanings[key] = Meaning(self._rows)
        return found

    def _stamp(self, text: str) -> int:
        """A stamp as µs UTC; the whole second is remembered, for lines come in bursts."""
        if len(text) == 24 and text[:19] == self._second[0] and text[23] == "Z":
            part = text[20:23]
            if part.isascii() and part.isdigit():
                return self._second[1] + int(part) * 1000
        stamp = parse(text)
        if stamp is None:
            raise Unreadable(f"time {text[:40]!r} is no ISO 8601 stamp, expected one such as 2026-03-01T02:11:07.120Z")
        time = stamp.stamp if stamp.absolute else self._zone.utc(stamp.stamp)
        if stamp.absolute and text.endswith("Z"):
            self._second = (text[:19], time - time % 1_000_000)
        return time

    def _count(self, number: int) -> None:
        before, self._sequence = self._sequence, number
        if before is None or number in {before, before + 1} or not abs(number) < 2**62:
            return
        if number > before:
            self._rows.add("feeds", "gap", number - before - 1, before, number, None)
        else:
            self._rows.add("feeds", "restarted", 1, before, number, None)

    def _refuse(self, offset: int, length: int, raw: bytes, reason: str) -> None:
        self.tally.refused += 1
        self.tally.reasons[reason] += 1
        self._refusals.append(Refusal(offset, length, reason))
        self._rows.at((offset, length, sha256(raw).digest()), self._time, None, None)
        self._rows.add("feeds", "refused", 1, None, None, reason)


def _plain(fault: Exception) -> str:
    """A decoder's complaint without the place in the line, so that equal faults count together."""
    return str(fault).split(" (byte")[0].split(" - at")[0][:80]


def sniff(head: bytes, name: str) -> int:
    """Whether the first lines are JSON with XFS4IoT message names."""
    lines = [line for line in head.split(b"\n")[:20] if line.strip()]
    named = sum(line.lstrip().startswith(b"{") and b'"header"' in line and any(n in line for n in _NAMES) for line in lines)
    return 0 if not lines or not named else 60 + 38 * named // len(lines)


def reader(reading: Reading) -> Reader:
    """A reader at the beginning of a source."""
    return _Reader(reading)

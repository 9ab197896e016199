"""ISO 8583 messages between acquirer, switch and issuer (`iso8583`), in frames or as JSON lines with hex.

    00 60 30 32 31 30 32 32 33 …                                  (2-byte big-endian length, then the message)
    {"time":"2026-03-01T02:11:07.120Z","hex":"303231303232333030303030…"}

Source: ISO 8583:1987; formats.md §3.3; decoded by pyiso8583 with its 1987 ASCII specification, or with the source's `spec`
(`_iso8583_spec`). Fills `host`, view `host`, `terminal` from field 41: 0100/0200 `request`, 0110/0210 `reply`, 0120/0220 `advice`
(with field 95 `partial`), 0400/0420 `reversal` (with an amount in field 95 `partial`), 0800 `network`; last digit odd: a repeat.
Only withdrawals (field 3 01xxxx, or as `spec` says) become rows, the rest and acknowledgements are ignored knowingly.
`time` is field 7 (UTC), else fields 12 and 13 (the source's zone). The year they lack is inferred (quality `date-inferred`) from
the line's `time`, else from the message before, else from `year` of the specification; a capture with none of them is refused.
Field 2 shows masked in `detail`; fields 35, 45, 52 and 55 never leave the decoder.
"""

from collections.abc import Iterator

import iso8583

from jackstop.formats._iso8583_framing import Framing, captured, line
from jackstop.formats._iso8583_meaning import meaning
from jackstop.formats._iso8583_spec import Spec, SpecFault, load
from jackstop.formats._iso8583_time import Calendar
from jackstop.formats._iso8583_writing import write
from jackstop.formats._reading import Frame, RecordReader, Unreadable
from jackstop.model.fleet import Reading
from jackstop.model.tables import Tables
from jackstop.model.vocabulary import QUALITY

FILLS = ("host",)
CLOCK = "host"
LINES = False
SEALED = True


def sniff(head: bytes, name: str) -> int:
    """How surely these are ISO 8583 messages: lines with `hex`, or frames that begin with a message type."""
    framing = Framing(*load(None).begins())
    found = [head[f.start : f.end] for f, _ in zip(framing.frames(head, final=False), range(3), strict=False)]
    if not found:
        return 0
    if not framing.json:
        return 85 if all(r[2:6].isdigit() and int.from_bytes(r[:2]) == len(r) - 2 for r in found) else 0
    try:
        return 90 if all(line(r).hex is not None for r in found) else 0
    except Unreadable:
        return 0


def reader(reading: Reading) -> "IsoReader":
    """A reader of one capture."""
    return IsoReader(reading)


def encode(tables: Tables, reading: Reading) -> bytes:
    """Rows of `host` with view `host` as JSON lines in time order; `status` and `command` rows are left out."""
    return write(tables.host, reading)


class IsoReader(RecordReader):
    """Reads one capture message by message."""

    def __init__(self, reading: Reading) -> None:
        super().__init__(reading)
        self._fault: str | None = None
        try:
            self._spec: Spec = load(reading.spec)
        except SpecFault as fault:
            self._fault, self._spec = str(fault), load(None)
        self._framing = Framing(*self._spec.begins())
        self._calendar = Calendar(reading.timezone, self._spec.year)

    def frames(self, buffer: bytes, *, final: bool) -> Iterator[Frame]:
        """Frames or lines. See `RecordReader.frames`."""
        return self._framing.frames(buffer, final=final)

    def decode(self, record: bytes) -> bool:
        """One message. See `RecordReader.decode`."""
        if self._fault is not None:
            raise Unreadable(self._fault)
        when, message = None, record[2:]
        if self._framing.json:
            outer = line(record)
            when, message = captured(outer.time), _unhex(outer.hex if outer.hex is not None else outer.message)
        if not message:
            return False
        doc = self._dissect(message)
        row = meaning(doc, self._spec, self.reading.currency)
        if row is None:
            return False
        instant = self._calendar.instant(doc, when)
        terminal = doc.get("41", "").strip(" \0") or None
        if terminal is None and self.reading.terminal is None:
            if row["activity"] == "network":
                return True
            raise Unreadable("field 41 (terminal) missing")
        self.note_time(instant.time)
        quality = instant.quality | (QUALITY["masked"][0] if str(row.get("detail")).startswith("pan=") else 0)
        self.rows.add(
            "host",
            instant.time,
            time_uncertainty=instant.uncertainty,
            quality=quality,
            terminal=terminal,
            naming="terminal_id",
            view="host",
            **row,
        )
        return True

    def _dissect(self, message: bytes) -> dict[str, str]:
        """The fields of a message; the library's faults hold card data, so only their words are kept."""
        try:
            return iso8583.decode(message, self._spec.fields)[0]
        except iso8583.DecodeError as fault:
            reason = f"field {fault.field}: {fault.msg}"
        except UnicodeError:
            reason = "text outside the declared encoding"
        raise Unreadable(reason)


def _unhex(text: str | None) -> bytes:
    """The message of a line, its 2-byte length taken off if it is there.

    Raises:
        Unreadable: no hexadecimal digits.
    """
    try:
        message = bytes.fromhex(text or "")
    except ValueError:
        raise Unreadable("hex is not hexadecimal digits") from None
    return message[2:] if int.from_bytes(message[:2]) == len(message) - 2 else message

"""Frames of SIA DC-09: their check, their fields, and the events in their two bodies (SIA DC-03 and Contact ID, SIA DC-05).

A frame's text is what its CRC is over: `"SIA-DCS"0001R1L0#1111[#1111|Nri1/BA15]_02:11:07,03-01-2026`. Every pattern is linear.

Source: formats.md §6; ANSI/SIA DC-09-2013 §5.4 to 5.6 as public implementations show it; CRC-16/ARC.
"""

import re
from datetime import datetime
from typing import NamedTuple

from jackstop.formats._localtime import naive

KINDS = ("SIA-DCS", "ADM-CID", "NULL")
LAST = 9999
"""The sequence number after which 1 comes again."""

_HEAD = re.compile(
    r'"(\*?)([A-Z0-9-]{1,20})"(\d{4})(?:R([0-9A-Fa-f]{1,6}))?(?:L([0-9A-Fa-f]{1,6}))?(?:#([0-9A-Za-z]{1,16}))?\[', re.ASCII
)
_ACCOUNT = re.compile(r"#([0-9A-Za-z]{1,16})", re.ASCII)
_EXTENDED = re.compile(r"\[([^\[\]]*)\]")
_STAMP = re.compile(r"(\d\d):(\d\d):(\d\d),(\d\d)-(\d\d)-(\d{4})", re.ASCII)
_SIA = re.compile(r"([a-z]{2})([0-9:.-]*)|([A-Z]{2})(\d{0,6})|(/)", re.ASCII)
_CID = re.compile(r"([136])(\d{3}) ?([0-9A-Fa-f]{1,2}) ?([0-9A-Fa-f]{1,3})(?![0-9A-Fa-f])", re.ASCII)
_TEXT = re.compile(r"[*^']([^*^']{1,256})")


class Broken(ValueError):
    """This is no frame; the message says why and what was expected."""


class Message(NamedTuple):
    """The fields of a frame.

    Attributes:
        kind: the id token. sealed: whether it was encrypted on the line. sequence: 0 to 9999.
        receiver, line, account: as sent, None where left out. content: between the first bracket and its end.
        extended: the further blocks, letter first. stamp: µs UTC it was sent, None where it does not say.
    """

    kind: str
    sealed: bool
    sequence: int
    receiver: str | None
    line: str | None
    account: str | None
    content: str
    extended: tuple[str, ...]
    stamp: int | None

    @property
    def who(self) -> str | None:
        """The account the events are of: the one in the content, else the frame's."""
        inner = _ACCOUNT.match(self.content)
        return inner.group(1) if inner else self.account

    @property
    def data(self) -> str:
        """The content without its account."""
        inner = _ACCOUNT.match(self.content)
        return self.content[inner.end() if inner else 0 :].removeprefix("|")

    @property
    def occurred(self) -> int | None:
        """µs UTC at which the event occurred (block H), where that is told."""
        return next((when for e in self.extended if e[:1] == "H" and (when := stamp(e[1:])) is not None), None)

    @property
    def text(self) -> str:
        """What the frame says in words: ASCII blocks of the data, alarm text (I) and location (L)."""
        _, *blocks = self.data.split("|")
        said = [b[1:] for b in blocks if b[:1] == "A"] + [e[1:] for e in self.extended if e[:1] in {"I", "L"}]
        said += [found.group(1) for found in _TEXT.finditer(self.data.split("|", 1)[0])]
        return " ".join(said)


class Event(NamedTuple):
    """One event of a body.

    Attributes:
        code: two letters (SIA), or three digits (Contact ID). qualifier: 1 new, 3 restored, 6 told again; 0 for SIA.
        area: partition, None where not told. zone: zone, door or user number, None where not told.
    """

    code: str
    qualifier: int
    area: int | None
    zone: int | None


def crc(data: bytes) -> int:
    """CRC-16/ARC: polynomial 8005 reflected, from zero."""
    value = 0
    for byte in data:
        value = (value >> 8) ^ _CRC[(value ^ byte) & 0xFF]
    return value


def _table() -> tuple[int, ...]:
    table = []
    for n in range(256):
        for _ in range(8):
            n = (n >> 1) ^ 0xA001 if n & 1 else n >> 1  # noqa: PLW2901 - the register
        table.append(n)
    return tuple(table)


_CRC = _table()


def framed(text: bytes) -> bytes:
    """A frame's text behind its CRC and its length, without LF and CR."""
    return b"%04X%04X%s" % (crc(text), len(text), text)


def parse(text: bytes) -> Message:
    """The fields of a frame's text; of an encrypted frame `content` is what is encrypted.

    Raises:
        Broken: it is not a frame's text.
    """
    said = text.decode("cp1252", "replace")
    head = _HEAD.match(said)
    if head is None:
        raise Broken('no header, expected "ID"NNNN[Rn]Ln#ACCOUNT[')
    star, kind, sequence, receiver, line, account = head.groups()
    sealed = star == "*"
    end = said.find("]", head.end())
    if end < 0:
        if not sealed:
            raise Broken("no end of the data, expected ]")
        return Message(kind, True, int(sequence), receiver, line, account, said[head.end() :], (), None)
    extended, at = [], end + 1
    while block := _EXTENDED.match(said, at):
        extended.append(block.group(1))
        at = block.end()
    when = stamp(said[at + 1 :]) if said[at : at + 1] == "_" else None
    if when is None and said[at:]:
        raise Broken("something else after the data, expected _HH:MM:SS,MM-DD-YYYY")
    return Message(kind, sealed, int(sequence), receiver, line, account, said[head.end() : end], tuple(extended), when)


def stamp(text: str) -> int | None:
    """µs UTC of `HH:MM:SS,MM-DD-YYYY`; None where it is none."""
    found = _STAMP.fullmatch(text)
    if found is None:
        return None
    hour, minute, second, month, day, year = (int(g) for g in found.groups())
    try:
        return naive(year, month, day, hour, minute, second)
    except ValueError:
        return None


def stamped(when: datetime) -> str:
    """A UTC instant as `HH:MM:SS,MM-DD-YYYY`."""
    return when.strftime("%H:%M:%S,%m-%d-%Y")


def events(message: Message) -> list[Event]:
    """The events of a message's body; none where it has none, as link tests do.

    Raises:
        Broken: the body is not what its kind says.
    """
    data = message.data.split("|", 1)[0]
    if not data or message.kind == "NULL":
        return []
    found = _contact(data) if message.kind == "ADM-CID" else _sia(data)
    if not found:
        expected = "QEEE PP ZZZ" if message.kind == "ADM-CID" else "N or O, then codes such as ri1/BA15"
        raise Broken(f"no event in the data, expected {expected}")
    return found


def _contact(data: str) -> list[Event]:
    found = _CID.match(data)
    if found is None:
        return []
    qualifier, code, area, zone = found.groups()
    return [Event(code, int(qualifier), _number(area), _number(zone))]


def _number(text: str) -> int:
    """A partition or zone: decimal, or what a panel puts there in hexadecimal."""
    return int(text) if text.isdigit() else int(text, 16)


def _sia(data: str) -> list[Event]:
    """Codes of SIA DC-03 in order, each with the area told before it: `Nri1/BA15/TA16`."""
    out: list[Event] = []
    if data[:1] not in {"N", "O"}:
        return out
    area, at = None, 1
    while (token := _SIA.match(data, at)) is not None:
        name, value, code, number, _ = token.groups()
        if name == "ri":
            area = int(value) if value.isdigit() and len(value) <= 6 else None
        elif code:
            out.append(Event(code, 0, area, int(number) if number else None))
        at = token.end()
    return out

"""Windows event logs as Windows keeps them: binary `.evtx` files.

    ElfFile\\0 … ElfChnk\\0 …     (a file header of 4 KiB, then chunks of 64 KiB with records in binary XML)

Source: formats.md §5.2; the layout is documented by libevtx; records are read by the library `evtx` (Rust). Fills windows,
operator, feeds as `winlogbeat` does, and `gap` where record ids are missing. Chunk by chunk: a damaged chunk is refused and
the next one read. A record's offset is its chunk's, and its digest that of the chunk's bytes and the record's id, since
records have no bytes of their own apart from their chunk's templates. Nothing writes this format.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from io import BytesIO
from typing import Any, cast

import msgspec
from evtx import PyEvtxParser

from jackstop.formats._reading import Frame, Reader, Unreadable
from jackstop.formats._windows_data import FIELDS, free, unnamed
from jackstop.formats._windows_events import Event
from jackstop.formats._windows_lines import WindowsReader, number, said
from jackstop.formats._windows_words import keywords, small
from jackstop.model.fleet import Reading
from jackstop.model.tables import Tables

FILLS = ("windows", "operator", "feeds")
CLOCK = "pc"
LINES = False

_FILE = b"ElfFile\x00"
_CHUNK = b"ElfChnk\x00"
_SIZE = 1 << 16
_HEAD = 1 << 12
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class _EvtxReader(WindowsReader):
    gaps = True

    def frames(self, buffer: bytes, *, final: bool) -> Iterator[Frame]:
        """Chunks of 64 KiB, found by their magic, wherever damage left them."""
        at = 0
        while (start := buffer.find(_CHUNK, at)) >= 0:
            if len(buffer) - start < _SIZE and not final:
                return
            end = min(start + _SIZE, len(buffer))
            yield Frame(start, end)
            at = end

    def decode(self, record: bytes) -> bool:
        """The events of one chunk; it is one record here. What of it cannot be read is refused, the rest is read."""
        if len(record) < _SIZE:
            raise Unreadable("chunk cut short, expected 65536 bytes")
        read = bad = 0
        why = ""
        for told in _told(record):
            try:
                event = _event(told)
                self.note_time(event.time)
                self.meanings.add(event)
                read += 1
            except Unreadable as fault:
                bad += 1
                why = str(fault)[:120]
                self.refuse_part(why)
        if bad and not read:
            raise Unreadable(why)
        return True


def _told(chunk: bytes) -> Iterator[str | Unreadable]:
    """What the parser says of each event of a chunk, as JSON, or why it cannot say it.

    Raises:
        Unreadable: it is no chunk.
    """
    try:
        entries = PyEvtxParser(BytesIO(_HEADER + chunk), number_of_threads=1).records_json()
    except (RuntimeError, OSError, ValueError) as fault:
        raise Unreadable(f"{str(fault)[:80]}, expected a chunk of Windows events") from None
    for _ in range(_SIZE):
        try:
            for entry in entries:
                yield cast(str, entry["data"])  # type: ignore[index]
            return
        except (RuntimeError, OSError, ValueError, TypeError) as fault:
            yield Unreadable(f"{str(fault)[:80]}, expected a Windows event")


def _header() -> bytes:
    """A file header for one chunk, so that the parser takes the chunk by itself."""
    head = bytearray(_HEAD)
    head[0:8] = _FILE
    head[32:36] = (128).to_bytes(4, "little")
    head[36:38] = (1).to_bytes(2, "little")
    head[38:40] = (3).to_bytes(2, "little")
    head[40:42] = _HEAD.to_bytes(2, "little")
    head[42:44] = (1).to_bytes(2, "little")
    return bytes(head)


_HEADER = _header()


class _Attributes(msgspec.Struct, gc=False, frozen=True):
    name: str | None = msgspec.field(name="Name", default=None)
    time: datetime | None = msgspec.field(name="SystemTime", default=None)
    user: str | None = msgspec.field(name="UserID", default=None)
    process: Any = msgspec.field(name="ProcessID", default=None)


class _Element(msgspec.Struct, gc=False):
    attributes: _Attributes = msgspec.field(name="#attributes", default=_Attributes())


class _System(msgspec.Struct, gc=False, rename="pascal"):
    time: _Element = msgspec.field(name="TimeCreated")
    event_id: Any = msgspec.field(name="EventID")
    provider: _Element | None = None
    record_id: int | str | None = msgspec.field(name="EventRecordID", default=None)
    level: Any = None
    keywords: str | None = None
    channel: str | None = None
    computer: str | None = None
    execution: _Element | None = None
    security: _Element | None = None


class _Event(msgspec.Struct, gc=False):
    system: _System = msgspec.field(name="System")
    data: Any = msgspec.field(name="EventData", default=None)
    user: Any = msgspec.field(name="UserData", default=None)


class _Told(msgspec.Struct, gc=False):
    event: _Event = msgspec.field(name="Event")


_DECODER = msgspec.json.Decoder(_Told)


def _event(told: str | Unreadable) -> Event:
    """The parser's JSON as an event.

    Raises:
        Unreadable: it is none, or has no time or no number.
    """
    if isinstance(told, Unreadable):
        raise told
    event = said(_DECODER, told, "a Windows event").event
    system = event.system
    stamp = system.time.attributes.time
    if stamp is None or not 1900 <= stamp.year < 2200:
        raise Unreadable("no SystemTime, expected ISO 8601")
    since = stamp - _EPOCH
    code = system.event_id
    return Event(
        (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds,
        system.channel,
        system.provider.attributes.name if system.provider else None,
        code if code.__class__ is int else number(code.get("#text") if isinstance(code, dict) else code, "EventID"),
        system.computer,
        number(system.record_id, "EventRecordID") if system.record_id is not None else None,
        system.security.attributes.user if system.security else None,
        _data(event),
        small(system.level),
        keywords(system.keywords),
        small(system.execution.attributes.process) if system.execution else None,
    )


def _data(event: _Event) -> dict[str, Any]:
    """EventData or UserData as one flat object."""
    held = event.data
    if held.__class__ is dict and "Data" not in held and "#attributes" not in held and dict not in map(type, held.values()):
        return cast(dict[str, Any], held)
    flat: dict[str, Any] = {}
    if isinstance(held, dict):
        for key, value in held.items():
            if key == "Data":
                flat |= unnamed(value.get("#text") if isinstance(value, dict) else value)
            elif isinstance(value, dict):
                _element(flat, key, value)
            elif key[:1] != "#":
                flat[key] = value
    if isinstance(event.user, dict):
        _leaves(flat, event.user)
    return flat


def _element(flat: dict[str, Any], key: str, value: dict[str, Any]) -> None:
    """An element with attributes; its `Name` names it."""
    if key[:1] == "#":
        return
    named = (value.get("#attributes") or {}).get("Name")
    flat[named if isinstance(named, str) else key] = value.get("#text")


def _leaves(flat: dict[str, Any], held: dict[str, Any]) -> None:
    """Every element that holds no other, by its own name, however deep (at most as deep as the parser goes)."""
    waiting = [held]
    while waiting:
        deeper = []
        for part in waiting:
            for key, value in part.items():
                if key[:1] == "#":
                    continue
                if isinstance(value, dict) and not value.keys() <= {"#text", "#attributes"}:
                    deeper.append(value)
                elif len(flat) < FIELDS:
                    flat[free(flat, key)] = value.get("#text") if isinstance(value, dict) else value
        waiting = deeper


def sniff(head: bytes, name: str) -> int:
    """Whether the file begins as Windows event logs do."""
    return 99 if head.startswith((_FILE, _CHUNK)) else 0


def reader(reading: Reading) -> Reader:
    """A reader at the beginning of a source."""
    return _EvtxReader(reading)


def encode(tables: Tables, reading: Reading) -> bytes:
    """Nothing: only Windows writes this format."""
    return b""

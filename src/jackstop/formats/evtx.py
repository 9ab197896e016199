"""Windows event logs as Windows keeps them: binary `.evtx` files.

    ElfFile\\0 … ElfChnk\\0 …     (a file header of 4 KiB, then chunks of 64 KiB with records in binary XML)

Source: formats.md §5.2; the layout is documented by libevtx; records are read by the library `evtx` (Rust). Fills windows,
operator, feeds as `winlogbeat` does, and `gap` where record ids are missing. Chunk by chunk: a damaged chunk is refused and
the next one read. A record's offset is its chunk's, and its digest that of the chunk's bytes and the record's id, since
records have no bytes of their own apart from their chunk's templates. Nothing writes this format.
"""

from collections.abc import Iterator
from io import BytesIO
from typing import Any

import msgspec
from evtx import PyEvtxParser

from jackstop.formats._reading import Frame, Reader, Unreadable
from jackstop.formats._windows_data import FIELDS, free, unnamed
from jackstop.formats._windows_events import Event
from jackstop.formats._windows_lines import WindowsReader, instant, number, said
from jackstop.formats._windows_words import keywords, small
from jackstop.model.fleet import Reading
from jackstop.model.tables import Tables

FILLS = ("windows", "operator", "feeds")
CLOCK = "pc"

_FILE = b"ElfFile\x00"
_CHUNK = b"ElfChnk\x00"
_SIZE = 1 << 16
_HEAD = 1 << 12


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
        why = "no event of the chunk can be read, expected Windows events"
        for told in _told(record):
            try:
                if isinstance(told, Unreadable):
                    raise told
                event = _event(said(_DECODER, told, "a Windows event").event)
                self.note_time(event.time)
                self.meanings.add(event)
                read += 1
            except Unreadable as fault:
                bad += 1
                why = str(fault)
                self.refuse_part(why[:120])
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
            entry = next(entries)
            yield entry["data"] if entry is not None else Unreadable("not readable, expected a Windows event")
        except StopIteration:
            return
        except (RuntimeError, OSError, ValueError) as fault:
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


class _Attributes(msgspec.Struct, gc=False):
    name: str | None = msgspec.field(name="Name", default=None)
    time: str | None = msgspec.field(name="SystemTime", default=None)
    user: str | None = msgspec.field(name="UserID", default=None)
    process: Any = msgspec.field(name="ProcessID", default=None)


class _Element(msgspec.Struct, gc=False):
    attributes: _Attributes | None = msgspec.field(name="#attributes", default=None)


_NONE = _Attributes()


class _System(msgspec.Struct, gc=False, rename="pascal"):
    provider: _Element | None = None
    event_id: Any = msgspec.field(name="EventID", default=None)
    record_id: int | str | None = msgspec.field(name="EventRecordID", default=None)
    level: Any = None
    keywords: Any = None
    channel: str | None = None
    computer: str | None = None
    time_created: _Element | None = None
    execution: _Element | None = None
    security: _Element | None = None


class _Event(msgspec.Struct, gc=False):
    system: _System = msgspec.field(name="System")
    data: Any = msgspec.field(name="EventData", default=None)
    user: Any = msgspec.field(name="UserData", default=None)


class _Told(msgspec.Struct, gc=False):
    event: _Event = msgspec.field(name="Event")


_DECODER = msgspec.json.Decoder(_Told)


def _attributes(element: _Element | None) -> _Attributes:
    return (element.attributes if element else None) or _NONE


def _event(told: _Event) -> Event:
    """The parser's JSON as an event.

    Raises:
        Unreadable: it has no time or no number.
    """
    system = told.system
    code = system.event_id
    record = system.record_id
    return Event(
        instant(_attributes(system.time_created).time),
        system.channel,
        _attributes(system.provider).name,
        number(code.get("#text") if isinstance(code, dict) else code, "EventID"),
        system.computer,
        number(record, "EventRecordID") if record is not None else None,
        _attributes(system.security).user,
        _data(told),
        small(system.level),
        keywords(system.keywords),
        small(_attributes(system.execution).process),
    )


def _data(event: _Event) -> dict[str, Any]:
    """EventData or UserData as one flat object."""
    flat: dict[str, Any] = {}
    held = event.data
    if isinstance(held, dict):
        for key, value in held.items():
            if key == "Data":
                flat |= unnamed(value.get("#text") if isinstance(value, dict) else value)
            elif isinstance(value, dict):
                _element(flat, key, value)
            elif key[:1] != "#":
                flat[key] = value
    held = event.user
    if isinstance(held, dict):
        _leaves(flat, held)
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

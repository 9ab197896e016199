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

import orjson
from evtx import PyEvtxParser

from jackstop.formats._reading import Frame, Reader, RecordReader, Unreadable
from jackstop.formats._windows_data import FIELDS, free, unnamed
from jackstop.formats._windows_events import Meanings, from_fields
from jackstop.model.fleet import Reading
from jackstop.model.tables import Tables

FILLS = ("windows", "operator", "feeds")
CLOCK = "pc"

_FILE = b"ElfFile\x00"
_CHUNK = b"ElfChnk\x00"
_SIZE = 1 << 16
_HEAD = 1 << 12


class _EvtxReader(RecordReader):
    def __init__(self, reading: Reading) -> None:
        super().__init__(reading)
        self._meanings = Meanings(self.rows, gaps=True)

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
        """The events of one chunk; it is one record here, and is read whole or refused."""
        if len(record) < _SIZE:
            raise Unreadable("chunk cut short, expected 65536 bytes")
        try:
            listed = list(PyEvtxParser(BytesIO(_header() + record), number_of_threads=1).records_json())
        except (RuntimeError, OSError, ValueError) as fault:
            raise Unreadable(f"{str(fault)[:80]}, expected a chunk of Windows events") from None
        bad = 0
        for entry in listed:
            if not isinstance(entry, dict):
                bad += 1
                continue
            bad += not self._event(entry)
        if bad and bad == len(listed):
            raise Unreadable("no event of the chunk can be read, expected Windows events")
        return True

    def _event(self, entry: dict[str, Any]) -> bool:
        """One event of a chunk; whether it could be read."""
        try:
            event = from_fields(_fields(orjson.loads(entry["data"])))
            self.note_time(event.time)
            self._meanings.add(event)
        except (Unreadable, orjson.JSONDecodeError, KeyError) as fault:
            self.refuse_part(str(fault)[:120])
            return False
        return True


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


def _fields(raw: dict[str, Any]) -> dict[str, Any]:
    """The parser's JSON as the fields other carriers give."""
    event = raw.get("Event") or {}
    system = event.get("System") or {}
    code = system.get("EventID")
    provider = (system.get("Provider") or {}).get("#attributes") or {}
    return {
        "EventID": code.get("#text") if isinstance(code, dict) else code,
        "EventRecordID": system.get("EventRecordID"),
        "Channel": system.get("Channel"),
        "Computer": system.get("Computer"),
        "provider": provider.get("Name"),
        "time": ((system.get("TimeCreated") or {}).get("#attributes") or {}).get("SystemTime"),
        "user": ((system.get("Security") or {}).get("#attributes") or {}).get("UserID"),
        "data": _data(event),
    }


def _data(event: dict[str, Any]) -> dict[str, Any]:
    """EventData or UserData as one flat object."""
    flat: dict[str, Any] = {}
    held = event.get("EventData")
    if isinstance(held, dict):
        for key, value in held.items():
            if key == "Data":
                flat |= unnamed(value.get("#text") if isinstance(value, dict) else value)
            elif isinstance(value, dict):
                _element(flat, key, value)
            elif key[:1] != "#":
                flat[key] = value
    held = event.get("UserData")
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

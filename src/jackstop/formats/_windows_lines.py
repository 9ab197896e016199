"""What shippers of Windows events have in common: one JSON object a line, and how rows are written back in time order."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, NamedTuple, TypeVar

import msgspec
import orjson
import polars as pl

from jackstop.formats._iso_stamp import parse
from jackstop.formats._localtime import Zone
from jackstop.formats._reading import Decoded, Frame, RecordReader, Unreadable, lines
from jackstop.formats._windows_events import Meanings
from jackstop.formats._windows_masking import masked
from jackstop.model.fleet import Reading
from jackstop.model.tables import Tables

_Said = TypeVar("_Said")


class WindowsReader(RecordReader):
    """A reader of Windows events: their rows leave it with card data masked.

    Attributes:
        gaps: whether the source has every event of its logs, so that a missing record id is a gap.
    """

    gaps = False

    def __init__(self, reading: Reading) -> None:
        super().__init__(reading)
        self.meanings = Meanings(self.rows, gaps=self.gaps)

    def feed(self, chunk: bytes, *, final: bool = False) -> Decoded:
        """Rows of the records that these bytes complete. See `Reader.feed`."""
        tables, refusals = super().feed(chunk, final=final)
        if tables.windows.height:
            tables = replace(tables, windows=masked(tables.windows))
        return Decoded(tables, refusals)


class JsonEvents(WindowsReader):
    """A reader of one event a line; shippers leave events out, so missing record ids are no gap here."""

    def __init__(self, reading: Reading) -> None:
        super().__init__(reading)
        self._zone = Zone(reading.timezone)

    def frames(self, buffer: bytes, *, final: bool) -> Iterator[Frame]:
        return lines(buffer, final=final)

    def time(self, text: object, name: str) -> int:
        """µs UTC of a stamp; one without an offset is a wall clock of the source's time zone.

        Raises:
            Unreadable: it is not ISO 8601; `name` says which field.
        """
        stamp = parse(text) if isinstance(text, str) else None
        if stamp is None:
            raise Unreadable(f"{name} {str(text)[:40]!r}, expected ISO 8601")
        return stamp.stamp if stamp.absolute else self._zone.utc(stamp.stamp)


def said(decoder: msgspec.json.Decoder[_Said], record: bytes | str, shipper: str) -> _Said:
    """A line as the decoder's type.

    Raises:
        Unreadable: it is not.
    """
    try:
        return decoder.decode(record)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as fault:
        why = str(fault).split(" (byte")[0].split(" - at")[0][:80]
        raise Unreadable(f"{why}, expected a JSON object of {shipper}") from None


def instant(text: str | None) -> int:
    """µs UTC of System/TimeCreated.

    Raises:
        Unreadable: it is none.
    """
    stamp = parse((text or "")[:40].replace(" UTC", "Z"))
    if stamp is None:
        raise Unreadable("no SystemTime, expected ISO 8601")
    return stamp.stamp


def number(value: object, name: str) -> int:
    """A number, though it be written as text.

    Raises:
        Unreadable: it is not one.
    """
    if type(value) is int and 0 <= value < 10**18:
        return value
    text = str(value).strip()
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise Unreadable(f"{name} {text[:40]!r}, expected a number")
    return int(text)


class Written(NamedTuple):
    """One row of `windows` to be written; `time` µs UTC."""

    time: int
    computer: str | None
    channel: str | None
    provider: str | None
    code: int
    record_id: int | None
    user: str | None
    level: int | None
    keywords: str | None
    process: int | None
    data: dict[str, Any]


def written(tables: Tables) -> Iterator[Written]:
    """The rows of `windows` in time order."""
    frame = tables.windows.sort("time", maintain_order=True).with_columns(pl.col("time").to_physical())
    columns: tuple[str, ...] = ("time", "terminal", "computer", "channel", "provider", "code", "record_id", "user")
    columns += ("level", "keywords", "process", "data")
    for time, terminal, computer, *row in frame.select(columns).iter_rows():
        channel, provider, code, record, user, level, keywords, process, data = row
        told = orjson.loads(data or "{}")
        yield Written(time, computer or terminal, channel, provider, code, record, user, level, keywords, process, told)


def joined(records: list[bytes]) -> bytes:
    """Records as lines."""
    return b"\n".join(records) + b"\n" if records else b""

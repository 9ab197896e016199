"""Windows events as Winlogbeat (Elastic) ships them: one JSON object a line.

    {"@timestamp":"2026-03-01T02:11:07.120Z","event":{"code":"6005"},"winlog":{"channel":"System","provider_name":"EventLog",
     "event_id":"6005","record_id":4711,"computer_name":"ATM0001","event_data":{}}}

(One line each.) Source: formats.md §5.2; Elastic's field reference of Winlogbeat. Fills windows (naming `hostname`), operator
(`power-up` once a boot), feeds (`clock-step` of 4616 and Kernel-General 1, `log-cleared` of 1102 and 104, `restarted` where
record ids begin anew). Shippers leave events out, so missing record ids are no gap here.
"""

from collections.abc import Iterator
from typing import Any

import msgspec
import orjson
import polars as pl

from jackstop.formats._iso_stamp import parse, write
from jackstop.formats._localtime import Zone
from jackstop.formats._reading import Frame, Reader, RecordReader, Unreadable, lines
from jackstop.formats._windows_events import Event, Meanings
from jackstop.model.fleet import Reading
from jackstop.model.tables import Tables

FILLS = ("windows", "operator", "feeds")
CLOCK = "pc"


class _Winlog(msgspec.Struct):
    channel: str | None = None
    provider_name: str | None = None
    event_id: int | str | None = None
    record_id: int | str | None = None
    computer_name: str | None = None
    event_data: dict[str, Any] | None = None
    user_data: dict[str, Any] | None = None
    user: dict[str, Any] | None = None


class _Event(msgspec.Struct):
    code: int | str | None = None


class _Line(msgspec.Struct):
    stamp: str | None = msgspec.field(name="@timestamp", default=None)
    winlog: _Winlog | None = None
    event: _Event | None = None


_DECODER = msgspec.json.Decoder(_Line)


class _WinlogbeatReader(RecordReader):
    def __init__(self, reading: Reading) -> None:
        super().__init__(reading)
        self._zone = Zone(reading.timezone)
        self._meanings = Meanings(self.rows, gaps=False)

    def frames(self, buffer: bytes, *, final: bool) -> Iterator[Frame]:
        return lines(buffer, final=final)

    def decode(self, record: bytes) -> bool:
        try:
            line = _DECODER.decode(record)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as fault:
            raise Unreadable(
                f"{str(fault).split(' (byte')[0].split(' - at')[0][:80]}, expected a JSON object of Winlogbeat"
            ) from None
        if line.winlog is None:
            return False
        said = line.winlog
        code = said.event_id if said.event_id is not None else (line.event.code if line.event else None)
        time = self._time(line.stamp)
        self.note_time(time)
        user = said.user.get("identifier") if said.user else None
        data = said.event_data or said.user_data or {}
        event = Event(
            time,
            said.channel,
            said.provider_name,
            _number(code, "event_id"),
            said.computer_name,
            _number(said.record_id, "record_id") if said.record_id is not None else None,
            user if isinstance(user, str) else None,
            data,
        )
        self._meanings.add(event)
        return True

    def _time(self, text: str | None) -> int:
        stamp = parse(text or "")
        if stamp is None:
            raise Unreadable(f"@timestamp {str(text)[:40]!r}, expected ISO 8601")
        return stamp.stamp if stamp.absolute else self._zone.utc(stamp.stamp)


def _number(value: int | str | None, name: str) -> int:
    text = str(value).strip()
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise Unreadable(f"{name} {text[:40]!r}, expected a number")
    return int(text)


def sniff(head: bytes, name: str) -> int:
    """Whether the first line is an object with `winlog`."""
    first = head.lstrip()[:65536].split(b"\n", 1)[0]
    return 96 if first.startswith(b"{") and b'"winlog"' in first else 0


def reader(reading: Reading) -> Reader:
    """A reader at the beginning of a source."""
    return _WinlogbeatReader(reading)


def encode(tables: Tables, reading: Reading) -> bytes:
    """Rows of `windows` as lines, in time order."""
    out = []
    frame = tables.windows.sort("time", maintain_order=True).with_columns(pl.col("time").to_physical())
    columns = ("time", "terminal", "channel", "provider", "code", "computer", "record_id", "user", "data")
    for time, terminal, channel, provider, code, computer, record, user, data in frame.select(columns).iter_rows():
        winlog = {
            "channel": channel,
            "provider_name": provider,
            "event_id": str(code),
            "record_id": record,
            "computer_name": computer or terminal,
            "event_data": orjson.loads(data or "{}"),
        }
        if user:
            winlog["user"] = {"identifier": user}
        out.append(orjson.dumps({"@timestamp": write(time), "event": {"code": str(code), "kind": "event"}, "winlog": winlog}))
    return b"\n".join(out) + b"\n" if out else b""

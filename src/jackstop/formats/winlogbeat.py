"""Windows events as Winlogbeat (Elastic) ships them: one JSON object a line.

    {"@timestamp":"2026-03-01T02:11:07.120Z","event":{"code":"6005"},"winlog":{"channel":"System","provider_name":"EventLog",
     "event_id":"6005","record_id":4711,"computer_name":"ATM0001","event_data":{}}}

(One line each.) Source: formats.md §5.2; Elastic's field reference of Winlogbeat. Fills windows (naming `hostname`), operator
(`power-up` once a boot), feeds (`clock-step` of 4616 and Kernel-General 1, `log-cleared` of 1102 and 104, `restarted` where
record ids begin anew). Shippers leave events out, so missing record ids are no gap here.
"""

from typing import Any

import msgspec
import orjson

from jackstop.formats._iso_stamp import write
from jackstop.formats._reading import Reader
from jackstop.formats._windows_events import Event
from jackstop.formats._windows_lines import JsonEvents, Written, joined, number, said, written
from jackstop.formats._windows_words import AUDITS, WORDS, audit, level, small
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
    keywords: Any = None
    process: Any = None


class _Log(msgspec.Struct):
    level: str | None = None


class _Event(msgspec.Struct):
    code: int | str | None = None


class _Line(msgspec.Struct):
    stamp: str | None = msgspec.field(name="@timestamp", default=None)
    winlog: _Winlog | None = None
    event: _Event | None = None
    log: _Log | None = None


_DECODER = msgspec.json.Decoder(_Line)


class _WinlogbeatReader(JsonEvents):
    def decode(self, record: bytes) -> bool:
        line = said(_DECODER, record, "Winlogbeat")
        told = line.winlog
        if told is None:
            return False
        code = told.event_id if told.event_id is not None else (line.event.code if line.event else None)
        time = self.time(line.stamp, "@timestamp")
        self.note_time(time)
        user = told.user.get("identifier") if told.user else None
        audited = next((AUDITS[k] for k in told.keywords if k in AUDITS), None) if isinstance(told.keywords, list) else None
        event = Event(
            time,
            told.channel,
            told.provider_name,
            number(code, "event_id"),
            told.computer_name,
            number(told.record_id, "record_id") if told.record_id is not None else None,
            user if isinstance(user, str) else None,
            told.event_data or told.user_data or {},
            0 if audited else level(line.log.level) if line.log else None,
            audited,
            small(told.process.get("pid")) if isinstance(told.process, dict) else None,
        )
        self.meanings.add(event)
        return True


def sniff(head: bytes, name: str) -> int:
    """Whether the first line is an object with `winlog`."""
    first = head.lstrip()[:65536].split(b"\n", 1)[0]
    return 96 if first.startswith(b"{") and b'"winlog"' in first else 0


def reader(reading: Reading) -> Reader:
    """A reader at the beginning of a source."""
    return _WinlogbeatReader(reading)


def encode(tables: Tables, reading: Reading) -> bytes:
    """Rows of `windows` as lines, in time order."""
    return joined([_line(row) for row in written(tables)])


def _line(row: Written) -> bytes:
    winlog: dict[str, Any] = {
        "channel": row.channel,
        "provider_name": row.provider,
        "event_id": str(row.code),
        "record_id": row.record_id,
        "computer_name": row.computer,
        "event_data": row.data,
    }
    if row.user:
        winlog["user"] = {"identifier": row.user}
    if row.process is not None:
        winlog["process"] = {"pid": row.process}
    if word := audit(row.keywords):
        winlog["keywords"] = [word]
    line = {"@timestamp": write(row.time), "event": {"code": str(row.code), "kind": "event"}, "winlog": winlog}
    if row.level in WORDS:
        line["log"] = {"level": WORDS[row.level]}
    return orjson.dumps(line)

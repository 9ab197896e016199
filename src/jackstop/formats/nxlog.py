"""Windows events as NXLog ships them (im_msvistalog, to_json): one JSON object a line, alone or behind a syslog header.

    {"EventTime":"2026-03-01T02:11:07.120000+00:00","Hostname":"ATM0001","Keywords":"9259400833873739776","EventType":"INFO",
     "SeverityValue":2,"Severity":"INFO","EventID":7045,"SourceName":"Service Control Manager","RecordNumber":4711,
     "Channel":"System","ServiceName":"x","ImagePath":"C:\\Temp\\x.exe","SourceModuleType":"im_msvistalog"}

(One line each.) Source: formats.md §5.2; NXLog's reference manual, im_msvistalog, fields. Fills windows (naming `hostname`),
operator and feeds as `winlogbeat` does. NXLog puts the event's System fields and its data side by side under one roof; here
they are parted again. Where both have a name, NXLog keeps one of them: `AccountName` of Service Control Manager,
`Channel` of a cleared log and an `EventType` that is no severity are the event's data. A time without an offset is a wall clock
of the source's time zone. Lines of NXLog itself and of other inputs are ignored. Snare's text lines carry no names and are
not read.
"""

from typing import Any

import msgspec
import orjson

from jackstop.formats._iso_stamp import write
from jackstop.formats._reading import Reader, Unreadable
from jackstop.formats._windows_data import unnamed
from jackstop.formats._windows_events import Event
from jackstop.formats._windows_lines import JsonEvents, Written, joined, number, said, written
from jackstop.formats._windows_words import audit, keywords, level, small
from jackstop.model.fleet import Reading
from jackstop.model.tables import Tables

FILLS = ("windows", "operator", "feeds")
CLOCK = "pc"

_SYSTEM = frozenset(
    "EventTime Hostname Keywords SeverityValue Severity EventID SourceName ProviderGuid Version TaskValue OpcodeValue Opcode "
    "RecordNumber ExecutionProcessID ExecutionThreadID Channel Message Category ActivityID RelatedActivityID EventReceivedTime "
    "SourceModuleName SourceModuleType Level LevelValue Qualifiers EventXML AccountType".split()
)
_OLD = {"Task": "TaskValue", "ProcessID": "ExecutionProcessID", "ThreadID": "ExecutionThreadID"}
"""System fields of NXLog 4 and what they are called since; where the new name stands, the old one is the event's data."""
_PERSON = frozenset({"Domain", "AccountName", "UserID"})
_TYPES = frozenset({"INFO", "WARNING", "ERROR", "CRITICAL", "VERBOSE", "DEBUG", "AUDIT_SUCCESS", "AUDIT_FAILURE"})
_SERVICES = "Service Control Manager"
_LOGS = "Microsoft-Windows-Eventlog"
_DECODER = msgspec.json.Decoder(dict[str, Any])


class _NxlogReader(JsonEvents):
    def decode(self, record: bytes) -> bool:
        line = said(_DECODER, _object(record), "NXLog")
        if "EventID" not in line or not ("Channel" in line or "SourceName" in line):
            return False
        time = self.time(line.get("EventTime"), "EventTime")
        self.note_time(time)
        provider, channel, code = _text(line.get("SourceName")), _text(line.get("Channel")), number(line["EventID"], "EventID")
        data = _data(line, provider)
        if provider == _LOGS and code == 104:
            data["Channel"], channel = channel, "System"
        record_id = line.get("RecordNumber")
        event = Event(
            time,
            channel,
            provider,
            code,
            _text(line.get("Hostname")),
            number(record_id, "RecordNumber") if record_id is not None else None,
            _text(line.get("UserID")) if "AccountType" in line else None,
            data,
            level(kind) if (kind := line.get("EventType")) in _TYPES else None,
            keywords(line.get("Keywords")),
            small(line.get("ExecutionProcessID", line.get("ProcessID"))),
        )
        self.meanings.add(event)
        return True


def _object(record: bytes) -> bytes:
    """The JSON object of a line, behind a syslog header or not."""
    start = record.find(b"{")
    if start < 0:
        raise Unreadable("no JSON object, expected one of NXLog")
    return record[start:] if start else record


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _data(line: dict[str, Any], provider: str | None) -> dict[str, Any]:
    """What of the line is the event's data."""
    out = set(_SYSTEM)
    out |= {old for old, new in _OLD.items() if new not in line}
    if "AccountType" in line:
        out |= _PERSON - {"AccountName"} if provider == _SERVICES else _PERSON
    if line.get("EventType") in _TYPES:
        out.add("EventType")
    data = {k: v for k, v in line.items() if k not in out}
    if "Data" in data and "param1" not in data:
        data |= unnamed([data.pop(k) for k in list(data) if k == "Data" or (k.startswith("Data_") and k[5:].isdigit())])
    return data


def sniff(head: bytes, name: str) -> int:
    """Whether the first line is an object with NXLog's own fields."""
    first = head.lstrip()[:65536].split(b"\n", 1)[0]
    start = first.find(b"{")
    if start < 0 or (start and not first.startswith(b"<")):
        return 0
    if b'"im_msvistalog"' in first:
        return 98
    return 90 if b'"EventID"' in first and b'"EventTime"' in first and b'"SourceModuleName"' in first else 0


def reader(reading: Reading) -> Reader:
    """A reader at the beginning of a source."""
    return _NxlogReader(reading)


def encode(tables: Tables, reading: Reading) -> bytes:
    """Rows of `windows` as lines, in time order; data with the name of a System field has no room there and is left out."""
    return joined([_line(row) for row in written(tables)])


def _type(row: Written) -> str | None:
    if row.level == 0 and (word := audit(row.keywords)):
        return word.upper().replace(" ", "_")
    return None if row.level is None else {1: "CRITICAL", 2: "ERROR", 3: "WARNING", 5: "VERBOSE"}.get(row.level, "INFO")


def _line(row: Written) -> bytes:
    cleared = row.provider == _LOGS and row.code == 104
    line: dict[str, Any] = {
        "EventTime": write(row.time, 6).replace("Z", "+00:00"),
        "Hostname": row.computer,
        "Keywords": None if row.keywords is None else str(int(row.keywords, 16)),
        "EventType": _type(row),
        "EventID": row.code,
        "SourceName": row.provider,
        "RecordNumber": row.record_id,
        "ExecutionProcessID": row.process,
        "ExecutionThreadID": 0,
        "TaskValue": 0,
        "Channel": row.data.get("Channel", row.channel) if cleared else row.channel,
    }
    taken = _SYSTEM
    if row.user:
        line |= {"UserID": row.user, "AccountType": "User"}
        taken |= _PERSON - {"AccountName"} if row.provider == _SERVICES else _PERSON
    told = {k: v for k, v in row.data.items() if k not in line and k not in taken}
    told |= {"EventType": row.data["EventType"]} if "EventType" in row.data else {}
    own = {"EventReceivedTime": line["EventTime"], "SourceModuleName": "eventlog", "SourceModuleType": "im_msvistalog"}
    return orjson.dumps({k: v for k, v in (line | told | own).items() if v is not None})

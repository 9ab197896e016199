"""Windows events as Wazuh keeps them (archives.json, alerts.json): one JSON object a line.

    {"timestamp":"2026-03-01T02:11:08.004+0000","agent":{"id":"001","name":"ATM0001"},"data":{"win":{"system":{"providerName":
     "Service Control Manager","eventID":"7045","systemTime":"2026-03-01T02:11:07.120000000Z","eventRecordID":"4711","channel":
     "System","computer":"ATM0001"},"eventdata":{"serviceName":"x","imagePath":"C:\\\\Temp\\\\x.exe"}}},"location":"EventChannel"}

(One line each.) Source: formats.md §5.2; the eventchannel decoder of Wazuh 4 (analysisd, winevtchannel.c). Fills windows
(naming `hostname`), operator and feeds as `winlogbeat` does. Wazuh writes the first letter of every name small: it is made
large again, but for the names that Microsoft writes small (`_SMALL`). It leaves out values that are empty or `-`, cuts spaces
at the end, escapes backslashes and quotes once more than JSON does (undone here), joins values without a name by
`, ` (one is `param1` here, several stay `Data`), and adds words of its own (`category`, `subcategory`, `auditPolicyChanges` as
text: left out). Lines of other decoders are ignored.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
import orjson

from jackstop.formats._iso_stamp import write
from jackstop.formats._reading import Reader
from jackstop.formats._windows_data import plain
from jackstop.formats._windows_events import Event
from jackstop.formats._windows_lines import JsonEvents, Written, joined, number, said, written
from jackstop.formats._windows_words import keywords, small
from jackstop.model.fleet import Reading
from jackstop.model.tables import Tables

FILLS = ("windows", "operator", "feeds")
CLOCK = "pc"

_SMALL = re.compile(
    r"param\d+|spn\d+|binaryData|binaryDataSize|nApplications|nFiles|listenerName|payload|process|subjectName|processPath|"
    r"job(?:Title|Id|Owner|Name)|isRoaming|transferId|name|url|peer|file(?:Time|Length|Count)|bytesT\w+|hr|proxy|"
    r"peerProtocolFlags|bandwidthLimit|ignoreBandwidthLimitsOnLan|error|update(?:Guid|Title|RevisionNumber)|serviceGuid|errorCode",
    re.ASCII,
)
"""Names that begin with a small letter in Microsoft's own manifests."""
_SMALL_FOR = frozenset(
    {
        "Microsoft-Windows-Bits-Client",
        "Microsoft-Windows-LoadPerf",
        "Microsoft-Windows-RestartManager",
        "Microsoft-Windows-TerminalServices-RemoteConnectionManager",
        "Microsoft-Windows-WinRM",
        "Microsoft-Windows-WindowsUpdateClient",
        "Microsoft-Windows-AppxPackagingOM",
        "OpenSSH",
    }
)
_BITS = frozenset({"processId", "fileCount"})
"""Small in Bits-Client only; other providers of `_SMALL_FOR` have them large."""
_ADDED = frozenset({"category", "subcategory", "auditPolicyChanges"})
_STRAY = re.compile(r'\\(?:[^"\\/bfnrtu]|u(?![0-9A-Fa-f]{4})|$)')
_DOUBLED = re.compile(r'\\\\|\\"|\\r\\n')
"""An escaped backslash, quote or line end, as values have that were escaped twice."""
_ESCAPES = re.compile(r'\\(u[0-9A-Fa-f]{4}|["\\/bfnrt])')
_MEANT = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}


class _System(msgspec.Struct, rename="camel"):
    provider_name: str | None = None
    event_id: int | str | None = msgspec.field(name="eventID", default=None)
    channel: str | None = None
    computer: str | None = None
    record_id: int | str | None = msgspec.field(name="eventRecordID", default=None)
    system_time: str | None = None
    user: str | None = msgspec.field(name="securityUserID", default=None)
    level: int | str | None = None
    keywords: int | str | None = None
    process: int | str | None = msgspec.field(name="processID", default=None)


class _Agent(msgspec.Struct):
    name: str | None = None


class _Data(msgspec.Struct):
    win: dict[str, msgspec.Raw] | None = None


class _Line(msgspec.Struct):
    timestamp: str | None = None
    agent: _Agent | None = None
    data: _Data | None = None


_DECODER = msgspec.json.Decoder(_Line)
_SYSTEM = msgspec.json.Decoder(_System)
_FLAT = msgspec.json.Decoder(dict[str, Any])


class _WazuhReader(JsonEvents):
    def decode(self, record: bytes) -> bool:
        line = said(_DECODER, record, "Wazuh")
        win = line.data.win if line.data else None
        if win is None or "system" not in win:
            return False
        system = said(_SYSTEM, bytes(win["system"]), "Wazuh")
        time = self.time(system.system_time or line.timestamp, "systemTime")
        self.note_time(time)
        parts = [said(_FLAT, bytes(part), "Wazuh") for name, part in win.items() if name != "system"]
        event = Event(
            time,
            system.channel,
            system.provider_name,
            number(system.event_id, "eventID"),
            system.computer or (line.agent.name if line.agent else None),
            number(system.record_id, "eventRecordID") if system.record_id is not None else None,
            system.user,
            dict(_named(parts, system.provider_name or "")),
            small(system.level),
            keywords(system.keywords),
            small(system.process),
        )
        self.meanings.add(event)
        return True


def _named(parts: list[dict[str, Any]], provider: str) -> Iterator[tuple[str, str]]:
    """Names as Microsoft writes them, and values as they were before Wazuh escaped them."""
    values = [plain(v) for part in parts for v in part.values()]
    doubled = any(_DOUBLED.search(v) for v in values) and not any(_STRAY.search(_pairs(v)) for v in values)
    for part in parts:
        translated = "auditPolicyChangesId" in part or "categoryId" in part
        for name, value in part.items():
            if translated and name in _ADDED:
                continue
            text = plain(value)
            single = name == "data" and ", " not in text
            yield "param1" if single else _name(name, provider), _ESCAPES.sub(_meant, text) if doubled else text


def _pairs(text: str) -> str:
    """Text without its escaped backslashes, so that what is left of a backslash begins an escape."""
    return text.replace("\\\\", "")


def _meant(found: re.Match[str]) -> str:
    what = found[1]
    return chr(int(what[1:], 16)) if what[0] == "u" else _MEANT.get(what, what)


def _name(name: str, provider: str) -> str:
    if name == "auditPolicyChangesId":
        return "AuditPolicyChanges"
    if name.startswith("param") and name[5:].isdigit():
        return name
    if provider in _SMALL_FOR and (_SMALL.fullmatch(name) or (name in _BITS and provider.endswith("Bits-Client"))):
        return name
    return name[:1].upper() + name[1:]


def sniff(head: bytes, name: str) -> int:
    """Whether one of the first lines is an object of Wazuh, and of a Windows event."""
    first = head.lstrip()[:65536]
    if not first.startswith(b"{"):
        return 0
    if b'"win":{"system":{' in first:
        return 97
    line = first.split(b"\n", 1)[0]
    return 70 if b'"agent":{' in line and b'"decoder":{' in line and b'"location":' in line else 0


def reader(reading: Reading) -> Reader:
    """A reader at the beginning of a source."""
    return _WazuhReader(reading)


def encode(tables: Tables, reading: Reading) -> bytes:
    """Rows of `windows` as lines, in time order; values that Wazuh leaves out are left out."""
    return joined([_line(row) for row in written(tables)])


def _line(row: Written) -> bytes:
    system = {
        "providerName": row.provider,
        "eventID": str(row.code),
        "systemTime": write(row.time, 6).replace("Z", "000Z"),
        "eventRecordID": None if row.record_id is None else str(row.record_id),
        "channel": row.channel,
        "computer": row.computer,
        "securityUserID": row.user,
        "level": None if row.level is None else str(row.level),
        "keywords": row.keywords,
        "processID": None if row.process is None else str(row.process),
    }
    win = {"system": {k: v for k, v in system.items() if v is not None}}
    if data := _eventdata(row.data):
        win["eventdata"] = data
    line = {
        "timestamp": write(row.time).replace("Z", "+0000"),
        "agent": {"id": "001", "name": row.computer},
        "decoder": {"name": "windows_eventchannel"},
        "data": {"win": win},
        "location": "EventChannel",
    }
    return orjson.dumps(line)


def _eventdata(data: Mapping[str, str]) -> dict[str, str]:
    named = {
        k[:1].lower() + k[1:]: orjson.dumps(v.rstrip()).decode()[1:-1] for k, v in data.items() if v.rstrip() not in {"", "-"}
    }
    if "auditPolicyChanges" in named:
        named["auditPolicyChangesId"] = named.pop("auditPolicyChanges")
    return named

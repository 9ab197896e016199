"""Door, tamper and alarm messages: syslog (RFC 3164, RFC 5424) carrying CEF or plain words, as alarm panels send them.

    <132>1 2026-03-01T02:11:07.120Z panel1 alarm - - - CEF:0|Panel|Alarm|1|door_open|Cabinet door OPEN|7|cs1=1234 cs1Label=account
    <132>1 2026-03-01T02:11:09Z ATM0001 monitor - - - Safe door CLOSED
    <132>Mar  1 02:11:09 ATM0001 CEF:0|Panel|Alarm|1|tamper|Tamper ALARM|9|rt=1772331069000

Source: formats.md §6; RFC 3164, RFC 5424; ArcSight Common Event Format. Fills cabinet. The terminal is named by the account
(`cs1` labelled account, `deviceExternalId`, `account=`), else by the host name (`dhost`, `dvchost`, the syslog header). An RFC
3164 stamp has no year: it is taken from `rt` in the message, else the record is refused. Which words mean what is a
table of keywords; `events` of the source comes first (`DOOR17` = `cabinet.opened`).
"""

import re
from collections.abc import Iterator, Mapping

import polars as pl

from jackstop.formats._cef_words import Said, said
from jackstop.formats._iso_stamp import parse, write
from jackstop.formats._localtime import Zone
from jackstop.formats._masking import mask
from jackstop.formats._reading import Frame, Reader, RecordReader, Unreadable, lines
from jackstop.model.fleet import Reading
from jackstop.model.tables import Tables

FILLS = ("cabinet", "feeds")
CLOCK = "host"

_HEADER = re.compile(r"<\d{1,3}>(?:(1) (\S{1,64}) (\S{1,255}) (\S{1,48}) (\S{1,128}) (\S{1,32}) )?")
_OLD = re.compile(r"([A-Z][a-z]{2}) {1,2}(\d{1,2}) (\d\d):(\d\d):(\d\d) (\S{1,255}) ")
_EXTENSION = re.compile(r"(?:^|(?<= ))([A-Za-z][A-Za-z0-9_.]{0,60})=")
_MILLIS = re.compile(r"\d{12,14}", re.ASCII)
_BAR = re.compile(r"(?<!\\)\|")
_ACCOUNTS = ("account", "deviceExternalId", "acct")
_HOSTS = ("dhost", "dvchost", "shost")
_FIELDS = 7
_LONGEST = 16_384


class _CefReader(RecordReader):
    def __init__(self, reading: Reading) -> None:
        super().__init__(reading)
        self._zone = Zone(reading.timezone)

    def frames(self, buffer: bytes, *, final: bool) -> Iterator[Frame]:
        return lines(buffer, final=final)

    def decode(self, record: bytes) -> bool:
        text = record[:_LONGEST].decode("utf-8", "replace").strip().removeprefix("\ufeff")
        stamp, host, body = self._header(text)
        name, fields = _cef(body)
        words = name or body
        meaning = said(words, self.reading.events)
        time = self._time(stamp, fields)
        self.note_time(time)
        if meaning is None:
            return False
        account, named = _first(fields, _ACCOUNTS) or _labelled(fields), _first(fields, _HOSTS) or (mask(host) if host else None)
        who = {"terminal": account, "naming": "alarm_account"} if account else {"terminal": named, "naming": "hostname"}
        self.rows.add(
            "cabinet",
            time,
            activity=meaning.activity,
            part=meaning.part,
            sensor=meaning.sensor,
            detail=mask(words[:200]),
            time_uncertainty=1_000_000,
            **(who if who["terminal"] else {}),
        )
        return True

    def _header(self, text: str) -> tuple[str | None, str | None, str]:
        """Stamp, host and message of a line."""
        head = _HEADER.match(text)
        if head is None:
            raise Unreadable("no syslog header, expected <priority> first")
        if head.group(1):
            rest = text[head.end() :]
            if rest.startswith("- "):
                rest = rest[2:]
            elif rest.startswith("["):
                rest = rest[rest.find("] ") + 2 :] if "] " in rest else ""
            host = head.group(3)
            return (head.group(2) if head.group(2) != "-" else None), (host if host != "-" else None), rest
        old = _OLD.match(text, head.end())
        if old is not None:
            return None, old.group(6), text[old.end() :]
        return None, None, text[head.end() :]

    def _time(self, text: str | None, fields: Mapping[str, str]) -> int:
        """The header's stamp, else the message's receipt time."""
        told = text or fields.get("rt") or fields.get("end") or ""
        if _MILLIS.fullmatch(told):
            return int(told) * 1000
        stamp = parse(told)
        if stamp is None:
            raise Unreadable("no stamp with a year, expected RFC 5424 or CEF rt=")
        return stamp.stamp if stamp.absolute else self._zone.utc(stamp.stamp)


def _cef(body: str) -> tuple[str | None, dict[str, str]]:
    """Name and extension of a CEF message: `CEF:0|vendor|product|version|id|name|severity|extension`."""
    at = body.find("CEF:")
    if at < 0:
        return None, {}
    parts = _BAR.split(body[at:], _FIELDS)
    if len(parts) <= _FIELDS - 1:
        raise Unreadable("CEF header cut short, expected seven fields")
    keys = list(_EXTENSION.finditer(parts[7])) if len(parts) > _FIELDS else []
    ends = [k.start() for k in keys[1:]] + [len(parts[7])] if keys else []
    fields = {k.group(1): parts[7][k.end() : e].strip().replace("\\=", "=") for k, e in zip(keys, ends, strict=True)}
    return f"{parts[5]} {parts[4]}", fields


def _first(fields: Mapping[str, str], names: tuple[str, ...]) -> str | None:
    return next((mask(fields[n][:64]) for n in names if fields.get(n)), None)


def _labelled(fields: Mapping[str, str]) -> str | None:
    """A custom string that is labelled as the account."""
    for n in range(1, 7):
        if fields.get(f"cs{n}Label", "").lower() in {"account", "alarm account"}:
            return mask(fields.get(f"cs{n}", "")[:64]) or None
    return None


def sniff(head: bytes, name: str) -> int:
    """Whether the first lines are syslog, with CEF or words of doors and alarms."""
    listed = [line for line in head.split(b"\n")[:20] if line.strip()]
    good = sum(_HEADER.match(line[:400].decode("latin-1")) is not None for line in listed)
    if not listed or good < len(listed) // 2 + 1:
        return 0
    return 95 if b"CEF:" in head[:65536] else 60


def reader(reading: Reading) -> Reader:
    """A reader at the beginning of a source."""
    return _CefReader(reading)


def encode(tables: Tables, reading: Reading) -> bytes:
    """Rows of `cabinet` as RFC 5424 lines with CEF, in time order."""
    out = []
    frame = tables.cabinet.sort("time", maintain_order=True).with_columns(pl.col("time").to_physical())
    columns = ("time", "terminal", "naming", "activity", "part", "sensor")
    for time, terminal, naming, activity, part, sensor in frame.select(columns).iter_rows():
        words = Said(activity, part or "unknown", sensor or "door").words()
        key = words.lower().replace(" ", "_")
        who = f" cs1={terminal} cs1Label=account" if naming == "alarm_account" else f" dhost={terminal}" if terminal else ""
        out.append(f"<132>1 {write(time)} panel alarm - - - CEF:0|Panel|Alarm|1|{key}|{words}|7|rt={time // 1000}{who}")
    return ("\n".join(out) + "\n").encode() if out else b""

"""Alarm panels by SIA DC-09: frames as they were received, one a line, decrypted; before each the time of receipt, if known.

    2026-03-01T02:11:07.120Z 4F92003B"SIA-DCS"0001R1L0#1111[#1111|Nri1/BA15]_02:11:07,03-01-2026
    2E2F003B"ADM-CID"0002L0#1111[#1111|1137 01 015]_02:11:09,03-01-2026

Source: formats.md §6; ANSI/SIA DC-09-2013, DC-03 (SIA codes), DC-05 (Contact ID). LF and CR around a frame are left out; the CRC
and the length are those of the line's own text, so that a decrypted frame can be checked too (its id keeps the `*`). Fills
cabinet (doors, tamper, sensors; naming `alarm_account`) and feeds (`heartbeat` of link tests and test reports, at most one a
quarter of an hour and account; `gap` and `restarted` of the panel's sequence numbers). `events` of the source says which zone is
what: `"zone 15" = "safe.door"`, `"BA15" = "safe.opened"`, `"137/01/015" = "safe.tamper"`. Words in the frame (`|A…`, `[I…]`) say
it where `events` does not. Stamps are UTC; the time is that of the event (block H), else of sending. A panel whose clock is more
than a minute from the time of receipt is corrected by the difference.
"""

import re
from collections import OrderedDict
from collections.abc import Iterator
from datetime import UTC, datetime

import polars as pl

from jackstop.formats import _dc09_frame as dc09
from jackstop.formats._cef_words import Said
from jackstop.formats._dc09_codes import TESTS, Zones, known
from jackstop.formats._iso_stamp import parse, write
from jackstop.formats._masking import mask
from jackstop.formats._reading import Frame, Reader, RecordReader, Unreadable, lines
from jackstop.model.fleet import Reading
from jackstop.model.tables import Tables

FILLS = ("cabinet", "feeds")
CLOCK = "host"

SECOND = 1_000_000
_TRUSTED = 60 * SECOND
"""µs by which a panel's clock may be off and be believed."""
_BEAT = 15 * 60 * SECOND
_LATE = 8
"""Sequence numbers by which a frame may come late."""
_PANELS = 65_536
_REPEATED = 2 * 60 * SECOND
_LINE = re.compile(rb"(?:(\d{4}-\d\d-\d\dT[0-9:.]{8,20}Z) )?([0-9A-Fa-f]{4})([0-9A-Fa-f]{4})(?=\"\*?[A-Z])")
_OPENED = {"opened": "BA", "closed": "BR", "alarm": "BA", "restored": "BR", "tamper": "TA"}
_ACCOUNT = re.compile(r"[^0-9A-Za-z]")


class _Dc09Reader(RecordReader):
    def __init__(self, reading: Reading) -> None:
        super().__init__(reading)
        self._zones = Zones(reading.events)
        self._sequences: OrderedDict[str, int] = OrderedDict()
        self._beats: OrderedDict[str, int] = OrderedDict()

    def frames(self, buffer: bytes, *, final: bool) -> Iterator[Frame]:
        return lines(buffer, final=final)

    def natural_key(self, record: bytes, digest: bytes) -> bytes:
        """A frame sent again is the same whenever it was received; without a stamp of its own, within two minutes."""
        head = _LINE.match(record)
        if head is None or head.group(1) is None:
            return digest
        told = parse(head.group(1).decode())
        frame = record[head.end(1) + 1 :].rstrip()
        return frame if told is None or b"]_" in frame else frame + b" %d" % (told.stamp // _REPEATED)

    def decode(self, record: bytes) -> bool:
        received, message = _message(record.strip())
        time = _time(message, received)
        self.note_time(time)
        who = mask(message.who) if message.who else None
        named = {"terminal": who, "naming": "alarm_account"} if who else {}
        self._sequence(message, time, named)
        events = _events(message)
        if message.kind == "NULL" or any(e.code in TESTS for e in events):
            self._beat(who or "", time, named)
        understood = message.kind == "NULL" or not events
        for event in events:
            meaning = self._zones.meaning(event, message.who, message.text)
            understood = understood or meaning is not None or known(event)
            if meaning is not None:
                self.rows.add(
                    "cabinet",
                    time,
                    activity=meaning.activity,
                    part=meaning.part,
                    sensor=meaning.sensor,
                    detail=mask(f"{message.data} {message.text}".strip()[:200]),
                    time_uncertainty=SECOND,
                    observed=received,
                    sequence=message.sequence,
                    **named,
                )
        return understood

    def _sequence(self, message: dc09.Message, time: int, named: dict[str, str]) -> None:
        """Note frames that are missing, and a panel that began anew."""
        key = f"{message.receiver}/{message.line}/{message.who}"
        before, now = self._sequences.get(key), message.sequence
        if before is not None and 0 < before - now <= _LATE and now > 1:
            return
        self._sequences[key] = now
        self._sequences.move_to_end(key)
        if len(self._sequences) > _PANELS:
            self._sequences.popitem(last=False)
        follows = now in {before, (before or 0) + 1} or (before == dc09.LAST and now <= 1)
        if before is None or follows:
            return
        activity, count = ("gap", now - before - 1) if now > before else ("restarted", 1)
        self.rows.add("feeds", time, activity=activity, count=count, before=before, after=now, **named)

    def _beat(self, who: str, time: int, named: dict[str, str]) -> None:
        last = self._beats.get(who)
        if last is not None and abs(time - last) < _BEAT:
            return
        self._beats[who] = time
        self._beats.move_to_end(who)
        if len(self._beats) > _PANELS:
            self._beats.popitem(last=False)
        self.rows.add("feeds", time, activity="heartbeat", count=1, **named)


def _message(record: bytes) -> tuple[int | None, dc09.Message]:
    """When a line was received (µs UTC, None where it does not say), and its frame."""
    head = _LINE.match(record)
    if head is None:
        raise Unreadable('no frame, expected CRC and length in eight hexadecimal digits, then "ID"')
    text = record[head.end() :]
    length, check = int(head.group(3), 16), int(head.group(2), 16)
    if length != len(text):
        raise Unreadable(f"{len(text)} bytes, expected the {length} told")
    if check != dc09.crc(text):
        raise Unreadable("the CRC does not fit the frame")
    if b"]" not in text and text.startswith(b'"*'):
        raise Unreadable("encrypted, expected the frame decrypted")
    told = parse(head.group(1).decode()) if head.group(1) else None
    try:
        message = dc09.parse(text)
    except dc09.Broken as fault:
        raise Unreadable(str(fault)) from None
    if message.kind not in dc09.KINDS:
        raise Unreadable(f"id {mask(message.kind)}, expected {', '.join(dc09.KINDS)}")
    return (told.stamp if told else None), message


def _events(message: dc09.Message) -> list[dc09.Event]:
    try:
        return dc09.events(message)
    except dc09.Broken as fault:
        raise Unreadable(str(fault)) from None


def _time(message: dc09.Message, received: int | None) -> int:
    """µs UTC of the event, by the receiver's clock where the panel's is off."""
    sent, occurred = message.stamp, message.occurred
    if received is None:
        told = occurred if occurred is not None else sent
        if told is None:
            raise Unreadable("no stamp, expected _HH:MM:SS,MM-DD-YYYY or the time of receipt")
        return told
    if sent is None:
        return received if occurred is None or abs(occurred - received) > 24 * 60 * _TRUSTED else occurred
    off = received - sent if abs(received - sent) > _TRUSTED else 0
    return (occurred if occurred is not None else sent) + off


def sniff(head: bytes, name: str) -> int:
    """Whether the first lines are frames."""
    listed = [line for line in head.split(b"\n")[:20] if line.strip()]
    good = sum(_LINE.match(line.strip()[:200]) is not None for line in listed)
    return 96 if listed and good * 2 > len(listed) else 0


def reader(reading: Reading) -> Reader:
    """A reader at the beginning of a source."""
    return _Dc09Reader(reading)


def encode(tables: Tables, reading: Reading) -> bytes:
    """Rows of `cabinet` as SIA frames, heartbeats of `feeds` as link tests, in time order; each account counts its frames."""
    columns = ("time", "terminal", "activity", "part", "sensor")
    cabinet = tables.cabinet.with_columns(pl.col("time").to_physical()).select(columns).iter_rows()
    beats = tables.feeds.filter(pl.col("activity") == "heartbeat").with_columns(pl.col("time").to_physical())
    alive = beats.select("time", "terminal", "activity", part=None, sensor=None).iter_rows()
    counts: dict[str, int] = {}
    out = []
    for time, terminal, activity, part, sensor in sorted([*cabinet, *alive], key=lambda row: row[0]):
        account = _ACCOUNT.sub("", terminal or "")[:16] or "0"
        counts[account] = counts.get(account, 0) % dc09.LAST + 1
        out.append(_frame(time, account, counts[account], activity, part or "unknown", sensor or "other"))
    return b"".join(out)


def _frame(time: int, account: str, number: int, activity: str, part: str, sensor: str) -> bytes:
    when = dc09.stamped(datetime.fromtimestamp(time // SECOND, UTC))
    if activity == "heartbeat":
        text = f'"NULL"{number:04d}L0#{account}[]_{when}'
    else:
        code = {"tamper": "TA"}.get(activity) or ("TR" if sensor == "tamper" else _code(activity, sensor))
        words = Said(activity, part, sensor).words().rsplit(" ", 1)[0].strip()
        text = f'"SIA-DCS"{number:04d}L0#{account}[#{account}|Nri1/{code}{"|A" + words if words else ""}]_{when}'
    return f"{write(time)} ".encode() + dc09.framed(text.encode("cp1252", "replace")) + b"\n"


def _code(activity: str, sensor: str) -> str:
    """The SIA code of an alarm, a door or their end."""
    alarm = activity in {"alarm", "opened"}
    if sensor == "heat":
        return "KA" if alarm else "KR"
    if sensor == "door" and activity == "alarm":
        return "DL"
    return _OPENED[activity]

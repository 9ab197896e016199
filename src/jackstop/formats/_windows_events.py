"""What Windows events mean beyond themselves, whatever shipper brought them: boots, clock steps, cleared logs, restarts.

Event ids and data names: Microsoft's documentation of Security 4616 and 1102, System 12, 104, 6005, Kernel-General 1.
"""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from jackstop.formats._iso_stamp import parse
from jackstop.formats._reading import Rows, Unreadable
from jackstop.formats._windows_data import strings
from jackstop.formats._windows_masking import hidden
from jackstop.formats._windows_masking import name as masked

_LONGEST = 1 << 16
_REMEMBERED = 4096
_NEAR_BOOT = 120_000_000
_CLEARED = {("Security", 1102), ("System", 104)}
_STEPS = {"Security": (4616, ("PreviousTime", "NewTime")), "System": (1, ("OldTime", "NewTime"))}
_LEAST_STEP = 1_000_000


class Event(NamedTuple):
    """One Windows event, as any shipper's record gives it. `time` µs UTC."""

    time: int
    channel: str | None
    provider: str | None
    code: int
    computer: str | None
    record_id: int | None
    user: str | None
    data: Mapping[str, object]


class Meanings:
    """Rows of Windows events of one source; remembers record ids by computer and channel, and boots."""

    def __init__(self, rows: Rows, *, gaps: bool) -> None:
        self._rows = rows
        self._gaps = gaps
        self._records: dict[tuple[str, str], int] = {}
        self._booted: dict[str, int] = {}

    def add(self, event: Event) -> None:
        """The event's row and what follows from it.

        Raises:
            Unreadable: the event's number is beyond what Windows uses.
        """
        if not 0 <= event.code < 2**31:
            raise Unreadable(f"event id {event.code}, expected one of Windows")
        event = event._replace(
            channel=_text(event.channel), provider=_text(event.provider), computer=_text(event.computer), user=_text(event.user)
        )
        name = {"terminal": event.computer, "naming": "hostname"} if event.computer else {}
        data = {hidden(k): hidden(v[:_LONGEST]) for k, v in strings(event.data).items()}
        self._rows.add(
            "windows",
            event.time,
            channel=event.channel,
            provider=event.provider,
            code=event.code,
            computer=event.computer,
            record_id=event.record_id,
            user=event.user,
            data=json.dumps(data, ensure_ascii=False),
            sequence=event.record_id,
            **name,
        )
        self._order(event, name)
        self._boot(event, name)
        self._step(event, data, name)
        if (event.channel, event.code) in _CLEARED:
            self._rows.add(
                "feeds", event.time, activity="log-cleared", count=1, detail=data.get("Channel", event.channel), **name
            )

    def _order(self, event: Event, name: Mapping[str, str]) -> None:
        """Record ids that begin anew (another disk, a cleared log), or that are missing where the source has all."""
        if event.record_id is None or not abs(event.record_id) < 2**62:
            return
        key = (event.computer or "", event.channel or "")
        before = self._records.get(key)
        if len(self._records) < _REMEMBERED or key in self._records:
            self._records[key] = event.record_id
        if before is None or event.record_id in {before, before + 1}:
            return
        if event.record_id < before:
            self._rows.add("feeds", event.time, activity="restarted", count=1, before=before, after=event.record_id, **name)
        elif self._gaps:
            missing = event.record_id - before - 1
            self._rows.add("feeds", event.time, activity="gap", count=missing, before=before, after=event.record_id, **name)

    def _boot(self, event: Event, name: Mapping[str, str]) -> None:
        """One `power-up` a boot: Kernel-General 12, or 6005 where that is not collected."""
        if (
            event.channel != "System"
            or event.code not in {12, 6005}
            or (event.code == 12 and "Kernel-General" not in (event.provider or ""))
        ):
            return
        last = self._booted.get(event.computer or "")
        if len(self._booted) < _REMEMBERED:
            self._booted[event.computer or ""] = event.time
        if last is None or not 0 <= event.time - last <= _NEAR_BOOT:
            self._rows.add("operator", event.time, activity="power-up", detail=f"Windows {event.code}", **name)

    def _step(self, event: Event, data: Mapping[str, str], name: Mapping[str, str]) -> None:
        code, fields = _STEPS.get(event.channel or "", (-1, ("", "")))
        if event.code != code or (code == 1 and "Kernel-General" not in (event.provider or "")):
            return
        stamps = [parse(data.get(f, "")) for f in fields]
        if stamps[0] is None or stamps[1] is None:
            return
        before, after = stamps[0].stamp, stamps[1].stamp
        if abs(after - before) > _LEAST_STEP:
            self._rows.add("feeds", event.time, activity="clock-step", count=1, before=before, after=after, **name)


def from_fields(said: Mapping[str, Any]) -> Event:
    """An event from the names of Microsoft's event schema: time, provider, user, EventID, EventRecordID, Channel, Computer, data.

    Raises:
        Unreadable: it has no time or no number.
    """
    stamp = parse(str(said.get("time") or "")[:40].replace(" UTC", "Z"))
    if stamp is None:
        raise Unreadable("no SystemTime, expected ISO 8601")
    code, record = str(said.get("EventID") or ""), str(said.get("EventRecordID") or "")
    if not code.isascii() or not code.isdigit() or len(code) > 9:
        raise Unreadable("no EventID, expected a number")
    return Event(
        stamp.stamp,
        _text(said.get("Channel")),
        _text(said.get("provider")),
        int(code),
        _text(said.get("Computer")),
        int(record) if record.isascii() and record.isdigit() and len(record) < 19 else None,
        _text(said.get("user")),
        said.get("data") or {},
    )


def _text(value: object) -> str | None:
    return masked(value) if isinstance(value, str) and value else None

"""What Windows events mean beyond themselves, whatever shipper brought them: boots, clock steps, cleared logs, restarts.

Event ids and data names: Microsoft's documentation of Security 4616 and 1102, System 12, 104, 6005, Kernel-General 1.
"""

from collections.abc import Mapping
from typing import NamedTuple

import orjson

from jackstop.formats._iso_stamp import parse
from jackstop.formats._reading import Rows, Unreadable
from jackstop.formats._windows_data import strings
from jackstop.formats._windows_masking import hidden
from jackstop.formats._windows_masking import name as masked

_REMEMBERED = 4096
_NEAR_BOOT = 120_000_000
_BOOTS = {12, 6005}
_CLEARED = {("Security", 1102), ("System", 104)}
_STEPS = {"Security": (4616, ("PreviousTime", "NewTime")), "System": (1, ("OldTime", "NewTime"))}
_TOLD = {1, 12, 104, 1102, 4616, 6005}
_LEAST_STEP = 1_000_000


_COLUMNS = tuple("terminal naming channel provider code computer record_id user level keywords process data sequence".split())


class Event(NamedTuple):
    """One Windows event, as any shipper's record gives it. `time` µs UTC; `level`, `keywords`, `process` as in the table."""

    time: int
    channel: str | None
    provider: str | None
    code: int
    computer: str | None
    record_id: int | None
    user: str | None
    data: Mapping[str, object]
    level: int | None = None
    keywords: str | None = None
    process: int | None = None


class Meanings:
    """Rows of Windows events of one source; remembers record ids by computer and channel, and boots.

    The data of the rows is masked when they are taken: see `WindowsReader`.
    """

    def __init__(self, rows: Rows, *, gaps: bool) -> None:
        self._rows = rows
        self._gaps = gaps
        self._records: dict[tuple[str | None, str | None], int] = {}
        self._booted: dict[str, int] = {}

    def add(self, event: Event) -> None:
        """The event's row and what follows from it.

        Raises:
            Unreadable: the event's number is beyond what Windows uses.
        """
        time, channel, provider, code, computer, record_id, user, told, level, keywords, process = event
        if not 0 <= code < 2**31:
            raise Unreadable(f"event id {code}, expected one of Windows")
        channel = masked(channel) if channel else None
        computer = masked(computer) if computer else None
        data = strings(told)
        row = (
            computer,
            "hostname" if computer else None,
            channel,
            masked(provider) if provider else None,
            code,
            computer,
            record_id,
            masked(user) if user else None,
            level,
            keywords,
            process,
            orjson.dumps(data).decode(),
            record_id,
        )
        self._rows.put("windows", _COLUMNS, time, row)
        if record_id is not None:
            self._order(record_id, computer, channel, time)
        if code in _TOLD:
            self._tell(event, channel, computer, {k: hidden(v) for k, v in data.items()})

    def _order(self, record_id: int, computer: str | None, channel: str | None, time: int) -> None:
        """Record ids that begin anew (another disk, a cleared log), or that are missing where the source has all."""
        key = (computer, channel)
        before = self._records.get(key)
        if before is not None or len(self._records) < _REMEMBERED:
            if not -(2**62) < record_id < 2**62:
                return
            self._records[key] = record_id
        if before is None or record_id == before + 1 or record_id == before:
            return
        name = _named(computer)
        if record_id < before:
            self._rows.add("feeds", time, activity="restarted", count=1, before=before, after=record_id, **name)
        elif self._gaps:
            self._rows.add("feeds", time, activity="gap", count=record_id - before - 1, before=before, after=record_id, **name)

    def _tell(self, event: Event, channel: str | None, computer: str | None, data: Mapping[str, str]) -> None:
        """What an event of a number we know means."""
        name = _named(computer)
        general = "Kernel-General" in (event.provider or "")
        if channel == "System" and (event.code == 6005 or (event.code == 12 and general)):
            self._boot(event, computer or "", name)
        code, fields = _STEPS.get(channel or "", (-1, ("", "")))
        if event.code == code and (code != 1 or general):
            self._step(event.time, data, fields, name)
        if (channel, event.code) in _CLEARED:
            which = data.get("Channel", channel)
            self._rows.add("feeds", event.time, activity="log-cleared", count=1, detail=which, **name)

    def _boot(self, event: Event, computer: str, name: Mapping[str, str]) -> None:
        """One `power-up` a boot: Kernel-General 12, or 6005 where that is not collected."""
        last = self._booted.get(computer)
        if len(self._booted) < _REMEMBERED or last is not None:
            self._booted[computer] = event.time
        if last is None or not 0 <= event.time - last <= _NEAR_BOOT:
            self._rows.add("operator", event.time, activity="power-up", detail=f"Windows {event.code}", **name)

    def _step(self, time: int, data: Mapping[str, str], fields: tuple[str, str], name: Mapping[str, str]) -> None:
        stamps = [parse(data.get(f, "")) for f in fields]
        if stamps[0] is None or stamps[1] is None:
            return
        before, after = stamps[0].stamp, stamps[1].stamp
        if abs(after - before) > _LEAST_STEP:
            self._rows.add("feeds", time, activity="clock-step", count=1, before=before, after=after, **name)


def _named(computer: str | None) -> dict[str, str]:
    return {"terminal": computer, "naming": "hostname"} if computer else {}

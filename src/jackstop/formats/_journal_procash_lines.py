"""Writing ProCash journals: rows of one terminal as the lines its application would have printed (see `procash_journal`)."""

import re
from collections.abc import Callable

from jackstop.formats._journal_days import Stamps, clock
from jackstop.formats._journal_events import Cash, Counted, Said, Unit, declined, gather
from jackstop.formats._journal_ncr_lines import ENDS, place
from jackstop.formats._journal_text import card, written
from jackstop.model.fleet import Reading
from jackstop.model.money import minor
from jackstop.model.tables import Tables

OPERATIONS = {
    "supervisor-entered": "SERVICEMODE ENTERED",
    "supervisor-left": "SERVICEMODE LEFT",
    "in-service": "GO IN SERVICE COMMAND",
    "out-of-service": "GO OUT OF SERVICE COMMAND",
    "host-online": "COMMUNICATION ONLINE",
    "host-offline": "COMMUNICATION OFFLINE",
    "started": "APPLICATION STARTED",
    "power-up": "POWER-UP/RESET",
    "counters-cleared": "CLEAR CASH",
    "counters-set": "CASH COUNTERS AFTER SOP",
    "cash-added": "CASH ADDED",
}
DOORS = {
    "safe": "SAFE DOOR",
    "cabinet": "OPERATOR DOOR",
    "fascia": "FASCIA DOOR",
    "rear": "REAR DOOR",
    "unknown": "DOOR",
}
_FIXED = {
    "session-start": "-> TRANSACTION START",
    "pin": "PIN ENTERED",
    "taken": "CASH TAKEN",
    "retracted": "CASH RETRACTED",
    "rejected": "CASH REJECTED",
    "session-end": "<- TRANSACTION END",
}
_FAULT = re.compile(r"[0-9A-F]{8}(?: [0-9A-F]{8}){0,2}")
_SET = ("set", "cleared", "exchange-end")
_FIRST = 1000


class _Lines:
    """The journal being written: its lines, the last day, whether an order is open, and the events' running number."""

    def __init__(self, reading: Reading) -> None:
        self.stamps = Stamps(reading.timezone)
        self.currency = reading.currency
        self.lines: list[str] = []
        self.day = -1
        self.number = _FIRST - 1
        self.ordered = False

    def dated(self, day: int) -> None:
        """A line between days, where a day begins."""
        if day != self.day:
            self.lines.append(f"----------{self.stamps.day(day, '%Y/%m/%d')}----------")
            self.day = day

    def line(self, at: tuple[int, int], phrase: str) -> None:
        """A line of this moment."""
        self.dated(at[0])
        self.lines.append(f"{clock(at[1])} {phrase}")

    def event(self, at: tuple[int, int], phrase: str) -> None:
        """A numbered line of this moment."""
        self.dated(at[0])
        self.number += 1
        self.lines.append(f"*{self.number}*{clock(at[1])} {phrase}")


def _card(out: _Lines, at: tuple[int, int], event: Cash) -> None:
    detail = event.detail or ""
    if "cardless" in detail.lower():
        out.line(at, "CARDLESS TRANSACTION")
        return
    number = card(detail)[0]
    out.line(at, f"TRACK 2 DATA: {number}" if number else "CARD INSERTED")


def _request(out: _Lines, at: tuple[int, int], event: Cash) -> None:
    if event.amount is not None:
        out.line(at, f"AMOUNT {written(event.amount, event.currency or out.currency)} ENTERED")
    out.line(at, "TRANSACTION REQUEST ABAI")


def _reply(out: _Lines, at: tuple[int, int], event: Cash) -> None:
    refused = declined(event)
    out.line(at, f"TRANSACTION REPLY NEXT {'267' if refused else '128'} FUNCTION Z000Z000{'5025' if refused else 'B067'}")
    if event.tsn:
        out.lines.append(f"TRANSACTION SERIAL NUMBER: {event.tsn}")
    if event.auth_code:
        out.lines.append(f"AUTH. CODE: {event.auth_code}")
    if event.rrn:
        out.lines.append(f"RRN: {event.rrn}")


def _ordered(out: _Lines, at: tuple[int, int], event: Cash) -> None:
    counts = event.counts or []
    if any(n > 99 for n in counts):
        return
    out.line(at, f"CASH REQUEST: {''.join(f'{n:02d}' for n in counts)}".rstrip(": "))
    out.ordered = True


def _presented(out: _Lines, at: tuple[int, int], event: Cash) -> None:
    out.line(at, "CASH PRESENTED" + (" " + ",".join(map(str, event.counts)) if event.counts else ""))


def _failed(out: _Lines, at: tuple[int, int], event: Cash) -> None:
    known = out.ordered and event.result_name and _FAULT.fullmatch(event.result_name)
    out.line(at, f"CDM ERROR: {event.result_name}" if known else "UNABLE TO DISPENSE")


_WRITERS: dict[str, Callable[[_Lines, tuple[int, int], Cash], None]] = {
    "card": _card,
    "request-sent": _request,
    "reply-received": _reply,
    "dispense-requested": _ordered,
    "presented": _presented,
    "dispense-failed": _failed,
}
_CLOSES = frozenset({"presented", "taken", "retracted", "rejected", "dispense-failed", "session-start", "session-end"})


def _cash(out: _Lines, at: tuple[int, int], event: Cash) -> None:
    writer = _WRITERS.get(event.activity)
    if writer:
        writer(out, at, event)
    elif phrase := _FIXED.get(event.activity):
        out.line(at, phrase)
    if event.activity in _CLOSES:
        out.ordered = False


def _said(out: _Lines, at: tuple[int, int], event: Said) -> None:
    if event.table == "cabinet":
        door, end = DOORS.get(event.part or "unknown"), ENDS.get(event.activity)
        if door and end:
            out.event(at, f"{door} {end}")
    elif event.activity in {"cassette-removed", "cassette-inserted"}:
        out.event(at, f"{place(event.detail)} CASSETTE {'REMOVED' if event.activity == 'cassette-removed' else 'INSERTED'}")
    elif phrase := OPERATIONS.get(event.activity):
        out.event(at, phrase)


def _counted(out: _Lines, at: tuple[int, int], event: Counted) -> None:
    by_unit = {u.unit: u for u in event.units if u.unit and u.remaining is not None and u.kind in {None, "bill", "recycling"}}
    if not by_unit:
        return
    out.line(at, f"CASH COUNTERS {'AFTER' if event.cause in _SET else 'BEFORE'} SOP")
    for number in range(1, min(max(by_unit), 16) + 1):
        unit = by_unit.get(number)
        out.lines.append("   -" if unit is None else _position(out, unit))
    for u in event.units:
        if u.kind in {"reject", "retract"} and u.remaining is not None:
            out.lines.append(f"{u.kind.upper()}S: {u.remaining}")


def _position(out: _Lines, unit: Unit) -> str:
    currency = unit.currency or out.currency
    return f"   {currency} {(unit.value or 0) // minor(1, currency):8d} {unit.remaining or 0:4d}"


def encode(tables: Tables, reading: Reading) -> bytes:
    """The rows as a ProCash journal in local time, in time order; every day begins with a line that tells its date.

    Left out: rows the journal has no words for, such as notes stacked, logins and exchanges.
    """
    out = _Lines(reading)
    events = gather(tables)
    blocks = {e.time // 1_000_000 for e in events if isinstance(e, Counted) and e.cause in _SET}
    for event in events:
        at = out.stamps.local(event.time)
        if isinstance(event, Cash):
            _cash(out, at, event)
        elif isinstance(event, Counted):
            _counted(out, at, event)
        elif event.activity != "counters-set" or event.time // 1_000_000 not in blocks:
            _said(out, at, event)
    return "".join(line + "\r\n" for line in out.lines).encode("ascii", "replace")

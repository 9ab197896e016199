"""Writing NCR journals: rows of one terminal as the lines its application would have printed (see `ncr_journal`)."""

from collections.abc import Callable

from jackstop.formats import _journal_counters as counters
from jackstop.formats._journal_days import Stamps, clock
from jackstop.formats._journal_events import Cash, Counted, Said, declined, gather
from jackstop.formats._journal_text import card, written
from jackstop.model.fleet import Reading
from jackstop.model.money import minor
from jackstop.model.tables import Tables

_ESC = "\x1b[020t"
_PATTERNS = {"dmy": "%d/%m/%Y", "mdy": "%m/%d/%Y"}
_PLACES = ("TOP", "SECOND", "THIRD", "FOURTH", "FIFTH", "SIXTH", "SEVENTH", "BOTTOM", "REJECT", "RETRACT", "DEPOSIT")
_LAST = 9999
OPERATIONS = {
    "supervisor-entered": "SUPERVISOR MODE ENTRY",
    "supervisor-left": "SUPERVISOR MODE EXIT",
    "menu": "SUPERVISOR TASK ENTERED",
    "in-service": "SST IN SERVICE",
    "out-of-service": "SST OUT OF SERVICE",
    "host-online": "SST ON-LINE",
    "host-offline": "SST OFF-LINE",
    "power-up": "POWER-UP/RESET",
    "started": "APTRA ADVANCE NDC 05.01.00",
    "counters-cleared": "CASH COUNTS CLEARED",
    "cash-added": "CASH ADDED",
}
DOORS = {"safe": "SAFE DOOR", "cabinet": "CABINET DOOR", "fascia": "FASCIA DOOR", "rear": "REAR DOOR", "unknown": "DOOR"}
ENDS = {"opened": "OPENED", "closed": "CLOSED"}
_FIXED = {
    "pin": "PIN ENTERED",
    "dispensed": "NOTES STACKED",
    "dispense-failed": "UNABLE TO DISPENSE",
    "taken": "NOTES TAKEN",
    "retracted": "NOTES RETRACTED",
    "rejected": "NOTES REJECTED",
    "session-end": "TRANSACTION END",
}


def said(event: Said) -> str | None:
    """The phrase of an operator or cabinet row; None where the journal has none."""
    if event.table == "cabinet":
        door, end = DOORS.get(event.part or "unknown"), ENDS.get(event.activity)
        return f"{door} {end}" if door and end else None
    if event.activity in {"cassette-removed", "cassette-inserted"}:
        return f"{place(event.detail)} CASSETTE {'REMOVED' if event.activity == 'cassette-removed' else 'INSERTED'}"
    return OPERATIONS.get(event.activity)


def place(detail: str | None) -> str:
    """A cassette's place as journals call it: its name, or the n-th from the top; `TOP` where the row does not say."""
    text = (detail or "").upper()
    for name in _PLACES:
        if name in text:
            return name
    digits = [int(c) for c in text if c.isascii() and c.isdigit()]
    return _PLACES[digits[0] - 1] if digits and 0 < digits[0] <= 7 else "TOP"


class _Lines:
    """The journal being written: its lines, the last stamp, and the headers' running number."""

    def __init__(self, reading: Reading) -> None:
        self.stamps = Stamps(reading.timezone)
        self.pattern = _PATTERNS.get(reading.date_order or "", "%Y/%m/%d")
        self.currency = reading.currency
        self.lines: list[str] = []
        self.last = (-1, -1)
        self.number = 0
        self.supervised = False

    def may_say(self, event: Said) -> bool:
        """Whether an operator or cabinet row can be said here: a task called outside supervisor mode would tell of its entry."""
        if event.activity in {"supervisor-entered", "supervisor-left"}:
            self.supervised = event.activity == "supervisor-entered"
        return event.activity != "menu" or self.supervised

    def header(self, at: tuple[int, int]) -> None:
        """A header of this moment."""
        self.number = self.number % _LAST + 1
        self.lines.append(f"{_ESC}*{self.number}*{self.stamps.day(at[0], self.pattern)}*{clock(at[1])}*")
        self.last = at

    def stamped(self, at: tuple[int, int], phrase: str) -> None:
        """A line of this moment within its block."""
        if at[0] != self.last[0]:
            self.header(at)
        self.lines.append(f"{_ESC} {clock(at[1])} {phrase}")
        self.last = at

    def block(self, at: tuple[int, int], phrase: str) -> None:
        """A header and one line, as everything that is not part of a transaction."""
        self.header(at)
        self.lines.append(phrase)


def _start(out: _Lines, at: tuple[int, int], event: Cash) -> None:
    out.block(at, "     *TRANSACTION START*")


def _card(out: _Lines, at: tuple[int, int], event: Cash) -> None:
    if event.detail and "cardless" in event.detail.lower():
        out.stamped(at, "CARDLESS TRANSACTION")
        return
    if at == out.last:
        out.lines.append(f"{_ESC} CARD INSERTED")
    else:
        out.stamped(at, "CARD INSERTED")
    number = card(event.detail)[0] if event.detail else None
    if number:
        out.lines.append(f"{_ESC}CARD: {number}")


def _request(out: _Lines, at: tuple[int, int], event: Cash) -> None:
    asked = "" if event.amount is None else f" [AMOUNT={written(event.amount, event.currency or out.currency, 8)}]"
    out.stamped(at, f"REQUEST SENT{asked}")


def _reply(out: _Lines, at: tuple[int, int], event: Cash) -> None:
    serial = f", TXN SN NO={event.tsn}" if event.tsn else ""
    out.stamped(at, f"RESPONSE RECEIVED [FUNCTION ID={'5' if declined(event) else 'A'}{serial}]")
    if event.auth_code:
        out.lines.append(f"    AUTH CODE         : {event.auth_code}")
    if event.rrn:
        out.lines.append(f"    RRN               : {event.rrn}")


def _presented(out: _Lines, at: tuple[int, int], event: Cash) -> None:
    counts = " " + ",".join(map(str, event.counts)) if event.counts else ""
    out.stamped(at, f"NOTES PRESENTED{counts}")


_WRITERS: dict[str, Callable[[_Lines, tuple[int, int], Cash], None]] = {
    "session-start": _start,
    "card": _card,
    "request-sent": _request,
    "reply-received": _reply,
    "presented": _presented,
}


def _counted(out: _Lines, at: tuple[int, int], event: Counted) -> None:
    units = [u for u in event.units if u.unit]
    if not units:
        return
    out.header(at)
    if event.cause == "cleared":
        titles = (("CASH DISPENSED", "dispensed"), ("CASH REMAINING", "remaining"), ("CASH REJECTED", "rejected"))
        told = [(title, [(u.unit or 0, getattr(u, column)) for u in units]) for title, column in titles]
        block = counters.write_sections("CASH COUNTS CLEARED", told)
    elif event.cause == "set" and any(u.initial is not None for u in units):
        block = counters.write_sections("CASH ADDED", [("", [(u.unit or 0, u.initial) for u in units])])
    else:
        one = minor(1, units[0].currency or out.currency)
        block = counters.write_totals(
            (u.unit or 0, (u.value or 0) // one, u.dispensed, u.rejected, u.remaining) for u in units if u.kind in _CASSETTES
        )
    out.lines += block.rstrip("\n").split("\n")


_CASSETTES = (None, "bill", "recycling")


def encode(tables: Tables, reading: Reading) -> bytes:
    """The rows as an NCR journal in local time, `date_order` (year first where none is declared), in time order.

    Left out: rows the journal has no words for, such as orders to dispense, logins and exchanges.
    """
    out = _Lines(reading)
    events = gather(tables)
    loads = {(e.time // 1_000_000, e.cause) for e in events if isinstance(e, Counted)}
    for event in events:
        at = out.stamps.local(event.time)
        if isinstance(event, Cash):
            writer = _WRITERS.get(event.activity)
            if writer:
                writer(out, at, event)
            elif phrase := _FIXED.get(event.activity):
                out.stamped(at, phrase)
        elif isinstance(event, Said):
            told = _OF_BLOCK.get(event.activity)
            words = said(event)
            if words and out.may_say(event) and (told is None or (event.time // 1_000_000, told) not in loads):
                out.block(at, words)
        else:
            _counted(out, at, event)
    return "".join(line + "\r\n" for line in out.lines).encode("ascii", "replace")


_OF_BLOCK = {"counters-cleared": "cleared", "cash-added": "set"}

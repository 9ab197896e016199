"""Writing Hyosung WinCE journals: rows of one terminal as the records the machine would have written (see `hyosung_journal`)."""

import re
from dataclasses import dataclass, field

from jackstop.formats._journal_days import Stamps, clock
from jackstop.formats._journal_events import Cash, Counted, Event, Said, declined, gather
from jackstop.formats._journal_text import card
from jackstop.model.fleet import Reading
from jackstop.model.tables import Tables

_DOORS = {"safe": "Safe", "cabinet": "Cabinet", "fascia": "Fascia", "rear": "Rear", "unknown": ""}
_SERVICE = re.compile(r"S[ABCFGV]")
_LOADS = re.compile(r"[AD]3((?: \d{6}){1,4})")
_ERROR = re.compile(r"[0-9A-CE-Z][0-9A-Z]{6}")
_DECLINED = "DA05100"
_FAILED = "6021301"
_ENDS = ("dispensed", "dispense-failed", "presented", "reply-received")
_LAST = 9999


@dataclass(slots=True)
class _Transaction:
    """The rows of one transaction, by activity, and its number where the session has one."""

    rows: dict[str, Cash] = field(default_factory=dict)

    def has_room(self, activity: str) -> bool:
        """Whether a row of this kind still belongs to this transaction."""
        return activity not in self.rows and not (activity == "dispensed" and "dispense-failed" in self.rows)

    def outcome(self) -> tuple[bool, int, int | None, list[int] | None]:
        """Whether it was completed, the amount asked, the amount dispensed (None unknown), and notes per cassette."""
        rows = self.rows
        reply, failed = rows.get("reply-received"), rows.get("dispense-failed")
        paid = rows.get("dispensed") or rows.get("presented")
        known = [r for r in (rows.get("request-sent"), reply, paid, failed) if r is not None]
        asked = next((r.amount for r in known if r.amount is not None), 0)
        done = failed is None and not (reply is not None and declined(reply))
        given: int | None = 0
        if paid is not None:
            given = paid.amount if paid.amount is not None else asked
        elif failed is not None:
            given = failed.amount
        counts = next((r.counts for r in (paid, rows.get("presented"), failed) if r is not None and r.counts), None)
        return done, asked, given, counts if given else None

    def last_four(self) -> str:
        """The last four digits of the card, zeros where it is not known."""
        read = self.rows.get("card")
        return ((card(read.detail)[0] if read is not None and read.detail else None) or "0000")[-4:]

    def error(self) -> str:
        """The error code of a transaction that was not completed."""
        failed = self.rows.get("dispense-failed")
        if failed is None:
            return _DECLINED
        return failed.result_name if failed.result_name and _ERROR.fullmatch(failed.result_name) else _FAILED

    @property
    def end(self) -> Cash | None:
        """The row whose time the record has: the notes', else the reply's."""
        for activity in _ENDS:
            if activity in self.rows:
                return self.rows[activity]
        return None


def _transactions(events: list[Event]) -> list[tuple[int, _Transaction | Said]]:
    """What makes a record, with its time, in time order."""
    made: list[tuple[int, _Transaction | Said]] = []
    current = _Transaction()
    for event in events:
        if isinstance(event, Said):
            made.append((event.time, event))
        elif isinstance(event, Cash):
            if event.activity in {"session-start", "session-end"} or not current.has_room(event.activity):
                _close(made, current)
                current = _Transaction()
            current.rows[event.activity] = event
    _close(made, current)
    made.sort(key=_time)
    return made


def _close(made: list[tuple[int, _Transaction | Said]], current: _Transaction) -> None:
    if current.end is not None:
        made.append((current.end.time, current))


def _time(made: tuple[int, object]) -> int:
    return made[0]


class _Records:
    """The journal being written."""

    def __init__(self, reading: Reading) -> None:
        self.stamps = Stamps(reading.timezone)
        self.terminal = (reading.terminal or "TERM0001").replace("^", "")[:9]
        self.parts: list[str] = []
        self.number = 0
        self.transaction = 0

    def record(self, time: int, kind: str, rest: str) -> None:
        """A record with its length, number and stamp."""
        day, second = self.stamps.local(time)
        self.number = self.number % _LAST + 1
        stamp = f"{self.stamps.day(day, '%Y^%m^%d')}^{clock(second).replace(':', '^')}"
        body = f"^ {kind}^    {self.number:04d}^{stamp}^{rest}^X"
        self.parts.append(f"{len(body) + 3:04d}{body}\x1c")

    def transaction_record(self, time: int, made: _Transaction) -> None:
        """A TA or TE record. The host's stamp is the reply's time; amounts are minor units."""
        self.transaction = self.transaction % _LAST + 1
        done, asked, given, counts = made.outcome()
        given_text = "" if given is None else str(given)
        day, second = self.stamps.local(made.rows["reply-received"].time if "reply-received" in made.rows else time)
        host, at = self.stamps.day(day, "%m%d%Y"), clock(second).replace(":", "")
        rrn = next((r.rrn for r in made.rows.values() if r.rrn), f"{self.transaction:012d}")
        last = made.last_four()
        notes = f"~L{' '.join(f'{n:02d}' for n in _padded(counts))}~M00 00 00 00" if counts else ""
        surcharge, end = ("395", " 6^ TRUE^0000000") if done else ("       0", f" 3^FALSE^{made.error()}")
        rest = (
            f"{self.terminal:<8}^{self.transaction:04d}^CW^CA^--^{last}^************^{host}^{at}^00000000^{rrn}"
            f"^{self.transaction:06d}00^000000^{host}^{surcharge}^{asked:8d}^{given_text:>8}^            ^{end}"
            f"^************{last}^0000^000000000000^{notes}^1"
        )
        self.record(time, "TA" if done else "TE", rest)

    def said(self, event: Said) -> None:
        """A record of an operator or cabinet row, if there is one for it."""
        detail = event.detail or ""
        if event.table == "cabinet":
            if event.activity in {"opened", "closed"} and event.part in _DOORS:
                end = "OPEN" if event.activity == "opened" else "CLOSED"
                self.record(event.time, "OA", f"{_DOORS[event.part]} door: {end}".strip())
        elif event.activity == "login":
            self.record(event.time, "SD", "MASTER")
        elif event.activity in {"cash-added", "counters-set"}:
            loads = _LOADS.fullmatch(detail)
            told = loads[1].strip().replace(" ", "^") if loads else "000000^000000^000000^000000"
            self.record(event.time, "A3" if event.activity == "cash-added" else "D3", told)
        elif event.activity == "menu" and (kind := _SERVICE.match(detail)):
            self.record(event.time, kind.group(), kind.group())


def _padded(counts: list[int]) -> list[int]:
    return counts[:8] + [0] * (4 - len(counts))


def encode(tables: Tables, reading: Reading) -> bytes:
    """The rows as a WinCE journal in local time: each transaction one record, at the time its notes were dispensed.

    Left out: rows the journal has no records for, such as supervisor mode, the line's state, counters, and transactions
    without a reply and without notes.
    """
    out = _Records(reading)
    for time, made in _transactions([e for e in gather(tables) if not isinstance(e, Counted)]):
        if isinstance(made, Said):
            out.said(made)
        else:
            out.transaction_record(time, made)
    return "".join(out.parts).encode("ascii", "replace")

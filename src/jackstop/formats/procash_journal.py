"""Wincor / Diebold Nixdorf ProCash electronic journal (`YYYYMMDD.jrn`): lines that begin with a time, some with an event number.

    06:00:00 JOURNALING STARTED
    *1000*06:00:02 OPERATOR DOOR OPENED
    10:12:01 -> TRANSACTION START
    10:12:05 TRACK 2 DATA: 411111******1111
    10:12:14 PIN ENTERED
    10:12:20 AMOUNT 200 ENTERED
    10:12:21 TRANSACTION REQUEST ABAI
    10:12:23 TRANSACTION REPLY NEXT 295 FUNCTION Z000Z000B067
    RRN: 515816007649
    10:12:23 CASH REQUEST: 00100000
    10:12:31 CASH PRESENTED
    10:12:35 CASH TAKEN
    10:12:39 <- TRANSACTION END

Source: formats.md §4.2. The date comes from the file's name or from a line `----------2026/03/01----------`, and rolls over at
midnight. Fills cash (layer application; `CASH REQUEST` gives notes per cassette type, a reply's decision is its response code
or its functions), units (basis journal; `CASH COUNTERS BEFORE/AFTER SOP`, and the status of cassettes), operator, cabinet,
feeds (gaps of event numbers). Amounts are whole currency units. That notes were stacked is not journalled.
"""

import re
from collections.abc import Sequence
from hashlib import sha256
from typing import ClassVar

from jackstop.formats import _journal_counters as counters
from jackstop.formats._currencies import NUMERIC
from jackstop.formats._journal_days import SECOND, midnight
from jackstop.formats._journal_grammar import OPERATIONS, SESSION, Found, Grammar, Rule
from jackstop.formats._journal_procash_lines import encode
from jackstop.formats._journal_reader import STAMP, JournalReader
from jackstop.formats._reading import Reader, Unreadable
from jackstop.model.fleet import Reading
from jackstop.model.money import minor

__all__ = ["CLOCK", "FILLS", "encode", "reader", "sniff"]

FILLS = ("cash", "units", "operator", "cabinet")
CLOCK = "journal"

_STATES = (
    "online",
    "offline",
    "power-off",
    "no-device",
    "hardware-error",
    "user-error",
    "busy",
    "fraud-attempt",
    "potential-fraud",
)
_NUMBER = re.compile(r"\*(\d{1,9})\*(?=[ \d])", re.ASCII)
_DAY = re.compile(r"-{4,80} ?(\d{4}[/.-]\d{1,2}[/.-]\d{1,2}) ?-{0,80}$", re.ASCII)
_NAMED = re.compile(r"(?<!\d)((?:19|20)\d\d)(\d\d)(\d\d)(?!\d)", re.ASCII)
_FUNCTIONS = re.compile(r"([A-Z0-9])\d{3}", re.ASCII)
_TIMED = re.compile(rb"(?m)^\s{0,20}(?:\*\d{1,9}\*)?[ ]?\d\d:\d\d:\d\d ")
_OWN = re.compile(
    rb"(?mi)^\s{0,20}(?:\*\d{1,9}\*)?[ ]?\d\d:\d\d:\d\d (?:-> TRANSACTION START|<- TRANSACTION END|JOURNALING STARTED"
    rb"|CASH REQUEST|TRANSACTION REQUEST|TRANSACTION REPLY|SERVICEMODE|GO (?:IN|OUT OF) SERVICE|COMMUNICATION O|OPERATOR DOOR)"
)
_NCR = re.compile(rb"\*\d{1,4}[/.-]\d{1,2}[/.-]\d{2,4}\*\d\d:\d\d")

_PHRASES: tuple[Rule, ...] = (
    Rule("TRANSACTION", r"TRANSACTION REQUEST", "cash", "request-sent"),
    Rule("TRANSACTION", r"TRANSACTION REPLY(?: NEXT \d{1,4})?(?: FUNCTION (?P<name>[A-Z0-9]{1,64}))?", "cash", "reply-received"),
    Rule("CASH", r"CASH REQUEST:? ?(?P<counts>\d{0,32})", "cash", "dispense-requested"),
    Rule("CASH NOTES", r"(?:CASH|NOTES) PRESENTED(?P<counts>[ \d,]{0,120})", "cash", "presented"),
    Rule("CDM", r"CDM ERROR: ?(?P<name>[0-9A-F ]{1,40})", "cash", "dispense-failed"),
    Rule("DEVICE", r"DEVICE CCCDMFW STATUS (?P<unit>\d{1,2})\b", "cash", "status"),
    Rule("SERVICEMODE", r"SERVICEMODE ENTERED", "operator", "supervisor-entered"),
    Rule("SERVICEMODE", r"SERVICEMODE LEFT", "operator", "supervisor-left"),
    Rule("GO", r"GO IN ?SERVICE COMMAND", "operator", "in-service"),
    Rule("GO", r"GO OUT OF SERVICE COMMAND", "operator", "out-of-service"),
    Rule("COMMUNICATION", r"COMMUNICATION ONLINE", "operator", "host-online"),
    Rule("COMMUNICATION", r"COMMUNICATION OFFLINE", "operator", "host-offline"),
    Rule("APPLICATION", r"APPLICATION STARTED", "operator", "started"),
    Rule("CLEAR", r"CLEAR CASH", "operator", "counters-cleared"),
    Rule("CASH", r"CASH COUNTERS AFTER SOP", "units", "set"),
    Rule("CASH", r"CASH COUNTERS(?: BEFORE SOP)?", "units", "snapshot"),
    Rule("LOGICAL PHYSICAL", r"(?:LOGICAL|PHYSICAL) CASSETTE (?P<unit>\d{1,2}) (?P<name>LOW|EMPTY)", "units", "status"),
    Rule("JOURNALING DEVICE INTERACTIVE COMMUNICATION IDCU JRN", r"."),
)


class _ProcashReader(JournalReader):
    grammar: ClassVar[Grammar] = Grammar(_PHRASES, SESSION, OPERATIONS)
    opens = re.compile(rb"(?i)(?<!INTERACTIVE )(?P<reply>TRANSACTION REPLY)|(?P<counters>CASH COUNTERS)")
    continues: ClassVar[dict[str, re.Pattern[bytes]]] = {
        "reply": re.compile(rb"(?i)^\s{0,40}(?:RRN|UTRNNO|AUTH|RESP[O_ ]|CODE REPONSE|TRANSACTION SERIAL)"),
        "counters": re.compile(rb"(?i)^\s{0,40}(?:[A-Z$]{1,4} {1,12}\d{1,9} {1,12}\d{1,9}\*?|RETRACTS?:|REJECTS?:|-$)"),
    }
    undated = "its date or time is not known, expected YYYYMMDD in the file's name or a line ----------2026/03/01----------"

    def __init__(self, reading: Reading) -> None:
        super().__init__(reading)
        self._anchor = b""
        named = _NAMED.search(reading.name.rsplit("/", 1)[-1])
        if named:
            try:
                self.day.begin(midnight("-".join(named.groups()), "ymd"))
            except Unreadable as fault:
                self.undated = f"the file's name holds no date: {fault}"

    def natural_key(self, record: bytes, digest: bytes) -> bytes:
        """A line with a time is the same as another of that day; one without, if it follows the same line."""
        stamp = _TIMED.match(record)
        if stamp is None:
            self._anchor = sha256(self._anchor + digest).digest()
            return self._anchor
        today = _dated(self.day.midnight, digest)
        if today not in self._recent:
            hours, minutes, seconds = (int(n) for n in stamp.group().split(b"*")[-1].strip().split(b":"))
            today = _dated(self.day.place(((hours * 60 + minutes) * 60 + seconds) * SECOND), digest)
        self._anchor = today
        return today

    def head(self, line: str) -> tuple[str, bool]:
        """Take the date from a line between days, and the event's number."""
        dated = _DAY.match(line)
        if dated:
            self.day.begin(midnight(dated[1], "ymd"))
            self.day.now = None
            return "", True
        found = _NUMBER.match(line)
        self.sequence_number = int(found[1]) if found else None
        if found is None:
            return line, False
        rest = line[found.end() :].lstrip()
        stamp = STAMP.match(rest)
        if stamp and self.day.midnight is not None:
            self._numbered(int(found[1]), stamp)
        return rest, False

    def _numbered(self, number: int, stamp: re.Match[str]) -> None:
        """Note a gap in the events' numbers."""
        self.move(stamp)
        self.place()
        previous = self.number
        wrapped = previous is not None and number <= 1 and previous >= 99 and not str(previous).strip("9")
        self.sequence(number, None if wrapped else previous, self.time)
        self.number = number

    def reply(self, found: Found) -> str | None:
        """The functions of a reply: groups of an identifier and three digits, of which `Z` is none."""
        told = "".join(dict.fromkeys(_FUNCTIONS.findall(found.groups["name"] or "")))
        return told.replace("Z", "") or None

    def say(self, found: Found, lines: Sequence[str]) -> None:
        """Rows of a phrase; device states and cassettes running low have their own form."""
        activity = found.rule.activity
        if activity == "status" and found.rule.table == "units":
            self._running_low(int(found.groups["unit"] or 0), (found.groups["name"] or "").lower())
        elif activity == "status":
            state = int(found.groups["unit"] or 0)
            self._device(_STATES[state] if state < len(_STATES) else "unknown", found.text)
        elif found.text.startswith("CDM ERROR") and not self.session.ordered:
            self._device("hardware-error", found.text)
        else:
            super().say(found, lines)

    def _device(self, state: str, detail: str) -> None:
        self.add("cash", activity="status", layer="application", state=state, detail=detail[:200])

    def _running_low(self, unit: int, status: str) -> None:
        if unit:
            self.add(
                "units", snapshot=self.rows.snapshot, cause="changed", basis="journal", unit=unit, kind="bill", status=status
            )

    def counts(self, found: Found, lines: Sequence[str]) -> list[int] | None:
        """Notes per cassette type; an order has two digits for each."""
        if found.rule.activity != "dispense-requested":
            return super().counts(found, lines)
        told = found.groups["counts"] or ""
        if len(told) % 2:
            raise Unreadable(f"CASH REQUEST {told} is cut, expected two digits per cassette")
        return [int(told[i : i + 2]) for i in range(0, len(told), 2)] or None

    def count(self, activity: str, lines: Sequence[str]) -> None:
        """Rows of a counter block: cassettes by position, and the reject and retract bins."""
        if activity == "added":
            self.add("operator", activity="cash-added", detail=lines[0][:200])
            return
        if activity == "set":
            self.add("operator", activity="counters-set", detail=lines[0][:200])
        unit = 0
        for line in lines[1:]:
            told = counters.period(line.strip())
            unit += told is None or told.kind == "bill"
            if told is None:
                continue
            cassette = told.kind == "bill"
            currency = told.currency if told.currency in NUMERIC else self.reading.currency
            self.add(
                "units",
                snapshot=self.rows.snapshot,
                cause=activity,
                basis="journal",
                unit=unit if cassette else None,
                kind=told.kind,
                currency=currency if cassette else None,
                value=minor(told.value, currency) if told.value else None,
                count=told.notes,
                accuracy="inaccurate" if told.estimate else None,
            )


def _dated(day: int | None, digest: bytes) -> bytes:
    return digest + (day or 0).to_bytes(8, signed=True)


def sniff(head: bytes, name: str) -> int:
    """How surely these are ProCash journal lines: their own phrases after a time decide, the file's name confirms."""
    text = head.replace(b"\0", b"")
    if _NCR.search(text) or not _TIMED.search(text):
        return 0
    named = name.lower().endswith(".jrn")
    if _OWN.search(text):
        return 98 if named else 95
    return 40 if named else 0


def reader(reading: Reading) -> Reader:
    """A reader of one journal file."""
    return _ProcashReader(reading)

"""NCR APTRA Advance NDC electronic journal: blocks of lines under `*number*date*time*` headers, with printer steering.

    [020t*476*04/02/2025*06:26:55*
         *TRANSACTION START*
    [020t CARD INSERTED
    [020t 06:27:02 PIN ENTERED
    [020t 06:27:10 REQUEST SENT [AMOUNT=00000200]
    [020t 06:27:11 RESPONSE RECEIVED [FUNCTION ID=A, TXN SN NO=6437]
    [020t 06:27:23 NOTES STACKED
    [020t 06:27:31 NOTES PRESENTED 0,10,0,0
    [020t 06:27:33 NOTES TAKEN
    [020t 06:27:36 TRANSACTION END

Source: formats.md §4.1. Fills cash (layer application; amount asked, function and serial number of the reply, notes per
cassette type presented; the session is the header's number), units (basis journal; from `CASH TOTAL` tables and the blocks
below `CASH COUNTS CLEARED` and `CASH ADDED`), operator, cabinet, feeds (gaps of header numbers). A header's date needs
`date_order` unless the year comes first. Amounts are whole currency units. An order to dispense is not journalled.
"""

import re
from collections.abc import Sequence
from typing import ClassVar

from jackstop.formats import _journal_counters as counters
from jackstop.formats import _journal_text as text
from jackstop.formats._journal_days import MINUTE, SECOND, UNDECLARED, midnight
from jackstop.formats._journal_grammar import OPERATIONS, SESSION, Found, Grammar, Rule
from jackstop.formats._journal_ncr_lines import encode
from jackstop.formats._journal_reader import JournalReader
from jackstop.formats._reading import Reader, Unreadable
from jackstop.model.fleet import Reading

__all__ = ["CLOCK", "FILLS", "encode", "reader", "sniff"]

FILLS = ("cash", "units", "operator", "cabinet")
CLOCK = "journal"

_DATE = r"\d{1,4}[/.-]\d{1,2}[/.-]\d{2,4}"
_HEADER = re.compile(rf"\*(?:(\d{{1,6}})\*)?({_DATE})\*([01]\d|2[0-3]):([0-5]\d)(?::([0-5]\d))?\*?", re.ASCII)
_HEADER_BYTES = re.compile(rf"\*(?:\d{{1,6}}\*)?{_DATE}\*\d\d:\d\d(?::\d\d)?".encode())
_KNOWN = re.compile(rb"TRANSACTION START|NOTES (?:STACKED|PRESENTED)|CARD READER ACTIVATED|SUPERVISOR|CASH TOTAL|SST |POWER-UP")
_REMEMBERED = 512
_IS = r" {0,4}[^\w\s]{0,3} {0,4}"

_PHRASES: tuple[Rule, ...] = (
    Rule("REQUEST", rf"REQUEST SENT(?: \[?AMOUNT{_IS}(?P<amount>\d[\d.,]{{0,17}}))?", "cash", "request-sent"),
    Rule(
        "RESPONSE", r"RESPONSE RECEIVED(?: \[?FUNCTION ID {0,4}[^\w\s]{0,3} {0,4}(?P<name>[A-Z0-9]))?", "cash", "reply-received"
    ),
    Rule("NOTES", r"NOTES STACKED", "cash", "dispensed"),
    Rule("NOTES", r"NOTES PRESENTED(?P<counts>[ \d,]{0,120})", "cash", "presented"),
    Rule("SUPERVISOR", r"SUPERVISOR MODE ENTRY", "operator", "supervisor-entered"),
    Rule("SUPERVISOR", r"SUPERVISOR MODE EXIT", "operator", "supervisor-left"),
    Rule("SUPERVISOR", r"SUPERVISOR TASK ENTERED", "operator", "task-entered"),
    Rule("SUPERVISOR", r"SUPERVISOR TASK EXITED", "operator", "task-left"),
    Rule("SST", r"SST IN SERVICE", "operator", "in-service"),
    Rule("SST", r"SST OUT OF SERVICE", "operator", "out-of-service"),
    Rule("SST", r"SST ON-?LINE", "operator", "host-online"),
    Rule("SST", r"SST OFF-?LINE", "operator", "host-offline"),
    Rule("APTRA", r"APTRA ADVANCE NDC", "operator", "started"),
    Rule("CASH", r"CASH COUNTS CLEARED", "units", "cleared"),
    Rule("CASH", r"CASH TOTAL", "units", "snapshot"),
    Rule("PRIMARY OPCODE EJ AUTO INIT CONSUMER CONNECTIONS EXTERNAL DEVICE ESC VAL REF REJECTS", r"(?!REF[^:]|VAL[^:])."),
)


class _NcrReader(JournalReader):
    grammar: ClassVar[Grammar] = Grammar(_PHRASES, SESSION, OPERATIONS)
    opens = re.compile(
        rb"(?P<reply>RESPONSE RECEIVED)|(?P<card>CARD INSERTED)|(?P<total>CASH TOTAL)"
        rb"|(?P<sections>CASH COUNTS CLEARED|CASH ADDED)|(?P<shown>NOTES PRESENTED[ \t]*$)"
    )
    continues: ClassVar[dict[str, re.Pattern[bytes]]] = {
        "reply": re.compile(rb"^[ \t]{0,40}(?:RRN|AUTH|RESP(?:ONSE)? CODE|TXN (?:SN )?NO)"),
        "card": re.compile(rb"^(?:\x1b?\[\d{1,3}t)?[ \t]{0,40}(?:CARD:|PAN )"),
        "total": re.compile(rb"^[ \t]{0,40}(?:CASS POSITION|DENOMINATION|DISPENSED|REJECTED|REMAINING|LOST|UNKNOWN)"),
        "sections": re.compile(rb"^[ \t]{0,40}(?:CASH (?:DISPENSED|REMAINING|REJECTED)|TYPE ?\d)"),
        "shown": re.compile(rb"^[ \t]{0,40}(?:POSITION|COUNT)[ \t]"),
    }
    undated = "no header with a date stands before this line, expected one such as *476*04/02/2025*06:26:55*"

    def __init__(self, reading: Reading) -> None:
        super().__init__(reading)
        self._headers: dict[bytes, None] = {}
        self._block = b""
        self._seen: dict[bytes, int] = {}
        self._supervised = False
        self._tasked = False

    def natural_key(self, record: bytes, digest: bytes) -> bytes:
        """A line is the same as another if it is the same repetition of it below the same header."""
        found = _HEADER_BYTES.search(record)
        if found:
            self._block = found.group()
            self._seen = {}
            return b"header" + self.tally.records.to_bytes(8)
        nth = self._seen.get(digest, 0)
        if len(self._seen) < 4 * _REMEMBERED:
            self._seen[digest] = nth + 1
        return self._block + digest + nth.to_bytes(4)

    def head(self, line: str) -> tuple[str, bool]:
        """Take the date, time and number from a header; the line is what follows it."""
        found = _HEADER.search(line)
        if found is None:
            return line, False
        if found.start() and self.tell(line[: found.start()], [line[: found.start()]]):
            self.quality |= text.RESYNCHRONISED
        try:
            date = midnight(found[2], self.reading.date_order)
        except Unreadable as fault:
            self.day.begin(None)
            self.undated = UNDECLARED if str(fault) == UNDECLARED else "the header above has no valid date"
            raise
        seconds = int(found[3]) * 3600 + int(found[4]) * 60 + int(found[5] or 0)
        self.day.begin(date, seconds * SECOND, SECOND if found[5] else MINUTE)
        self.place()
        self.sequence_number = int(found[1]) if found[1] else None
        self._numbered(found)
        return line[found.end() :].lstrip(" ]"), True

    def _numbered(self, found: re.Match[str]) -> None:
        """Note a gap in the headers' numbers; a header seen before is a block delivered twice, not a new beginning."""
        key = found.group().encode()
        if found[1] is None or key in self._headers:
            return
        self._headers[key] = None
        if len(self._headers) > _REMEMBERED:
            del self._headers[next(iter(self._headers))]
        number, previous = int(found[1]), self.number
        wrapped = previous is not None and number <= 1 and previous >= 99 and not str(previous).strip("9")
        self.sequence(number, None if wrapped else previous, self.time)
        self.number = number

    def session_number(self) -> str | None:
        """The number of the header above."""
        return None if self.sequence_number is None else str(self.sequence_number)

    def reply(self, found: Found) -> str | None:
        """The function identifier of the reply."""
        return found.groups["name"]

    def say(self, found: Found, lines: Sequence[str]) -> None:
        """Rows of a phrase; a supervisor task counts as supervisor mode where the mode itself is not journalled."""
        activity = found.rule.activity
        if found.rule.table != "operator":
            super().say(found, lines)
            return
        if activity in {"supervisor-entered", "supervisor-left"}:
            self._supervised, self._tasked = activity == "supervisor-entered", False
        elif activity == "task-entered":
            self._tasked = self._tasked or not self._supervised
            activity = "menu" if self._supervised else "supervisor-entered"
            self._supervised = True
        elif activity == "task-left":
            activity = "supervisor-left" if self._tasked or not self._supervised else "menu"
            self._supervised, self._tasked = self._supervised and not self._tasked, False
        super().say(found._replace(rule=found.rule._replace(activity=activity)), lines)

    def count(self, activity: str, lines: Sequence[str]) -> None:
        """Rows of a counter block."""
        if activity == "snapshot":
            units, whole = counters.totals(lines)
            self.quality |= 0 if whole else text.PARTIAL
            self.units("snapshot", units)
            return
        cleared = activity == "cleared"
        self.add("operator", activity="counters-cleared" if cleared else "cash-added", detail=lines[0][:200])
        self.units("cleared" if cleared else "set", counters.sections(lines))


def sniff(head: bytes, name: str) -> int:
    """How surely these are NCR journal lines: headers decide, phrases confirm."""
    text_bytes = head.replace(b"\0", b"")
    if not _HEADER_BYTES.search(text_bytes):
        return 0
    return 97 if _KNOWN.search(text_bytes) else 60


def reader(reading: Reading) -> Reader:
    """A reader of one journal."""
    return _NcrReader(reading)

"""What readers of line journals share: framing of lines and blocks, the session at hand, and rows from what a grammar finds.

A record is one line, or one line and the lines that complete it (a reply and its keys, a counter block), so that an
alarm is never held back for a line that may come hours later. The state kept across records is the date, the last
time, and the open session.
"""

import re
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from jackstop.formats import _journal_text as text
from jackstop.formats._journal_counters import Counters
from jackstop.formats._journal_days import SECOND, Day
from jackstop.formats._journal_grammar import Found, Grammar
from jackstop.formats._localtime import Zone
from jackstop.formats._masking import mask
from jackstop.formats._reading import Frame, RecordReader, Unreadable
from jackstop.model.fleet import Reading
from jackstop.model.money import minor

MAX_LINES = 48
CASH_FUNCTIONS = frozenset("28ABCF")
_LINE = re.compile(rb"[^\r\n]+")
STAMP = re.compile(r"(?<!\d)(?:([01]\d|2[0-3]):([0-5]\d):([0-5]\d))(?:[.,]\d{1,3})?(?=\s|$)", re.ASCII)
_BROKEN = re.compile(r"BROKEN BLOCK|BLOCK (?:IS )?BROKEN|CORRUPT(?:ED)? BLOCK")
_RRN = re.compile(r"\bRRN[ .:=]{0,24}(\d{6,12})\b", re.ASCII)
_AUTH = re.compile(r"\bAUTH(?:ORI[SZ]ATION)?[ .]{0,3}(?:CODE|NO|NUMBER)?[ .:=]{0,24}((?=[A-Z]{0,5}\d)[A-Z0-9]{6})\b", re.ASCII)
_RESPONSE = re.compile(r"\b(?:RESP(?:ONSE)?[ _]CODE|CODE REPONSE)[ .:=]{0,24}(\d{1,3})\b", re.ASCII)
_SERIAL = re.compile(r"\b(?:TRANSACTION SERIAL NUMBER|TXN SN NO)[ .:=]{0,24}(\d{1,6})\b", re.ASCII)
_COUNTS = re.compile(r"\d{1,5}", re.ASCII)
_LISTED = 16


@dataclass(slots=True)
class Session:
    """What is known of the session at hand: the journal's number for it, the amount asked, the keys of its authorisation."""

    number: str | None = None
    amount: int | None = None
    tsn: str | None = None
    rrn: str | None = None
    auth_code: str | None = None
    response: str | None = None
    card: bool = False
    ordered: bool = False


class JournalReader(RecordReader):
    """A reader of a line journal. A format gives the grammar, the blocks, and what stands before a line's words.

    Attributes:
        grammar: its phrases. opens: lines that begin a block, by group name; continues: by that name, the lines that go on.
        undated: why a line cannot be placed in time while no date is known.
        number: the last of the journal's own numbers; sequence_number: the one of the line at hand.
    """

    grammar: ClassVar[Grammar]
    opens: ClassVar[re.Pattern[bytes]]
    continues: ClassVar[dict[str, re.Pattern[bytes]]]
    undated: str

    def __init__(self, reading: Reading) -> None:
        super().__init__(reading)
        self.zone = Zone(reading.timezone)
        self.day = Day()
        self.session = Session()
        self.number: int | None = None
        self.sequence_number: int | None = None
        self.quality = 0
        self.time = 0

    @abstractmethod
    def head(self, line: str) -> tuple[str, bool]:
        """A line without what stands before its time, and whether that was a header (which may have set the date)."""

    @abstractmethod
    def count(self, activity: str, lines: Sequence[str]) -> None:
        """Add the rows of a counter block."""

    def session_number(self) -> str | None:
        """The journal's number for a session that begins at the line at hand."""
        return None

    def reply(self, found: Found) -> str | None:
        """The function a reply carries, where it says one; several as one string."""
        return None

    def frames(self, buffer: bytes, *, final: bool) -> Iterator[Frame]:
        """Lines, and blocks of lines (at most `MAX_LINES`)."""
        start, end, count = -1, 0, 0
        goes_on = _LINE
        for found in _LINE.finditer(buffer):
            if found.end() == len(buffer) and not final:
                return
            line = found.group().replace(b"\0", b"")
            if not line.strip():
                if start < 0 and found.group().strip():
                    yield Frame(found.start(), found.end())
                continue
            if start >= 0:
                if count < MAX_LINES and goes_on.search(line):
                    end, count = found.end(), count + 1
                    continue
                yield Frame(start, end)
                start = -1
            opening = self.opens.search(line)
            if opening:
                start, end, count = found.start(), found.end(), 1
                goes_on = self.continues[str(opening.lastgroup)]
            else:
                yield Frame(found.start(), found.end())
        if start >= 0 and final:
            yield Frame(start, end)

    def decode(self, record: bytes) -> bool:
        """Rows of one line or block; see `RecordReader.decode`."""
        lines, self.quality = text.read_lines(record, self.reading.encoding)
        if not lines:
            return False
        line, headed = self.head(lines[0])
        if self.tell(line, lines) or headed:
            return True
        if _BROKEN.search(lines[0].upper()):
            raise Unreadable("the journal marks a broken block here")
        return False

    def tell(self, line: str, lines: Sequence[str]) -> bool:
        """Add the rows of a line, the first of `lines`; of several torn into one, of each. Whether it was understood."""
        pieces = _pieces(line, self.grammar)
        understood = False
        for nth, (stamp, words) in enumerate(pieces, 1):
            self.quality |= text.RESYNCHRONISED if len(pieces) > 1 else 0
            if stamp:
                self.move(stamp)
            found = self.grammar.find(words)
            if found is None:
                continue
            understood = True
            if found.rule.table:
                self.place()
                self.say(found, lines if nth == len(pieces) else lines[:1])
            else:
                self._note(found)
        return understood

    def move(self, stamp: re.Match[str]) -> None:
        """The line at hand is of this time of day."""
        self.day.move(((int(stamp[1]) * 60 + int(stamp[2])) * 60 + int(stamp[3])) * SECOND)

    def place(self) -> None:
        """Set the time of the rows to come from the wall clock of the line at hand.

        Raises:
            Unreadable: no date or no time is known yet.
        """
        if self.day.now is None:
            raise Unreadable(self.undated)
        self.time = self.zone.utc(self.day.now)
        if self.zone.ambiguous:
            self.quality |= text.TIME_AMBIGUOUS
        self.note_time(self.time)

    def add(self, table: str, **values: object) -> None:
        """Add a row of the line at hand."""
        self.rows.add(
            table,
            self.time,
            time_uncertainty=self.day.resolution,
            quality=self.quality | text.DATE_INFERRED,
            sequence=self.sequence_number,
            **values,
        )

    def say(self, found: Found, lines: Sequence[str]) -> None:
        """Add the rows of a phrase."""
        rule = found.rule
        if rule.table == "cash":
            self._cash(found, [found.text, *(line.upper() for line in lines[1:])])
        elif rule.table == "units":
            self.count(rule.activity, [found.text, *(line.upper() for line in lines[1:])])
        else:
            detail = found.groups.get("detail") or mask(found.text)[:200]
            self.add(rule.table, activity=rule.activity, detail=detail, **dict(rule.values))

    def units(self, cause: str, counters: Counters) -> None:
        """Add a snapshot: a row for each unit, `value` given in whole currency units."""
        currency = self.reading.currency
        for unit, numbers in sorted(counters.items()):
            value = numbers.pop("value", 0)
            self.add(
                "units",
                snapshot=self.rows.snapshot,
                cause=cause,
                basis="journal",
                unit=unit,
                kind="bill",
                currency=currency,
                value=minor(value, currency) if value else None,
                **numbers,
            )

    def _note(self, found: Found) -> None:
        if found.rule.activity == "amount":
            self.session.amount = text.amount(found.groups["amount"] or "", self.reading.currency)
        elif found.rule.activity == "fact":
            self._keys([found.text])

    def _keys(self, lines: Sequence[str]) -> None:
        """Take the keys of an authorisation from lines such as `RRN: 5158…`, `AUTH. CODE: 649432`, `RESPONSE CODE 000`."""
        said = self.session
        for line in lines:
            if found := _SERIAL.search(line):
                said.tsn = found[1].zfill(4)
            if (found := _RRN.search(line)) and found[1].strip("0"):
                said.rrn = found[1]
            if found := _AUTH.search(line):
                said.auth_code = found[1]
            if found := _RESPONSE.search(line):
                said.response = found[1]

    def _cash(self, found: Found, lines: Sequence[str]) -> None:
        activity = found.rule.activity
        if activity == "session-start":
            self.session = Session(self.session_number())
        values: dict[str, object] = {name: value for name, value in found.rule.values}
        if activity == "card" and not self._card(lines, values):
            return
        if activity == "request-sent":
            if told := found.groups.get("amount"):
                self.session.amount = text.amount(told, self.reading.currency)
            values["amount"] = self.session.amount
        elif activity == "reply-received":
            values["detail"] = self._replied(found, lines)
        elif activity in {"presented", "dispense-requested"}:
            values["counts"] = self.counts(found, lines)
        elif activity == "dispense-failed":
            values["result_name"] = found.groups.get("name")
        self.session.ordered = activity == "dispense-requested" or (self.session.ordered and activity not in _ENDINGS)
        said = self.session
        self.add(
            "cash",
            activity=activity,
            layer="application",
            currency=self.reading.currency,
            session=said.number,
            tsn=said.tsn,
            rrn=said.rrn,
            auth_code=said.auth_code,
            **values,
        )
        if activity == "session-end":
            self.session = Session()

    def _card(self, lines: Sequence[str], values: dict[str, object]) -> bool:
        """The card's row, once a session: `detail` is its number with the middle hidden."""
        for line in lines:
            number, quality = text.card(line)
            if number:
                values["detail"] = number
                self.quality |= quality
        known, self.session.card = self.session.card, True
        return not known

    def _replied(self, found: Found, lines: Sequence[str]) -> str:
        """What a reply decided, in words: a response code says it, else the function (only some move cash)."""
        said = self.session
        said.tsn = said.rrn = said.auth_code = said.response = None
        self._keys(lines)
        function = self.reply(found)
        if said.response is not None:
            word = "declined" if said.response.strip("0") else "approved"
            return f"{word}: response {said.response}" + (f", function {function}" if function else "")
        if not function:
            return "the decision is not told"
        return (
            f"approved: function {function}" if CASH_FUNCTIONS & set(function) else f"declined: function {function} moves no cash"
        )

    def counts(self, found: Found, lines: Sequence[str]) -> list[int] | None:
        """Notes per cassette type: after the words, or in a line `COUNT 1,2,0,0` of the block."""
        told = found.groups.get("counts")
        for line in lines[1:]:
            if line.startswith("COUNT"):
                told = line
        return [int(n) for n in _COUNTS.findall(told)[:_LISTED]] if told and _COUNTS.search(told) else None


def _pieces(line: str, grammar: Grammar) -> list[tuple[re.Match[str] | None, str]]:
    """A line as (time, words); where several lines were torn into one, cut at each time that known words follow."""
    first = STAMP.match(line)
    if line.count(":") < 4:
        return [(first, line[first.end() :] if first else line)]
    inner = [s for s in STAMP.finditer(line) if s.start() > 0 and grammar.find(line[s.end() :])]
    starts = [first, *inner]
    ends = [s.start() for s in inner] + [len(line)]
    return [(s, line[s.end() if s else 0 : end]) for s, end in zip(starts, ends, strict=True)]


_ENDINGS = frozenset({"presented", "taken", "retracted", "rejected", "dispense-failed", "session-start", "session-end"})

"""Hyosung WinCE electronic journal (`JNL*.dat`): `^`-separated records that tell their length, each closed by 0x1C.

    0054^ OA^    0002^2026^03^01^00^12^41^Safe door: OPEN^X␜
    0258^ TA^    0058^2026^03^01^15^44^25^TERM0001^0003^CW^CA^--^1111^…^03012026^154446^…^   20000^   20000^…^ TRUE^0000000^…^X␜

Source: formats.md §4.4, held against a real file; there the length told is one less than the bytes before 0x1C (§4.4 says it
counts 0x1C too: both are taken). A transaction is one record, so its rows share one time. Fills cash (layer
application: TA, an approved transaction, gives card, request, reply, notes dispensed and presented with amount in minor units
and notes per cassette; TE, one that failed, gives the decline (error codes `D…`) or the failed dispense; the session is the
transaction's number), operator (SD logins, A3 and D3 cassette loads, other service records), cabinet (doors told in OA),
feeds (gaps of record numbers). EMV records (OD), keys (PA, PB, PC) and device errors are known and give no rows.
"""

import re
from collections.abc import Iterator
from itertools import pairwise

from jackstop.formats._journal_days import SECOND
from jackstop.formats._journal_hyosung_records import encode
from jackstop.formats._journal_text import PARTIAL, TIME_AMBIGUOUS, card, read_lines
from jackstop.formats._localtime import Zone, naive
from jackstop.formats._masking import mask
from jackstop.formats._reading import Frame, Reader, RecordReader, Unreadable
from jackstop.model.fleet import Reading

__all__ = ["CLOCK", "FILLS", "LINES", "encode", "reader", "sniff"]

FILLS = ("cash", "operator", "cabinet")
CLOCK = "journal"
LINES = False

_HEAD = re.compile(rb"\d{4}\^ ?[A-Z][A-Z0-9]\^ {0,8}\d{1,8}\^\d{4}\^\d\d\^")
_CLOSE = b"\x1c"
_BLANK = b"\x1c\r\n \0"
_COUNTING = (-1, 1)
_STAMPED = 9
_TRANSACTION = 30
_SERVICE = {"SA", "SB", "SC", "SF", "SG", "SV"}
_QUIET = {"OD", "PA", "PB", "PC"}
_DOOR = re.compile(r"([A-Z]{0,12}) ?DOOR ?: ?(OPEN|CLOSED?)")
_PARTS = {"SAFE": "safe", "VAULT": "safe", "CABINET": "cabinet", "UPPER": "cabinet", "FASCIA": "fascia", "REAR": "rear"}
_NOTES = re.compile(r"~L((?: ?\d{2,5}){1,8})", re.ASCII)
_NUMBER = re.compile(r"\d{1,12}", re.ASCII)


class _HyosungReader(RecordReader):
    def __init__(self, reading: Reading) -> None:
        super().__init__(reading)
        self.zone = Zone(reading.timezone)
        self.number: int | None = None
        self.terminal: str | None = None
        self.quality = 0
        self.time = 0

    def frames(self, buffer: bytes, *, final: bool) -> Iterator[Frame]:
        """Records up to 0x1C; where several beginnings stand before one, the earlier ones are cut records."""
        start = 0
        while (end := buffer.find(_CLOSE, start)) >= 0:
            yield from _records(buffer, start, end + 1)
            start = end + 1
        if final:
            yield from _records(buffer, start, len(buffer))

    def decode(self, record: bytes) -> bool:
        """Rows of one record; see `RecordReader.decode`."""
        if not record.strip(_BLANK):
            return False
        if not _HEAD.match(record):
            raise Unreadable("no record begins here, expected LLLL^ KIND^ number^YYYY^MM^DD^hh^mm^ss^")
        size = len(record.rstrip(b"\r\n").removesuffix(_CLOSE))
        if int(record[:4]) - size not in _COUNTING:
            raise Unreadable("its length is not the one it says: cut, or two records torn into one")
        lines, self.quality = read_lines(record, self.reading.encoding)
        fields = [f.strip() for f in "".join(lines).split("^")]
        if fields[-1] != "X" or len(fields) <= _STAMPED + 1:
            raise Unreadable("it does not end with ^X: cut or damaged")
        self._stamp(fields)
        number = int(fields[2])
        wrapped = self.number is not None and number <= 1 and self.number in {9999, 99_999_999}
        self.sequence(number, None if wrapped else self.number, self.time)
        self.number = number
        return self._say(fields[1], fields)

    def _stamp(self, fields: list[str]) -> None:
        try:
            year, month, day, hour, minute, second = (int(f) for f in fields[3:_STAMPED])
            local = naive(year, month, day, hour, minute, second)
        except ValueError:
            raise Unreadable(f"no such time: {' '.join(fields[3:_STAMPED])[:40]}, expected YYYY MM DD hh mm ss") from None
        if not 1980 <= year < 2200:
            raise Unreadable(f"no such time: year {year}")
        self.time = self.zone.utc(local)
        if self.zone.ambiguous:
            self.quality |= TIME_AMBIGUOUS
        self.note_time(self.time)

    def add(self, table: str, **values: object) -> None:
        """Add a row of the record at hand."""
        naming = {} if self.terminal is None else {"terminal": self.terminal, "naming": "terminal_id"}
        envelope = {"time_uncertainty": SECOND, "quality": self.quality, "sequence": self.number, **naming}
        self.rows.add(table, self.time, **envelope, **values)

    def _say(self, kind: str, fields: list[str]) -> bool:
        if kind in {"TA", "TE"}:
            self._transaction(kind, fields)
        elif kind == "OA":
            return self._told("^".join(fields[_STAMPED:-1]))
        elif kind == "SD":
            self.add("operator", activity="login", person=fields[_STAMPED][:40] or None, detail="SD")
        elif kind in {"A3", "D3"}:
            loads = " ".join(fields[_STAMPED:-1])[:100]
            self.add("operator", activity="cash-added" if kind == "A3" else "counters-set", detail=f"{kind} {loads}")
        elif kind in _SERVICE:
            error = f" {fields[29][:16]}" if len(fields) > _TRANSACTION else ""
            self.add("operator", activity="menu", detail=kind + error)
        else:
            return kind in _QUIET
        return True

    def _told(self, text: str) -> bool:
        """Free text: doors give rows, device errors and key downloads are known."""
        door = _DOOR.match(text.upper())
        if door is None:
            return text.startswith(("CE", "Download"))
        activity = "opened" if door[2] == "OPEN" else "closed"
        self.add("cabinet", activity=activity, part=_PARTS.get(door[1], "unknown"), sensor="door", detail=mask(text)[:200])
        return True

    def _transaction(self, kind: str, fields: list[str]) -> None:
        if len(fields) < _TRANSACTION:
            raise Unreadable(f"{kind} has {len(fields)} fields, expected at least {_TRANSACTION}")
        self.terminal = fields[9] or self.terminal
        asked, given, error = _minor(fields[24]), _minor(fields[25]), fields[29][:16]
        counts = _notes(fields)
        session, rrn = fields[10][:20] or None, _rrn(fields[19], fields[10])
        currency = self.reading.currency if fields[11] == "CW" or given else None
        common = {"layer": "application", "currency": currency, "session": session, "rrn": rrn}
        number, masked = card(fields[30] if len(fields) > _TRANSACTION else "")
        self.quality |= masked
        self.add("cash", activity="card", detail=number, **common)
        self.add("cash", activity="request-sent", amount=asked, detail=fields[11][:8] or None, **common)
        done = kind == "TA" and fields[28] == "TRUE"
        if done or error.startswith("D"):
            word = "approved" if done else f"declined: error {error}"
            self.add("cash", activity="reply-received", amount=asked, detail=word, **common)
        if done and given:
            self.add("cash", activity="dispensed", amount=given, counts=counts, **common)
            self.add("cash", activity="presented", amount=given, counts=counts, **common)
        elif not done and (fields[11] == "CW" or given) and (given or not error.startswith("D")):
            self.quality |= 0 if given is not None else PARTIAL
            self.add("cash", activity="dispense-failed", amount=given, counts=counts, result_name=error or None, **common)


def _records(buffer: bytes, start: int, end: int) -> Iterator[Frame]:
    """Records that begin between two places; each ends where the next begins."""
    heads = [found.start() for found in _HEAD.finditer(buffer, start, end)]
    if not heads and end > start:
        yield Frame(start, end)
    for one, following in pairwise([*heads, end]):
        yield Frame(one, following)


def _rrn(text: str, transaction: str) -> str | None:
    """The host's reference; the real file has the transaction's own number there, which is nobody's key."""
    told = text[:20]
    return None if told.lstrip("0") in {"", transaction.lstrip("0")} else told


def _minor(text: str) -> int | None:
    return int(text) if _NUMBER.fullmatch(text) else None


def _notes(fields: list[str]) -> list[int] | None:
    """Notes per cassette, from the field `~L00 10 00 00~M…`."""
    for field in fields[_TRANSACTION:]:
        if found := _NOTES.match(field):
            return [int(n) for n in found[1].split()]
    return None


def sniff(head: bytes, name: str) -> int:
    """How surely these are records of a WinCE journal: the first decides, 0x1C after `^X` confirms."""
    first = head.lstrip(b"\r\n \x1c\0")
    if _HEAD.match(first):
        return 99
    return 90 if _HEAD.search(head) and b"^X" + _CLOSE in head else 0


def reader(reading: Reading) -> Reader:
    """A reader of one journal file."""
    return _HyosungReader(reading)

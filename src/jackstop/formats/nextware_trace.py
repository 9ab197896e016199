"""Nextware XFS 3.x traces (`*.nwlog`): length-framed records without line ends, as Nautilus Hyosung machines write them.

    429496729504390114328790 0013CashDispenser 0003SPI 00102025/06/01 001206:49 36.332 0009XFS_EVENT 0012EXECUTE[302]
    0342WFS_EXECUTE_COMPLETE, lpResult = { hService = [4], RequestID = [2001], hResult = [0], u.dwCommandCode = [302],
    lpBuffer = … cCurrencyID = [USD], ulAmount = [500], lpulValues = [0, 0, 0, 4, 9, 3] …0439

(Blanks are for the eye.) Source: formats.md §1.1 and §1.2 (a); CWA 16926 (CDM, SIU, VDM). Fills cash (layer device; XFS amounts
are whole currency units, 0 beside counts is unknown), units (basis logical, both layouts), cabinet, operator, feeds (gaps of
the ten-digit record number). Several layers log one event: the service provider's record counts. Stamps are local.
"""

import re
from collections.abc import Iterator
from typing import Any

from jackstop.formats import _nextware_text as text
from jackstop.formats._localtime import Zone, naive
from jackstop.formats._masking import mask
from jackstop.formats._nextware_meaning import Meaning
from jackstop.formats._nextware_writing import encode
from jackstop.formats._reading import Frame, Reader, RecordReader, Unreadable
from jackstop.model.fleet import Reading

__all__ = ["CLOCK", "FILLS", "LINES", "encode", "reader", "sniff"]

FILLS = ("cash", "units", "cabinet", "operator", "feeds")
CLOCK = "trace"
LINES = False

_DATE = re.compile(r"(\d{4})/(\d\d)/(\d\d)", re.ASCII)
_CLOCK = re.compile(r"(\d\d):(\d\d)[ :](\d\d)\.(\d{3})", re.ASCII)
_PARTIAL, _AMBIGUOUS = 1, 4
_WRAP = 10**10


class _NextwareReader(RecordReader):
    def __init__(self, reading: Reading) -> None:
        super().__init__(reading)
        self._zone = Zone(reading.timezone)
        self._meaning = Meaning(self.rows, reading.currency)
        self._number: int | None = None

    def frames(self, buffer: bytes, *, final: bool) -> Iterator[Frame]:
        return text.frames(buffer, final=final)

    def decode(self, record: bytes) -> bool:
        said = text.record(record)
        time = self._time(said)
        self.note_time(time)
        if self._number is not None and said.sequence != (self._number + 1) % _WRAP:
            self.sequence(said.sequence, self._number, time)
        self._number = said.sequence
        quality = (0 if said.whole else _PARTIAL) | (_AMBIGUOUS if self._zone.ambiguous else 0)
        extra: dict[str, Any] = {"sequence": said.sequence, "quality": quality, "time_uncertainty": 1000}
        if caller := _caller(said.device):
            extra["caller"] = caller
        return self._meaning.say(said, time, extra)

    def _time(self, said: text.Record) -> int:
        """The record's stamp as µs UTC; its second colon is a blank."""
        date, shown = _DATE.fullmatch(said.date), _CLOCK.fullmatch(said.clock)
        if date is None or shown is None:
            raise Unreadable(f"stamp {said.date[:12]!r} {said.clock[:14]!r}, expected yyyy/MM/dd and HH:MM SS.mmm")
        year, month, day = map(int, date.groups())
        hour, minute, second, milli = map(int, shown.groups())
        try:
            return self._zone.utc(naive(year, month, day, hour, minute, second, milli * 1000))
        except (ValueError, OverflowError):
            raise Unreadable("no such date or time, expected a calendar's") from None


def _caller(device: str) -> str | None:
    """The calling process that traces since 2025 name after the device: `CashDispenser MoniPlus2.Loade N/A 8016 7724`."""
    parts = device.split()
    return mask(parts[1][:60]) if len(parts) >= 4 and parts[1] != "N/A" else None


def sniff(head: bytes, name: str) -> int:
    """Whether the mark and a record stand near the beginning."""
    found = re.search(rb"4294967295\d{14}\d{4}", head[:65536])
    return 97 if found and found.start() < 4096 else 0


def reader(reading: Reading) -> Reader:
    """A reader at the beginning of a source."""
    return _NextwareReader(reading)

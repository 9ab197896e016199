"""The dated files of one log (`EJ20260301.jrn`, `EJ20260302.jrn`): which is being read, and which comes after it.

Whoever writes on the machine chooses the names. A file of a day to come would draw the reading away from today's, so it waits for
its day and is told; so is a file that grows after the next was begun.
"""

import os
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from jackstop.intake._logfile import Shape, shape
from jackstop.intake._pattern import DATE, GZIP, dated_like


class Dates:
    """The dated files of a log, in the order of the digits of their dates.

    Args:
        path: the log, with `{date}` left standing. name: the file that is being read; "" before the first. links: follow links.
        zone: time zone of the machine that writes.

    Attributes:
        name: as above. there: whether there is a file that is not packed. following: the next that has something in it.
        fault: what is odd about the files; empty for nothing.
    """

    def __init__(self, path: str, name: str, *, links: bool, zone: str = "UTC") -> None:
        self.name, self.there, self.fault = name, False, ""
        self._zone = zone
        self._left: tuple[str, Shape] | None = None
        self._undated = ""
        self.following: str | None = None
        self._folder, self._pattern = os.path.split(path)
        before, _, after = self._pattern.partition(DATE)
        self._before, self._after = len(before), len(after)
        self._links = links
        self._told: Sequence[str] | None = None
        self._later: list[str] = []

    @property
    def path(self) -> str:
        """The file that is being read."""
        return self.path_of(self.name or self._pattern)

    @property
    def listed(self) -> bool:
        """Whether the file that is being read was among the files when they were last told, not packed."""
        return self._told is not None and self.name in self._told

    def path_of(self, name: str) -> str:
        """The path of one of the files."""
        return os.path.join(self._folder, name)

    def near(self, name: str) -> bool:
        """Whether a name in the folder is not that of a dated file."""
        return not dated_like(name.removesuffix(GZIP), self._pattern)

    def choose(self, files: Sequence[str], *, newest: bool) -> None:
        """Begin with the earliest file there is, or with the newest."""
        plain = [n for n in files if not n.endswith(GZIP) and self._order(n)[0] > date.min and not self._ahead(n)]
        self.name, self._told = (max if newest else min)(plain, key=self._order, default=""), None

    def renew(self, files: Sequence[str]) -> bool:
        """Hear which files there are now, packed ones too. Whether they are others than before."""
        changed, self._told = files != self._told, files
        if changed:
            self.there = any(not name.endswith(GZIP) for name in files)
            self._later = list({name.removesuffix(GZIP) for name in files})
            self._undated = next((name for name in files if self._order(name.removesuffix(GZIP))[0] == date.min), "")
            self._pass_over()
        self._find()
        return changed

    def turn(self) -> None:
        """The next file is being read."""
        left = shape(self.path, links=self._links)
        self._left = None if left is None else (self.path, left)
        self.name = self.following or self.name
        self._pass_over()
        self._find()

    def holds(self, files: Sequence[str]) -> bool:
        """Whether the file being read, or a later one, is among these."""
        return any(self._order(name.removesuffix(GZIP)) >= self._order(self.name) for name in files)

    def _pass_over(self) -> None:
        """What is not later than the file that is being read is not read any more."""
        now = self._order(self.name)
        later = sorted((order, name) for name in self._later if (order := self._order(name)) > now)
        self._later = [name for order, name in later if order[0] > date.min]

    def _find(self) -> None:
        """The next file that has something in it: an empty one may be there long before its day.

        None where one before it cannot be seen now: it is there still, or the names will be told anew.
        """
        self.following, self.fault = None, self._grown()
        if self._undated and not self.fault:
            self.fault = f"{self._undated}: of no day, expected a date, the year first; it is not read"
        for name in self._later:
            if self._ahead(name):
                self.fault = f"{name}: of a day that has not come, expected today's at most; it is read then"
                return
            path = self.path_of(name)
            known = shape(path, links=self._links) or shape(path + GZIP, links=self._links)
            if known is None or known.size:
                self.following = name if known else None
                return

    def _grown(self) -> str:
        """What is to be said of the file that was left last."""
        if self._left is None:
            return ""
        path, then = self._left
        now = shape(path, links=self._links)
        grew = now is not None and now.ino == then.ino and now.size > then.size
        return f"{os.path.basename(path)}: grew after the next was begun, what was added is not read" if grew else ""

    def _ahead(self, name: str) -> bool:
        """Whether a file is of a day that has not come where the machine stands."""
        return self._order(name)[0] > today(self._zone)

    def _order(self, name: str) -> tuple[date, str, str]:
        """The file's day, the earliest there is where it has none; its digits; its date as written."""
        text = name[self._before : len(name) - self._after]
        digits = "".join(filter(str.isdigit, text))
        return day_of(digits) or date.min, digits, text


def today(zone: str) -> date:
    """The day it is in a time zone, by a clock that may be a quarter of an hour ahead of ours."""
    return (datetime.now(ZoneInfo(zone)) + timedelta(minutes=15)).date()


_SHORT = {6: ("%y%m%d", "%Y%m"), 7: ("%Y%j",), 8: ("%Y%m%d",)}
_LONG = ("%Y%m%d", "%y%m%d")
_SIZE = {"%Y%m%d": 8, "%y%m%d": 6, "%Y%m": 6, "%Y%j": 7}


@lru_cache(maxsize=4096)
def day_of(digits: str) -> date | None:
    """The day that a file's digits begin with, the year first; None where they begin with none. All machines have the same few.

    `20260301`, `260301`, `202603` (its first day), `2026060` (day of the year); behind eight or six digits a time may stand.
    """
    for form in _SHORT.get(len(digits), _LONG if len(digits) > max(_SHORT) else ()):
        try:
            day = datetime.strptime(digits[: _SIZE[form]], form).date()  # noqa: DTZ007 - a date
        except ValueError:
            continue
        if 1990 <= day.year < 2200:
            return day
    return None

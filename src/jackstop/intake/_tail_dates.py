"""The dated files of one log (`EJ20260301.jrn`, `EJ20260302.jrn`): which is being read, and which comes after it."""

import os
from collections.abc import Sequence

from jackstop.intake._logfile import shape
from jackstop.intake._pattern import DATE, PACKED, dated_like


class Dates:
    """The dated files of a log, in the order of the digits of their dates.

    Args:
        path: the log, with `{date}` left standing. name: the file that is being read; "" before the first. links: follow links.

    Attributes:
        name: as above. there: whether there is a file that is not packed. following: the next that has something in it.
    """

    def __init__(self, path: str, name: str, *, links: bool) -> None:
        self.name, self.there = name, False
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
        return not dated_like(name.removesuffix(PACKED), self._pattern)

    def choose(self, files: Sequence[str], *, newest: bool) -> None:
        """Begin with the earliest file there is, or with the newest."""
        plain = [name for name in files if not name.endswith(PACKED)]
        self.name, self._told = (max if newest else min)(plain, key=self._order, default=""), None

    def renew(self, files: Sequence[str]) -> bool:
        """Hear which files there are now, packed ones too. Whether they are others than before."""
        changed, self._told = files != self._told, files
        if changed:
            self.there = any(not name.endswith(PACKED) for name in files)
            self._later = list({name.removesuffix(PACKED) for name in files})
            self._pass_over()
        self._find()
        return changed

    def turn(self) -> None:
        """The next file is being read."""
        self.name = self.following or self.name
        self._pass_over()
        self._find()

    def holds(self, files: Sequence[str]) -> bool:
        """Whether the file being read, or a later one, is among these."""
        return any(self._order(name.removesuffix(PACKED)) >= self._order(self.name) for name in files)

    def _pass_over(self) -> None:
        """What is not later than the file that is being read is not read any more."""
        now = self._order(self.name)
        self._later = sorted((name for name in self._later if self._order(name) > now), key=self._order)

    def _find(self) -> None:
        """The next file that has something in it: an empty one may be there long before its day.

        None where one before it cannot be seen now: it is there still, or the names will be told anew.
        """
        self.following = None
        for name in self._later:
            path = self.path_of(name)
            known = shape(path, links=self._links) or shape(path + PACKED, links=self._links)
            if known is None or known.size:
                self.following = name if known else None
                return

    def _order(self, name: str) -> tuple[str, str]:
        date = name[self._before : len(name) - self._after]
        return "".join(filter(str.isdigit, date)), date

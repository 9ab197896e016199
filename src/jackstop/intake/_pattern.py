"""Paths with `*`, `?`, `[…]`, one `{terminal}` and one `{date}`: which files or folders there are, and of which terminal."""

import os
import re
import sys
import time
from collections.abc import Iterator
from typing import NamedTuple

DATE = "{date}"
GZIP = ".gz"
_TERMINAL = "{terminal}"
_MAGIC = re.compile(r"[*?\[]|\{terminal\}|\{date\}")
_TOKEN = re.compile(r"\{terminal\}|\{date\}|\*|\?|\[!?\]?[^\]]*\]|.", re.DOTALL)
_DAY = r"\d(?:[-_.T:]*\d){3,31}[-_.T:]*?"
_LONGEST = 32
_YEAR = r"(?=(?:19|20)\d\d[-_.]?(?:0[1-9]|1[0-2]))"
"""What a date most likely begins with; tried first, so that the digits of a terminal's name before it are none of it."""

_SURE = 2_000_000_000
"""ns after a folder's last change until its time is sure to change with the next."""
_LISTED_FOR = 600
"""Seconds after which a folder is listed anew though its time did not change: not every file system tells."""

_Part = tuple[bool, tuple[re.Pattern[str], ...]]


class Found(NamedTuple):
    """A path that fits, or many that differ in their date.

    Attributes:
        path: whole, `{date}` left standing in it. relative: from the pattern's fixed beginning. terminal: its name (None: not
            told). files: names of the dated files there are, those packed by gzip too; none where the path has no date.
    """

    path: str
    relative: str
    terminal: str | None
    files: tuple[str, ...] = ()


class _Listed(NamedTuple):
    """What a folder held: its inode and time of change, whether that time can be relied on, until when, and what fits."""

    told: tuple[int, int]
    sure: bool
    until: float
    found: list[Found]


class Pattern:
    """A pattern of paths. Names that begin with a dot fit only a part that does; links are passed over unless they are wanted.

    Args:
        text: the pattern. root: where a relative one begins. folders: find folders instead of files. links: follow links.

    Raises:
        ValueError: the pattern means nothing.
    """

    def __init__(self, text: str, root: str, *, folders: bool = False, links: bool = False) -> None:
        check(text, dated=not folders)
        whole = os.path.normpath(os.path.join(root, text)).split("/")
        first = next((n for n, part in enumerate(whole) if _MAGIC.search(part)), len(whole) - 1)
        self.base = "/".join(whole[:first]) or "/"
        self._parts = [_part(part) for part in whole[first:]]
        self.dated = "date" in self._parts[-1][1][0].groupindex
        self._folders, self._links = folders, links
        self._listed: dict[str, _Listed] = {}
        self._before: dict[str, _Listed] = {}

    def walk(self) -> Iterator[Found]:
        """Every path that fits, folders in the order of their names; one for all that differ in their date.

        What cannot be read is passed over.
        """
        self._before, self._listed = self._listed, {}
        yield from self._within(self.base, 0, None)

    def fits(self, relative: str) -> bool:
        """Whether a path, from the fixed beginning, fits by its name."""
        names = relative.split("/")
        return len(names) == len(self._parts) and all(map(_match, self._parts, names))

    def terminal(self, relative: str) -> str | None:
        """The terminal that a path, from the fixed beginning, names."""
        named = [
            m.groupdict().get("terminal")
            for part, name in zip(self._parts, relative.replace(DATE, "20000101").split("/"), strict=False)
            if (m := _match(part, name))
        ]
        return next((n for n in named if n), None)

    def _within(self, folder: str, n: int, terminal: str | None) -> Iterator[Found]:
        last = n == len(self._parts) - 1
        if last and self.dated:
            yield from self._dated(folder, terminal)
            return
        try:
            with os.scandir(folder) as listed:
                entries = sorted(listed, key=lambda e: e.name)
        except OSError:
            return
        for entry in entries:
            match = _match(self._parts[n], entry.name)
            if match is None or not self._is(entry, folder=not last or self._folders):
                continue
            named = match.groupdict().get("terminal") or terminal
            if last:
                yield self._found(entry.path, named)
            else:
                yield from self._within(entry.path, n + 1, named)

    def _dated(self, folder: str, terminal: str | None) -> list[Found]:
        """The dated files of a folder, which is listed only if it may have changed."""
        try:
            shown = os.stat(folder)
            told, listed = (shown.st_ino, shown.st_mtime_ns), self._before.get(folder)
            if listed is None or listed.told != told or not listed.sure or listed.until < time.monotonic():
                until = time.monotonic() + _LISTED_FOR + hash(folder) % _LISTED_FOR
                listed = _Listed(told, time.time_ns() - told[1] > _SURE, until, self._list(folder, terminal))
        except OSError:
            return []
        self._listed[folder] = listed
        return listed.found

    def _list(self, folder: str, terminal: str | None) -> list[Found]:
        """The files of a folder, those that differ in their date as one.

        Raises:
            OSError: the folder cannot be read.
        """
        found: dict[str, tuple[str | None, list[str]]] = {}
        with os.scandir(folder) as entries:
            for entry in entries:
                match = _match(self._parts[-1], entry.name.removesuffix(GZIP))
                if match is None or not self._is(entry, folder=False):
                    continue
                name = match.string[: match.start("date")] + DATE + match.string[match.end("date") :]
                if name not in found:
                    found[name] = match.groupdict().get("terminal") or terminal, []
                found[name][1].append(sys.intern(entry.name))
        return [
            self._found(os.path.join(folder, name), named, tuple(sorted(files))) for name, (named, files) in sorted(found.items())
        ]

    def _found(self, path: str, terminal: str | None, files: tuple[str, ...] = ()) -> Found:
        return Found(path, os.path.relpath(path, self.base), terminal, files)

    def _is(self, entry: "os.DirEntry[str]", *, folder: bool) -> bool:
        try:
            return entry.is_dir(follow_symlinks=self._links) if folder else entry.is_file(follow_symlinks=self._links)
        except OSError:
            return False


def check(text: str, *, dated: bool = False) -> str:
    """The pattern, if it means something.

    Args:
        dated: whether `{date}` may stand in it.

    Raises:
        ValueError: it does not; the message says what was expected.
    """
    if not text.strip("/ ") or "\0" in text:
        raise ValueError(f"path is {text!r}, expected a pattern such as /srv/atm/{_TERMINAL}/*.log")
    if "**" in text:
        raise ValueError(f"path is {text!r}, expected one * for each level of folders, not **")
    bare = text.replace(DATE, "") if dated else text
    if bare.count(_TERMINAL) > 1 or re.search(r"[{}]", bare.replace(_TERMINAL, "")):
        allowed = f"{_TERMINAL} and {DATE}" if dated else _TERMINAL
        raise ValueError(f"path is {text!r}, expected {allowed} once at most, and no other braces")
    if text.count(DATE) > 1:
        raise ValueError(f"path is {text!r}, expected {DATE} once at most")
    if DATE in os.path.dirname(os.path.normpath(text)):
        raise ValueError(f"path is {text!r}, expected {DATE} in the file's name, not in a folder's")
    return text


def dated_like(name: str, pattern: str) -> bool:
    """Whether a file's name is that of a dated file; `pattern` is a name with `{date}` left standing."""
    before, _, after = pattern.partition(DATE)
    if not name.startswith(before) or not name.endswith(after):
        return False
    date = name[len(before) : len(name) - len(after)]
    return len(date) <= _LONGEST and re.fullmatch(_DAY, date) is not None


def _match(part: _Part, name: str) -> re.Match[str] | None:
    dotted, regexes = part
    if name.startswith(".") and not dotted:
        return None
    for regex in regexes:
        match = regex.fullmatch(name)
        if match is not None and ("date" not in regex.groupindex or len(match["date"]) <= _LONGEST):
            return match
    return None


def _part(part: str) -> _Part:
    """A part of a pattern: whether it begins with a dot, and what fits it, the likeliest first."""
    dates = [_YEAR + _DAY, (r"(?<!\d)" if re.search(r"(?:\*|\{terminal\})\{date\}", part) else "") + _DAY]
    likely, general = (re.compile(_regex(part, f"(?P<date>{date})")) for date in dates)
    return part.startswith("."), (likely, general) if "date" in general.groupindex else (general,)


def _regex(part: str, date: str) -> str:
    """A pattern's part as a regular expression. All stars but the last are atomic, so that long names cost little."""
    out = [""]
    for piece in _TOKEN.findall(part):
        if piece == "*":
            out.append("")
        else:
            out[-1] += date if piece == DATE else _one(piece)
    first, *rest = out
    middle = "".join(f"(?>.*?{between})" for between in rest[:-1])
    star = ".*?" if rest and date in rest[-1] else ".*"
    return first + middle + (star + rest[-1] if rest else "")


def _one(piece: str) -> str:
    """A sign of a pattern that is no star."""
    if piece == _TERMINAL:
        return "(?P<terminal>.+?)"
    if piece == "?":
        return "."
    if piece[0] == "[" and len(piece) > 2:
        inner = piece[1:-1].replace("\\", "\\\\").replace("[", "\\[")
        return f"[^{inner[1:]}]" if inner[0] == "!" else f"[{inner}]"
    return re.escape(piece)

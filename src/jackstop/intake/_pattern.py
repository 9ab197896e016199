"""Paths with `*`, `?`, `[…]` and one `{terminal}`: which files or folders there are, and of which terminal."""

import os
import re
from collections.abc import Iterator
from typing import NamedTuple

_TERMINAL = "{terminal}"
_MAGIC = re.compile(r"[*?\[]|\{terminal\}")
_TOKEN = re.compile(r"\{terminal\}|\*|\?|\[!?\]?[^\]]*\]|.", re.DOTALL)


class Found(NamedTuple):
    """A path that fits: the whole path, the path from the pattern's fixed beginning, the terminal's name (None: not told)."""

    path: str
    relative: str
    terminal: str | None


class Pattern:
    """A pattern of paths. Names that begin with a dot fit only a part that does; links are passed over unless they are wanted.

    Args:
        text: the pattern. root: where a relative one begins. folders: find folders instead of files. links: follow links.

    Raises:
        ValueError: the pattern means nothing.
    """

    def __init__(self, text: str, root: str, *, folders: bool = False, links: bool = False) -> None:
        check(text)
        whole = os.path.normpath(os.path.join(root, text)).split("/")
        first = next((n for n, part in enumerate(whole) if _MAGIC.search(part)), len(whole) - 1)
        self.base = "/".join(whole[:first]) or "/"
        self._parts = [(part.startswith("."), re.compile(_regex(part))) for part in whole[first:]]
        self._folders, self._links = folders, links

    def walk(self) -> Iterator[Found]:
        """Every path that fits, folders in the order of their names. What cannot be read is passed over."""
        yield from self._within(self.base, 0, None)

    def fits(self, relative: str) -> bool:
        """Whether a path, from the fixed beginning, fits by its name."""
        names = relative.split("/")
        return len(names) == len(self._parts) and all(map(_match, self._parts, names))

    def terminal(self, relative: str) -> str | None:
        """The terminal that a path, from the fixed beginning, names."""
        named = [
            m.groupdict().get("terminal")
            for part, name in zip(self._parts, relative.split("/"), strict=False)
            if (m := _match(part, name))
        ]
        return next((n for n in named if n), None)

    def _within(self, folder: str, n: int, terminal: str | None) -> Iterator[Found]:
        last = n == len(self._parts) - 1
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

    def _found(self, path: str, terminal: str | None) -> Found:
        return Found(path, os.path.relpath(path, self.base), terminal)

    def _is(self, entry: "os.DirEntry[str]", *, folder: bool) -> bool:
        try:
            return entry.is_dir(follow_symlinks=self._links) if folder else entry.is_file(follow_symlinks=self._links)
        except OSError:
            return False


def check(text: str) -> str:
    """The pattern, if it means something.

    Raises:
        ValueError: it does not; the message says what was expected.
    """
    if not text.strip("/ ") or "\0" in text:
        raise ValueError(f"path is {text!r}, expected a pattern such as /srv/atm/{_TERMINAL}/*.log")
    if "**" in text:
        raise ValueError(f"path is {text!r}, expected one * for each level of folders, not **")
    if text.count(_TERMINAL) > 1 or re.search(r"[{}]", text.replace(_TERMINAL, "")):
        raise ValueError(f"path is {text!r}, expected {_TERMINAL} once at most, and no other braces")
    return text


def _match(part: tuple[bool, re.Pattern[str]], name: str) -> re.Match[str] | None:
    dotted, regex = part
    return None if name.startswith(".") and not dotted else regex.fullmatch(name)


def _regex(part: str) -> str:
    """A pattern's part as a regular expression. All stars but the last are atomic, so that long names cost little."""
    out = [""]
    for piece in _TOKEN.findall(part):
        if piece == "*":
            out.append("")
        else:
            out[-1] += _one(piece)
    first, *rest = out
    middle = "".join(f"(?>.*?{between})" for between in rest[:-1])
    return first + middle + (f".*{rest[-1]}" if rest else "")


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

"""`fleet.toml`: read, checked whole, and every fault told with its line."""

import re
import tomllib
from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from jackstop.model.fleet import Fleet

LARGEST = 64 << 20
"""Bytes of `fleet.toml` that are read at most."""


class BundleError(Exception):
    """The bundle cannot be used. `faults`: one line each, `file:line: what, expected what`."""

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__("; ".join(faults))
        self.faults = tuple(faults)


def read(path: Path) -> Fleet:
    """The fleet that a file declares.

    Raises:
        BundleError: it is missing, not UTF-8, not TOML, has unknown keys, wrong values or contradictions; all of them.
    """
    text = _text(path)
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as fault:
        line = re.search(r"at line (\d+)", str(fault))
        where = f"{path}:{line.group(1)}" if line else f"{path}"
        raise BundleError([f"{where}: {str(fault).split(' (at')[0]}, expected TOML 1.0"]) from None
    except RecursionError:
        raise BundleError([f"{path}: nested too deeply, expected a fleet.toml as docs/bundle.md shows"]) from None
    try:
        fleet = Fleet.model_validate(raw)
    except ValidationError as fault:
        lines = text.splitlines()
        raise BundleError([f"{path}:{_line(lines, e['loc'])}: {_words(e)}" for e in fault.errors()]) from None
    if faults := fleet.faults():
        lines = text.splitlines()
        raise BundleError([f"{path}:{_line(lines, where)}: {what}" for where, what in faults])
    return fleet


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST + 1)
    except OSError as fault:
        raise BundleError([f"{path}: {fault.strerror or fault}, expected a readable fleet.toml"]) from None
    if len(data) > LARGEST:
        raise BundleError([f"{path}: longer than {LARGEST} bytes, expected a fleet.toml"])
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as fault:
        line = data.count(b"\n", 0, fault.start) + 1
        raise BundleError([f"{path}:{line}: byte {fault.start} is not UTF-8, expected UTF-8 text"]) from None


def _words(error: object) -> str:
    """One pydantic error in one line: what, and what was expected."""
    told = dict(error)  # type: ignore[call-overload]
    name = ".".join(str(p) for p in told["loc"])
    match told["type"]:
        case "extra_forbidden":
            return f"unknown key {name!r}, expected one of those in docs/bundle.md"
        case "missing":
            return f"{name!r} is missing, expected a value"
        case "value_error":
            return f"{name}: {str(told['msg']).removeprefix('Value error, ')}"
        case _:
            said = str(told["msg"])
            return f"{name} is {told['input']!r}, expected: {said[0].lower()}{said[1:]}"


def _line(lines: Sequence[str], where: Sequence[str | int]) -> int:
    """The line (from 1) an entry stands on, as near as the text allows: its key, else its table's header."""
    at = 0
    for i, part in enumerate(where):
        if isinstance(part, int):
            continue
        nth = where[i + 1] if i + 1 < len(where) and isinstance(where[i + 1], int) else 0
        found = _header(lines, at, part, int(nth)) if i == 0 else None
        found = _key(lines, at, part) if found is None else found
        if found is not None:
            at = found
    return at + 1


def _header(lines: Sequence[str], start: int, name: str, nth: int) -> int | None:
    """The nth table header of this name."""
    heads = [i for i, line in enumerate(lines) if i >= start and re.match(rf"\s*\[\[?\s*{re.escape(name)}\s*\]", line)]
    return heads[nth] if nth < len(heads) else None


def _key(lines: Sequence[str], start: int, name: str) -> int | None:
    """The key of this name in the table that begins at `start`."""
    for i in range(start, len(lines)):
        if i > start and lines[i].lstrip().startswith("[["):
            return None
        if re.search(rf"(?:^|[\s{{,\".]){re.escape(name)}[\"\s]*(?:=|\])", lines[i]):
            return i
    return None

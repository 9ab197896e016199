"""`fleet.toml`: read, checked whole, and every fault told with its line."""

from collections.abc import Sequence
from pathlib import Path

from jackstop.model import declared
from jackstop.model.fleet import Fleet

LARGEST = 64 << 20
"""Bytes of `fleet.toml` that are read at most."""

_PAGE = "docs/bundle.md"


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
        fleet = declared.parse(text, str(path), Fleet, _PAGE)
    except declared.Undeclared as fault:
        raise BundleError(fault.faults) from None
    if faults := fleet.faults():
        lines = text.splitlines()
        raise BundleError([f"{path}:{declared.line(lines, where)}: {what}" for where, what in faults])
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

"""An advisory by its id, or from a file: TOML as `docs/advisories.md` shows it, or a STIX 2.1 bundle in JSON."""

from pathlib import Path

from jackstop import advisories
from jackstop.advisories import Imported, Undeclared
from jackstop.sources.fleet_file import BundleError

LARGEST = 32 << 20
"""Bytes of an advisory's file that are read at most."""


def read(name: str) -> Imported:
    """A shipped advisory by its id, or one in a file whose name ends in `.toml` or `.json`.

    Raises:
        BundleError: it is neither, or the file cannot be read or used; every fault with its line.
    """
    if name in advisories.names():
        return Imported(advisories.find(name))
    path = Path(name)
    if path.suffix not in {".toml", ".json"}:
        raise BundleError(
            [f"advisory {name!r} is unknown, expected one of: {', '.join(advisories.names())}, or a .toml or STIX .json file"]
        )
    data = _bytes(path)
    try:
        if path.suffix == ".json":
            return advisories.from_stix(data, name)
        return Imported(advisories.from_toml(data.decode("utf-8-sig"), name))
    except UnicodeDecodeError as fault:
        line = data.count(b"\n", 0, fault.start) + 1
        raise BundleError([f"{name}:{line}: byte {fault.start} is not UTF-8, expected UTF-8 text"]) from None
    except Undeclared as fault:
        raise BundleError(fault.faults) from None


def _bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST + 1)
    except OSError as fault:
        raise BundleError([f"{path}: {fault.strerror or fault}, expected a readable advisory"]) from None
    if len(data) > LARGEST:
        raise BundleError([f"{path}: longer than {LARGEST} bytes, expected an advisory"])
    return data

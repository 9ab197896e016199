"""A bundle: a folder with `fleet.toml`, `visits.csv` and logs (see docs/bundle.md)."""

import gzip
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import BinaryIO, cast

import polars as pl

from jackstop import formats
from jackstop.advisories import Indicator
from jackstop.model.fleet import Fleet, Reading, Source, microseconds
from jackstop.model.tables import VISITS
from jackstop.sources import fleet_file, knowledge
from jackstop.sources.fleet_file import BundleError

__all__ = ["HEAD", "Bundle", "BundleError", "BundleFile", "load", "opened", "reading_of"]

HEAD = 1 << 16
"""Bytes looked at to tell a file's format."""

_SURE = 30
"""A guess less certain than this (of 100) is no guess."""


@dataclass(frozen=True, slots=True)
class BundleFile:
    """One log file: where it is, how it is read, how late its rows usually arrive (µs), its bytes on disk."""

    path: Path
    name: str
    format: str
    reading: Reading
    latency: int
    terminal: str | None
    size: int


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle ready to be read.

    Attributes:
        root: its folder. fleet, files, visits: what it holds. warnings: what could not be used, one line each.
        indicators: of the advisories in its folder `advisories`. detections: rule files in its folder `detections`, by path.
    """

    root: Path
    fleet: Fleet
    files: tuple[BundleFile, ...]
    visits: pl.DataFrame
    warnings: tuple[str, ...]
    indicators: tuple[Indicator, ...] = ()
    detections: Mapping[str, str] = field(default_factory=dict)


def load(root: Path) -> Bundle:
    """The bundle in a folder: its fleet, its visits, and the files its sources name.

    Raises:
        BundleError: there is no folder, or `fleet.toml`, an advisory or a rule in it is wrong. A log file that is missing or
            cannot be read is a warning: the rest is decided all the same.
    """
    if not root.is_dir():
        raise BundleError([f"{root}: no such folder, expected a bundle: a folder with fleet.toml and logs"])
    fleet = fleet_file.read(root / "fleet.toml")
    _known_formats(root, fleet)
    warnings: list[str] = []
    files: dict[str, BundleFile] = {}
    for nth, source in enumerate(fleet.source):
        _collect(root, fleet, source, nth, files, warnings)
    announced = visits(root / "visits.csv", fleet, warnings)
    if not fleet.source:
        warnings.append(f"{root / 'fleet.toml'}: no [[source]], expected at least one: nothing will be read")
    listed, rules = knowledge.indicators(root, warnings), knowledge.rules(root)
    return Bundle(root, fleet, tuple(files[n] for n in sorted(files)), announced, tuple(warnings), listed, rules)


def _known_formats(root: Path, fleet: Fleet) -> None:
    known = formats.names()
    faults = [
        f"{root / 'fleet.toml'}: source {i + 1} has format {s.format!r}, expected one of: {', '.join(known)}"
        for i, s in enumerate(fleet.source)
        if s.format is not None and s.format not in known
    ]
    faults += [
        f"{root / 'fleet.toml'}: source {i + 1} has path {s.path!r}, expected a path inside the bundle"
        for i, s in enumerate(fleet.source)
        if PurePosixPath(s.path).is_absolute() or ".." in PurePosixPath(s.path).parts
    ]
    if faults:
        raise BundleError(faults)


def _collect(root: Path, fleet: Fleet, source: Source, nth: int, files: dict[str, BundleFile], warnings: list[str]) -> None:
    """The files of one source."""
    real = root.resolve()
    found = False
    for path in sorted(root.glob(source.path)):
        if not path.is_file():
            continue
        found = True
        name = path.relative_to(root).as_posix()
        if not path.resolve().is_relative_to(real):
            warnings.append(f"{name}: leads outside the bundle, expected a file in it: left out")
        elif name in files:
            warnings.append(f"{name}: named by two sources (the second is number {nth + 1}), expected one: the first is used")
        elif (file := _file(root, path, name, fleet, source, warnings)) is not None:
            files[name] = file
    if not found:
        warnings.append(f"{source.path}: no file matches, expected at least one (source {nth + 1} of fleet.toml)")


def _file(root: Path, path: Path, name: str, fleet: Fleet, source: Source, warnings: list[str]) -> BundleFile | None:
    try:
        size = path.stat().st_size
        with opened(path) as file:
            head = file.read(HEAD)
    except (OSError, EOFError, zlib.error) as fault:
        warnings.append(f"{name}: {getattr(fault, 'strerror', None) or fault}, expected a readable file: left out")
        return None
    chosen = source.format
    if chosen is None:
        sure, chosen = next(formats.guess(head, name), (0, ""))
        if sure < _SURE:
            warnings.append(f"{name}: format not recognised, expected `format =` in fleet.toml: left out")
            return None
    try:
        reading = reading_of(root, name, fleet, source)
    except (OSError, UnicodeDecodeError) as fault:
        warnings.append(f"{source.spec}: {fault}, expected a readable sidecar specification: {name} left out")
        return None
    return BundleFile(path, name, chosen, reading, microseconds(source.latency), source.terminal, size)


def reading_of(root: Path, name: str, fleet: Fleet, source: Source) -> Reading:
    """What a reader has to know of one file: the source's own settings, else its terminal's, else the fleet's.

    Raises:
        OSError, UnicodeDecodeError: the sidecar specification cannot be read.
    """
    terminal = next((t for t in fleet.terminal if t.id == source.terminal), None)
    spec = (root / source.spec).read_text("utf-8") if source.spec else None
    return Reading(
        name=name,
        terminal=source.terminal,
        timezone=source.timezone or (terminal and terminal.timezone) or fleet.fleet.timezone,
        currency=source.currency or (terminal and terminal.currency) or fleet.fleet.currency,
        date_order=source.date_order,
        columns=source.columns,
        events=source.events,
        spec=spec,
        encoding=source.encoding,
    )


def opened(path: Path) -> BinaryIO:
    """A log file opened for reading, unpacked on the way if its name ends in `.gz`.

    Raises:
        OSError: it cannot be opened.
    """
    if path.suffix == ".gz":
        return cast(BinaryIO, gzip.open(path, "rb"))
    return path.open("rb")


def pieces(path: Path, size: int) -> Iterator[bytes]:
    """A file's bytes in pieces of `size`."""
    with opened(path) as file:
        while piece := file.read(size):
            yield piece


def visits(path: Path, fleet: Fleet, warnings: list[str], *, missing: bool = True) -> pl.DataFrame:
    """The authorised activity in a file of visits; refused lines are warnings. `missing`: it need not be there."""
    if missing and not path.exists():
        return VISITS.empty()
    reader = formats.find("visits").reader(
        Reading(name="visits.csv", timezone=fleet.fleet.timezone, currency=fleet.fleet.currency)
    )
    frames = []
    try:
        data = path.read_bytes()
    except OSError as fault:
        warnings.append(f"visits.csv: {fault.strerror or fault}, expected a readable file: no visit is known")
        return VISITS.empty()
    decoded = reader.feed(data, final=True)
    frames.append(decoded.tables.visits)
    warnings += [f"visits.csv:{_line_of(data, r.offset)}: {r.reason}: line left out" for r in decoded.refusals]
    found = pl.concat(frames)
    known = {t.id for t in fleet.terminal}
    strange = sorted(set(found["terminal"].drop_nulls()) - known)
    warnings += [f"visits.csv: terminal {t!r} is not in this fleet: its visits explain nothing" for t in strange]
    return found


def _line_of(data: bytes, offset: int) -> int:
    return data.count(b"\n", 0, offset) + 1

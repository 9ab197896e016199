"""What a bundle adds to what jackstop knows: advisories in its folder `advisories`, detections in its folder `detections`."""

from collections.abc import Iterator
from pathlib import Path

from jackstop.advisories import Advisory, Indicator
from jackstop.sources import advisory_file
from jackstop.sources.fleet_file import BundleError

LARGEST = 1 << 20
"""Bytes of a rule file that are read at most."""


def indicators(root: Path, warnings: list[str], folder: str = "advisories") -> tuple[Indicator, ...]:
    """The indicators of the advisories in a bundle (`advisories/*.toml`, STIX 2.1 `advisories/*.json`).

    Raises:
        BundleError: one cannot be read or used. What an import left out is a warning.
    """
    return tuple(i for one in advisories(root, warnings, folder) for i in one.indicators)


def advisories(root: Path, warnings: list[str], folder: str = "advisories") -> tuple[Advisory, ...]:
    """The advisories in a folder; as `indicators`."""
    found: list[Advisory] = []
    for path in _inside(root, folder, (".toml", ".json")):
        read = advisory_file.read(str(path))
        warnings += read.left_out
        found.append(read.advisory)
    return tuple(found)


def rules(root: Path, folder: str = "detections") -> dict[str, str]:
    """The text of the rule files in a bundle (`detections/*.yml`), by path inside it.

    Raises:
        BundleError: one cannot be read.
    """
    named = {p.relative_to(root).as_posix(): p for p in _inside(root, folder, (".yml",))}
    return {name: text(path, name) for name, path in named.items()}


def text(path: Path, name: str) -> str:
    """The text of a rule file; `name` is what a fault calls it.

    Raises:
        BundleError: it cannot be read, or is too long to be one.
    """
    try:
        if path.stat().st_size > LARGEST:
            raise BundleError([f"{name}: longer than {LARGEST} bytes, expected a rule file"])
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as fault:
        raise BundleError([f"{name}: {getattr(fault, 'strerror', None) or fault}, expected readable UTF-8 text"]) from None


def _inside(root: Path, folder: str, suffixes: tuple[str, ...]) -> Iterator[Path]:
    """Files of a bundle's folder; one that leads outside is passed over."""
    real = root.resolve()
    for path in sorted((root / folder).glob("*")):
        if path.suffix in suffixes and path.is_file() and path.resolve().is_relative_to(real):
            yield path

"""`jackstop.toml` with everything it names: read once at the start, checked whole, every fault told with its line."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import polars as pl
from pydantic import BaseModel

from jackstop import actions, formats, intake, outlets
from jackstop.advisories import Advisory, Indicator
from jackstop.model import declared
from jackstop.model.fleet import Fleet
from jackstop.model.service import Declared
from jackstop.policy.model import Policy
from jackstop.policy.model import parse as parse_policy
from jackstop.sources import bundle, fleet_file, knowledge
from jackstop.sources.bundle import BundleError
from jackstop.store.database import default_url

PAGE = "docs/live.md"
NAME = "jackstop.toml"
_LARGEST = 4 << 20


class _Kind(Protocol):
    @property
    def Config(self) -> type[BaseModel]:  # noqa: N802 - a module's name
        """What a table of this kind may say."""


_LISTS: Mapping[str, tuple[Callable[[], Sequence[str]], Callable[[str], object], str]] = {
    "intake": (intake.names, intake.find, "kind"),
    "sink": (outlets.names, outlets.find, "kind"),
    "action": (actions.names, actions.find, "way"),
}


@dataclass(frozen=True, slots=True)
class Config:
    """A service ready to be started.

    Attributes:
        path: of `jackstop.toml`. root: its folder. data: the service's own folder. url: of its database.
        declared, fleet, policy: as read. intakes, sinks, ways: the lists of plug-ins, each with the keys of its kind.
        visits: of the file, if there is one. advisories, detections: of the bank's own folders. warnings: a line each.
    """

    path: Path
    root: Path
    data: Path
    url: str
    declared: Declared
    fleet: Fleet
    policy: Policy
    intakes: tuple[intake.Common, ...]
    sinks: tuple[outlets.Common, ...]
    ways: tuple[actions.Common, ...]
    visits: pl.DataFrame
    advisories: tuple[Advisory, ...] = ()
    detections: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    @property
    def indicators(self) -> tuple[Indicator, ...]:
        """What the bank's own advisories list."""
        return tuple(i for one in self.advisories for i in one.indicators)


def load(path: Path) -> Config:
    """A service's configuration.

    Raises:
        BundleError: a file it needs is missing or wrong; every fault of `jackstop.toml`, a line each.
    """
    path = path / NAME if path.is_dir() else path
    text, where = _text(path), str(path)
    try:
        raw = declared.toml(text, where, PAGE)
    except declared.Undeclared as fault:
        raise BundleError(fault.faults) from None
    faults: list[str] = []
    listed = {name: _listed(name, raw.pop(name, []), text, where, faults) for name in _LISTS}
    place = raw.pop("policy", None)
    try:
        said = declared.held(raw, text, where, Declared, PAGE)
    except declared.Undeclared as fault:
        faults += fault.faults
    if faults:
        raise BundleError(faults)
    root = path.resolve().parent
    return _gathered(path, root, said, listed, root / str(place) if place is not None else None)


def _gathered(path: Path, root: Path, said: Declared, listed: dict[str, tuple[Any, ...]], policy: Path | None) -> Config:
    """The configuration with the files it names."""
    warnings: list[str] = []
    fleet = fleet_file.read(root / said.service.fleet)
    _known(path, fleet, listed["intake"])
    data = root / said.service.data
    return Config(
        path=path,
        root=root,
        data=data,
        url=secret(secret(said.service.database, root), root) or default_url(data),
        declared=said,
        fleet=fleet,
        policy=_policy(policy),
        intakes=listed["intake"],
        sinks=listed["sink"],
        ways=listed["action"],
        visits=bundle.visits(root / (said.service.visits or "visits.csv"), fleet, warnings, missing=said.service.visits is None),
        advisories=knowledge.advisories(root, warnings, said.service.advisories or "advisories"),
        detections=knowledge.rules(root, said.service.detections or "detections"),
        warnings=tuple(warnings),
    )


def _listed(name: str, tables: object, text: str, where: str, faults: list[str]) -> tuple[BaseModel, ...]:
    """The tables of one list of plug-ins, each held against what its kind may say."""
    names, find, key = _LISTS[name]
    found: list[BaseModel] = []
    lines, seen = text.splitlines(), set[str]()
    for nth, table in enumerate(tables if isinstance(tables, list) else [tables]):
        at = f"{where}:{declared.line(lines, (name, nth))}"
        kind = table.get(key) if isinstance(table, dict) else None
        if kind not in names():
            faults.append(f"{at}: [[{name}]] has {key} {kind!r}, expected one of: {', '.join(names())}")
            continue
        module: Any = find(str(kind))
        try:
            held = declared.held(table, text, where, module.Config, PAGE, (name, nth))
        except declared.Undeclared as fault:
            faults += fault.faults
            continue
        own = str(getattr(held, "name", ""))
        if own in seen:
            faults.append(f"{at}: [[{name}]] {own!r} is there twice, expected names of their own")
        seen.add(own)
        found.append(held)
    return tuple(found)


def _known(path: Path, fleet: Fleet, intakes: tuple[intake.Common, ...]) -> None:
    """Formats and terminals that intakes name exist."""
    ids, known = {t.id for t in fleet.terminal}, (*formats.names(), "auto")
    faults = []
    for one in intakes:
        if one.format not in known:
            faults.append(f"{path}: intake {one.name!r} has format {one.format!r}, expected one of: {', '.join(known)}")
        if one.terminal is not None and one.terminal not in ids:
            faults.append(f"{path}: intake {one.name!r} has terminal {one.terminal!r}, expected one of the fleet's")
    if faults:
        raise BundleError(faults)


def _policy(path: Path | None) -> Policy:
    """The policy file's policy, or one that does nothing by itself."""
    if path is None:
        return Policy()
    try:
        return parse_policy(_text(path), str(path))
    except declared.Undeclared as fault:
        raise BundleError(fault.faults) from None


def secret(value: str, root: Path) -> str:
    """A value that may be `env:NAME` (an environment variable) or `file:PATH` (its first line), resolved.

    Raises:
        BundleError: the variable is not set, or the file cannot be read. What it holds is never told.
    """
    kind, _, rest = value.partition(":")
    if kind == "env":
        if rest not in os.environ:
            raise BundleError([f"env:{rest}: not set, expected an environment variable"])
        return os.environ[rest]
    if kind == "file":
        try:
            return (root / rest).read_text("utf-8").split("\n", 1)[0].strip()
        except (OSError, UnicodeDecodeError) as fault:
            said = getattr(fault, "strerror", None) or "not text"
            raise BundleError([f"file:{rest}: {said}, expected a readable file"]) from None
    return value


def _text(path: Path) -> str:
    try:
        data = path.read_bytes()[: _LARGEST + 1]
    except OSError as fault:
        raise BundleError([f"{path}: {fault.strerror or fault}, expected a readable file ({PAGE} shows one)"]) from None
    if len(data) > _LARGEST:
        raise BundleError([f"{path}: longer than {_LARGEST} bytes, expected a configuration"])
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise BundleError([f"{path}: not UTF-8, expected UTF-8 text"]) from None

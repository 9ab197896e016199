"""Detections (floor 3): content, one file each, found by file name.

A module whose name has no leading underscore is a detection. Its id is the file's name with the first `_` as `.` and the
others as `-`: `dispense_after_door.py` is `dispense.after-door`. It offers `META` (a `Detection`), `detect(view)` (claims as a
frame of `CLAIMS`, each with the instant it could be made), and `TESTS` (cases that must fire and must not). One over findings
offers `join` besides: see `Joint`. A `.yml` file beside the modules is a detection written as a Sigma rule: see `_sigma`.
"""

import importlib
import pkgutil
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Protocol, cast

import polars as pl

from jackstop.advisories import Indicator
from jackstop.detections import _sigma
from jackstop.detections._cases import Case
from jackstop.detections._claims import CLAIMS, Detection, Text, View
from jackstop.detections._joint import Joint, Past
from jackstop.detections._sigma import Faulty, SigmaDetection
from jackstop.detections._signals import Signals
from jackstop.model.tables import RECORD
from jackstop.model.vocabulary import STAGE

__all__ = [
    "CLAIMS",
    "RECORD",
    "Case",
    "Content",
    "Detection",
    "Faulty",
    "Joint",
    "Past",
    "SigmaDetection",
    "Signals",
    "Text",
    "View",
    "find",
    "joint",
    "learn",
    "named",
    "names",
    "shipped",
    "signals",
    "stage",
]


class Content(Protocol):
    """The role a detection module plays."""

    @property
    def META(self) -> Detection:  # noqa: N802 - a module's constant
        """What it says of itself."""

    @property
    def TESTS(self) -> tuple[Case, ...]:  # noqa: N802 - a module's constant
        """Cases in which it must fire, and in which it must not."""

    def detect(self, view: View) -> pl.DataFrame:
        """Claims about the view; the engine keeps those whose `decided` the watermark has just reached."""


_LEARNT: dict[str, SigmaDetection] = {}


@cache
def shipped() -> tuple[str, ...]:
    """The ids of the detections that come with jackstop, sorted."""
    found = [m.name for m in pkgutil.iter_modules(__path__) if not m.name.startswith("_")] + list(_sigma.shipped())
    return tuple(sorted(_ident(n) for n in found))


def learn(texts: Mapping[str, str]) -> None:
    """Take rule files of the user's own (text by path) in place of those learnt before, for as long as the process lives.

    Raises:
        Faulty: one has faults, or its id is taken; every file's, a line each.
    """
    made, faults = {}, []
    for path, text in sorted(texts.items()):
        try:
            name = named(path)
            if name in shipped() or name in made:
                faults.append(f"{path}: detection {name} is there already, expected an id of its own")
            made[name] = _sigma.build(path, text)
        except Faulty as fault:
            faults += str(fault).splitlines()
    if faults:
        raise Faulty("\n".join(faults))
    _LEARNT.clear()
    _LEARNT.update(made)


def names() -> tuple[str, ...]:
    """The ids of all detections, sorted: those that come with jackstop, and those learnt."""
    return tuple(sorted((*shipped(), *_LEARNT)))


def named(path: str) -> str:
    """The id that follows from a rule file's path.

    Raises:
        Faulty: none does.
    """
    return _ident(_sigma.stem(path))


def _ident(stem: str) -> str:
    return stem.replace("_", ".", 1).replace("_", "-")


def find(name: str) -> Content:
    """The detection of this id.

    Raises:
        LookupError: no such detection; the message lists those there are.
    """
    if name in _LEARNT:
        return _LEARNT[name]
    return _found(name)


@cache
def _found(name: str) -> Content:
    """A detection that comes with jackstop."""
    if name not in shipped():
        raise LookupError(f"unknown detection {name!r}, expected one of: {', '.join(names())}")
    stem = name.replace(".", "_").replace("-", "_")
    return _sigma.made(stem) if stem in _sigma.shipped() else cast(Content, importlib.import_module(f"{__name__}.{stem}"))


@cache
def joint() -> dict[str, Joint]:
    """The detections over findings, by id, in the order of their ids."""
    return {n: cast(Joint, c) for n in shipped() if hasattr(c := find(n), "join")}


def signals(chosen: Iterable[str], indicators: Iterable[Indicator] = (), latency: int = 0, shared: Iterable[str] = ()) -> Signals:
    """The rules of those of some detections that are written as rules, and what advisories list, ready to run.

    `latency`: of the slowest source (µs). `shared`: names of the sources that serve the whole fleet.
    """
    return Signals.of([c for n in chosen if isinstance(c := find(n), SigmaDetection)], indicators, latency, shared)


def stage(name: str) -> str:
    """The stage of an attack that a detection's findings are a sign of; empty where of none."""
    word = find(name).META.stage
    return word if word in STAGE else ""

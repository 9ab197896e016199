"""Detections (floor 3): content, one file each, found by file name.

A module whose name has no leading underscore is a detection. Its id is the file's name with the first `_` as `.` and the
others as `-`: `dispense_after_door.py` is `dispense.after-door`. It offers `META` (a `Detection`), `detect(view)` (claims as a
frame of `CLAIMS`, each with the instant it could be made), and `TESTS` (cases that must fire and must not). One over findings
offers `join` besides: see `Joint`. A `.yml` file beside the modules is a detection written as a Sigma rule: see `_sigma`.
"""

import importlib
import pkgutil
from collections.abc import Iterable
from functools import cache
from typing import Protocol, cast

import polars as pl

from jackstop.detections import _sigma
from jackstop.detections._cases import Case
from jackstop.detections._claims import CLAIMS, RECORD, Detection, Text, View
from jackstop.detections._joint import Joint, Past
from jackstop.detections._sigma import SigmaDetection
from jackstop.detections._signals import Signals
from jackstop.model.vocabulary import STAGE

__all__ = [
    "CLAIMS",
    "RECORD",
    "Case",
    "Content",
    "Detection",
    "Joint",
    "Past",
    "SigmaDetection",
    "Signals",
    "Text",
    "View",
    "find",
    "joint",
    "names",
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


@cache
def names() -> tuple[str, ...]:
    """The ids of all detections, sorted."""
    found = [m.name for m in pkgutil.iter_modules(__path__) if not m.name.startswith("_")] + list(_sigma.texts())
    return tuple(sorted(n.replace("_", ".", 1).replace("_", "-") for n in found))


def find(name: str) -> Content:
    """The detection of this id.

    Raises:
        LookupError: no such detection; the message lists those there are.
    """
    if name not in names():
        raise LookupError(f"unknown detection {name!r}, expected one of: {', '.join(names())}")
    stem = name.replace(".", "_").replace("-", "_")
    return _sigma.made(stem) if stem in _sigma.texts() else cast(Content, importlib.import_module(f"{__name__}.{stem}"))


@cache
def joint() -> dict[str, Joint]:
    """The detections over findings, by id, in the order of their ids."""
    return {n: cast(Joint, c) for n in names() if hasattr(c := find(n), "join")}


def signals(chosen: Iterable[str]) -> Signals:
    """The rules of those of some detections that are written as rules, ready to run."""
    return Signals.of([c for n in chosen if isinstance(c := find(n), SigmaDetection)])


@cache
def stage(name: str) -> str:
    """The stage of an attack that a detection's findings are a sign of; empty where of none."""
    word = find(name).META.stage
    return word if word in STAGE else ""

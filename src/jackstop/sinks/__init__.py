"""Sinks (floor 5): alerts in the shapes that other systems take, one file each, found by file name.

A module whose name has no leading underscore is a sink; its name is its id. It offers `SUFFIX`, the end of a file's name
in that shape, and `line(alert, lang, telling)`: the alert as one line without its line end. Encoders are pure; whatever a log
says, a line stays one line.
"""

import importlib
import pkgutil
from dataclasses import dataclass
from functools import cache
from typing import Protocol, cast

from jackstop.model.results import Alert

__all__ = ["Sink", "Telling", "find", "key", "names"]


@dataclass(frozen=True, slots=True)
class Telling:
    """How the live service tells an alert, which may change; an investigation's alerts are told without one.

    Attributes:
        revision: of the alert, from 1. updated: whether the receiver was told an earlier revision.
        most: findings, and records of each, that are written out.
    """

    revision: int
    updated: bool = False
    most: int = 200


def key(alert: str, revision: int) -> str:
    """The idempotency key of one revision of an alert: the same however often it is sent."""
    return f"{alert}:{revision}"


class Sink(Protocol):
    """The role a sink module plays."""

    SUFFIX: str

    def line(self, alert: Alert, lang: str = "en", telling: Telling | None = None) -> str:
        """The alert in this shape, its words in a language (`en`, `ja`), with no line break anywhere."""


@cache
def names() -> tuple[str, ...]:
    """The ids of all sinks, sorted."""
    return tuple(sorted(m.name for m in pkgutil.iter_modules(__path__) if not m.name.startswith("_")))


def find(name: str) -> Sink:
    """The sink of this id.

    Raises:
        LookupError: no such sink; the message lists those there are.
    """
    if name not in names():
        raise LookupError(f"unknown shape {name!r}, expected one of: {', '.join(names())}")
    return cast(Sink, importlib.import_module(f"{__name__}.{name}"))

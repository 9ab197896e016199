"""Stories: what happens at chosen machines. One file each, found by its name; nobody keeps a list.

A story module offers a docstring whose first line is its description, `META`, and `play(scene, machines, told)`, which plans
acts and notes what is stolen in `told.notes` as (true time µs, terminal, minor units). Acts write log rows, nothing else.
"""

import importlib
import pkgutil
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Protocol, cast

from jackstop.simulator.machine import Machine
from jackstop.simulator.scene import Scene, Told


@dataclass(frozen=True, slots=True)
class Meta:
    """What a story is: an attack or one that only looks like it; its ATT&CK techniques; how many machines it takes.

    `line`: it needs machines whose host line is recorded. `token`: machines with end-to-end dispense security.
    `early`: what comes before the cash shows in two stages or more, so a page must come before the first note is gone.
    `begins`: it needs the scenario to begin at this instant (ISO 8601), so it plays alone and is in no set.
    """

    attack: bool
    techniques: tuple[str, ...] = ()
    terminals: int = 1
    line: bool = False
    token: bool = False
    begins: str | None = None
    early: bool = False

    def fits(self, machine: Machine) -> bool:
        """Whether a machine has what the story needs."""
        return (machine.line or not self.line) and (machine.token or not self.token)


class Story(Protocol):
    """The role a story module plays."""

    __doc__: str | None
    META: Meta

    def play(self, scene: Scene, machines: Sequence[Machine], told: Told) -> None:
        """Plan the story's acts."""


@cache
def names() -> tuple[str, ...]:
    """The names of all stories, sorted."""
    found = (m.name for m in pkgutil.iter_modules(__path__) if not m.name.startswith("_"))
    return tuple(sorted(n.replace("_", "-") for n in found))


def find(name: str) -> Story:
    """The story of this name."""
    return cast(Story, importlib.import_module(f"{__name__}.{name.replace('-', '_')}"))

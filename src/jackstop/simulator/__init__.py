"""A fleet and its stories as one ground truth, written as the log lines its machines, host and panels would write.

It writes log lines and nothing else. The same scenario, size and seed give the same bundle, byte for byte.
"""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from jackstop.simulator import render, stories
from jackstop.simulator.machine import Machine
from jackstop.simulator.scene import START, Scene, Told, build, routine

__all__ = ["scenarios", "simulate"]

QUIET = 11
"""Quiet machines of the demo."""

ALONE = 5
"""Quiet machines beside a story that plays alone."""

_SETS = {
    "demo": "a small bank's night: eleven quiet machines and every kind of attack, ten hours",
    "fleet": "every attack and every story that only looks like one, in a fleet of 200 over three days",
    "benign": "only stories that look like attacks and are none",
    "quiet": "nothing but customers, cash loads and maintenance",
}


def scenarios() -> dict[str, str]:
    """Name and one-line description of every scenario: the sets, then each story alone."""
    alone = {n: (stories.find(n).__doc__ or "").strip().splitlines()[0].rstrip(".") for n in stories.names()}
    return {**_SETS, **alone}


def simulate(
    scenario: str,
    out: Path,
    terminals: int | None,
    hours: float | None,
    seed: int,
    progress: Callable[[str, int, int], None] | None = None,
) -> tuple[Told, ...]:
    """Write a scenario's bundle to a folder, and give the stories as they happened.

    Args:
        scenario: one of `scenarios()`. out: the bundle's folder. terminals, hours: its size, or the scenario's own.
        seed: of everything random. progress: called with a stage, steps done and steps in all.

    Raises:
        KeyError: the scenario is unknown. OSError: the folder cannot be written.
    """
    cast = _cast(scenario)
    needed = sum(stories.find(n).META.terminals for n in cast)
    usual = {"demo": needed + QUIET, "fleet": 200, "benign": 60, "quiet": 20}.get(scenario, needed + ALONE)
    size = max(terminals or usual, needed)
    length = hours or {"demo": 10.0, "fleet": 72.0, "benign": 72.0, "quiet": 24.0}.get(scenario, 24.0)
    scene = build(size, length, seed, _start(cast))
    _place(scene, cast)
    routine(scene)
    render.bundle(out, scene, progress)
    return tuple(scene.told)


def _cast(scenario: str) -> list[str]:
    """The stories of a scenario."""
    if scenario in stories.names():
        return [scenario]
    anyday = [n for n in stories.names() if stories.find(n).META.begins is None]
    attacks = [n for n in anyday if stories.find(n).META.attack]
    return {"demo": attacks, "fleet": anyday, "benign": [n for n in anyday if n not in attacks], "quiet": []}[scenario]


def _start(cast: list[str]) -> int:
    """When a scenario begins (µs)."""
    wanted = [begins for n in cast if (begins := stories.find(n).META.begins)]
    return round(datetime.fromisoformat(wanted[0]).timestamp() * 1e6) if wanted else START


def _place(scene: Scene, cast: list[str]) -> None:
    """Each story at machines of its own; those that need something special go first, the others where it would be wasted."""
    order = [scene.machines[i] for i in scene.rng.permutation(len(scene.machines)).tolist()]
    for name in sorted(cast, key=lambda n: (not stories.find(n).META.token, not stories.find(n).META.line, n)):
        story = stories.find(name)
        fit = sorted(filter(story.META.fits, order), key=lambda m: (m.token and not story.META.token) + m.line)
        chosen = fit[: story.META.terminals]
        if len(chosen) < story.META.terminals:
            chosen = [_equipped(m, story.META) for m in order[: story.META.terminals]]
        for machine in chosen:
            order.remove(machine)
        told = Told(name, story.META.attack, tuple(m.id for m in chosen), story.META.techniques, scene.start)
        story.play(scene, chosen, told)
        scene.told.append(told)


def _equipped(machine: Machine, meta: stories.Meta) -> Machine:
    """The machine, given what a story needs (in fleets too small to have it)."""
    machine.line = machine.line or meta.line
    if meta.token and not machine.token:
        machine.device, machine.journal, machine.token = "xfs4iot", "ncr-journal", True
    return machine

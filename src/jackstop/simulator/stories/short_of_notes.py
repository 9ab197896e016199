"""A worn cassette: several withdrawals are paid in part and the host is told what was paid."""

from collections.abc import Sequence
from functools import partial

from jackstop.simulator.machine import HOUR, MINUTE, Machine
from jackstop.simulator.scene import Scene, Told
from jackstop.simulator.stories import Meta
from jackstop.simulator.stories._deeds import begun, honest

META = Meta(attack=False)


def play(scene: Scene, machines: Sequence[Machine], told: Told) -> None:
    """Six partial withdrawals and two whose first pick fails."""
    machine = machines[0]
    time = scene.day(machine)
    begun(scene, machines, told, time, HOUR)
    for i in range(8):
        act = partial(_customer, scene, "partial" if i < 6 else "rejected")
        scene.at(machine, time + i * 5 * MINUTE, act)


def _customer(scene: Scene, outcome: str, m: Machine, at: int) -> int:
    return honest(scene, m, at, 12_000, outcome)

"""Customers walk away from their notes; the machine draws them back and the host is told."""

from collections.abc import Sequence

from jackstop.simulator.machine import HOUR, MINUTE, Machine
from jackstop.simulator.scene import Scene, Told
from jackstop.simulator.stories import Meta
from jackstop.simulator.stories._deeds import begun, honest

META = Meta(attack=False)


def play(scene: Scene, machines: Sequence[Machine], told: Told) -> None:
    """Six retracts, each with its reversal."""
    machine = machines[0]
    time = scene.day(machine)
    begun(scene, machines, told, time, HOUR)
    for i in range(6):
        scene.at(machine, time + i * 5 * MINUTE, lambda m, at: honest(scene, m, at, 8_000, "retracted"))

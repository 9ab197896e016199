"""The host is away for an hour; the switch stands in and advises afterwards."""

from collections.abc import Sequence

from jackstop.simulator.machine import HOUR, MINUTE, Machine
from jackstop.simulator.scene import Scene, Told
from jackstop.simulator.stories import Meta
from jackstop.simulator.stories._deeds import begun, honest

META = Meta(attack=False)


def play(scene: Scene, machines: Sequence[Machine], told: Told) -> None:
    """Ten withdrawals on stand-in."""
    machine = machines[0]
    time = scene.day(machine)
    begun(scene, machines, told, time, HOUR)
    for i in range(10):
        scene.at(machine, time + i * 5 * MINUTE, lambda m, at: honest(scene, m, at, 6_000, "stand-in"))

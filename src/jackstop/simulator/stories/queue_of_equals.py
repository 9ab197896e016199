"""A queue in which everybody withdraws the same amount, a minute after the one before."""

from collections.abc import Sequence

from jackstop.simulator.machine import HOUR, MINUTE, SECOND, Machine
from jackstop.simulator.scene import Scene, Told
from jackstop.simulator.stories import Meta
from jackstop.simulator.stories._deeds import begun, honest

META = Meta(attack=False)


def play(scene: Scene, machines: Sequence[Machine], told: Told) -> None:
    """Thirty withdrawals that only their order tells apart."""
    machine = machines[0]
    time = scene.day(machine)
    begun(scene, machines, told, time, HOUR)
    for i in range(30):
        scene.at(machine, time + i * (MINUTE + 5 * SECOND), lambda m, at: honest(scene, m, at, 4_000))

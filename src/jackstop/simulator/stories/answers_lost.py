"""The line loses the host's answers: the terminal gives up and every approval is undone."""

from collections.abc import Sequence

from jackstop.simulator import customers
from jackstop.simulator.machine import MINUTE, Machine
from jackstop.simulator.scene import Scene, Told
from jackstop.simulator.stories import Meta
from jackstop.simulator.stories._deeds import begun

META = Meta(attack=False)


def play(scene: Scene, machines: Sequence[Machine], told: Told) -> None:
    """Eight approvals for which no cash moves, each with its reversal."""
    machine = machines[0]
    time = scene.day(machine)
    begun(scene, machines, told, time, 30 * MINUTE)
    for i in range(8):
        scene.at(machine, time + i * 3 * MINUTE, lambda m, at: customers.withdraw(m, at, 10_000, "timeout"))

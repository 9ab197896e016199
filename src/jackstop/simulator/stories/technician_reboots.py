"""A technician with an order opens the cabinet, tests into the reject bin and restarts the machine."""

from collections.abc import Sequence

from jackstop.simulator.machine import MINUTE, Machine
from jackstop.simulator.scene import Scene, Told, maintenance
from jackstop.simulator.stories import Meta

META = Meta(attack=False)


def play(scene: Scene, machines: Sequence[Machine], told: Told) -> None:
    """Everything an attacker does, with a work order and no notes to the street."""
    time = scene.day(machines[0])
    told.start, told.end = time, time + 30 * MINUTE
    maintenance(scene, machines[0], time, reboot=True)

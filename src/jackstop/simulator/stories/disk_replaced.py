"""A worn disk is replaced under a work order that permits software work."""

from collections.abc import Sequence

from jackstop.simulator.machine import MINUTE, Machine
from jackstop.simulator.scene import Scene, Told, maintenance
from jackstop.simulator.stories import Meta

META = Meta(attack=False)


def play(scene: Scene, machines: Sequence[Machine], told: Told) -> None:
    """Another disk serial, with an order."""
    time = scene.day(machines[0])
    told.start, told.end = time, time + 30 * MINUTE
    maintenance(scene, machines[0], time, reboot=True, serial=f"NEW-{machines[0].number:06d}")

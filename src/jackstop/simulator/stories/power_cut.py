"""The power fails at night and comes back a quarter of an hour later."""

from collections.abc import Sequence

from jackstop.simulator import service
from jackstop.simulator.machine import MINUTE, Machine
from jackstop.simulator.scene import Scene, Told
from jackstop.simulator.stories import Meta
from jackstop.simulator.stories._deeds import begun

META = Meta(attack=False)


def play(scene: Scene, machines: Sequence[Machine], told: Told) -> None:
    """Dark, then up again from the same disk, with the same notes."""
    time = scene.night(machines[0])
    begun(scene, machines, told, time, 25 * MINUTE)
    scene.at(machines[0], time, lambda m, at: service.restart(m, at, clean=False, dark=15 * MINUTE))

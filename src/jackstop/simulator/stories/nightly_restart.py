"""A machine restarts every night by schedule, with no order for it."""

from collections.abc import Sequence

from jackstop.simulator import service
from jackstop.simulator.machine import DAY, MINUTE, Machine
from jackstop.simulator.scene import Scene, Told
from jackstop.simulator.stories import Meta
from jackstop.simulator.stories._deeds import begun

META = Meta(attack=False)


def play(scene: Scene, machines: Sequence[Machine], told: Told) -> None:
    """Clean restarts from the same disk, then customers as ever."""
    machine = machines[0]
    first = scene.night(machine)
    for time in (*range(first, scene.start, -DAY), *range(first + DAY, scene.end - 30 * MINUTE, DAY)):
        begun(scene, machines, told, time, 8 * MINUTE)
        scene.at(machine, time, service.restart)
    told.start, told.end = scene.start, scene.end

"""Windows Update restarts several machines in one night, with no order for it."""

from collections.abc import Sequence

from jackstop.simulator import pc, service
from jackstop.simulator.machine import MINUTE, Machine
from jackstop.simulator.scene import Scene, Told
from jackstop.simulator.stories import Meta
from jackstop.simulator.stories._deeds import begun

META = Meta(attack=False, terminals=4)


def play(scene: Scene, machines: Sequence[Machine], told: Told) -> None:
    """Clean restarts within the hour, the same on each machine."""
    time = scene.night(machines[0])
    begun(scene, machines, told, time, 45 * MINUTE)
    for i, machine in enumerate(machines):
        scene.at(machine, time + i * 7 * MINUTE, _update)


def _update(m: Machine, at: int) -> None:
    """An update is installed and the machine restarts."""
    service.restart(m, pc.updated(m, at, "2026-02 Cumulative Update for Windows 10 (KB5034441)"), dark=4 * MINUTE)

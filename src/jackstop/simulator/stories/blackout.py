"""The power of a street fails at night: three machines go dark at once and come back together."""

from collections.abc import Sequence

from jackstop.simulator import service
from jackstop.simulator.machine import MINUTE, SECOND, Machine
from jackstop.simulator.scene import Scene, Told
from jackstop.simulator.stories import Meta
from jackstop.simulator.stories._deeds import begun

META = Meta(attack=False, terminals=3)


def play(scene: Scene, machines: Sequence[Machine], told: Told) -> None:
    """The panels, on batteries, tell of the mains; each machine starts from its own disk with its own notes."""
    time = scene.night(machines[0])
    begun(scene, machines, told, time, 40 * MINUTE)
    for machine in machines:
        scene.at(machine, time + machine.between(0, 2), _fail)


def _fail(m: Machine, at: int) -> None:
    """Dark for twenty minutes."""
    mains = {"part": "site", "sensor": "power"}
    m.write("panel", "cabinet", at, activity="alarm", detail="site power ALARM", **mains)
    service.restart(m, at + SECOND, clean=False, dark=20 * MINUTE)
    m.write("panel", "cabinet", at + 20 * MINUTE, activity="restored", detail="site power RESTORED", **mains)

"""Staff open a machine by day to change paper, with no order; the night before, Windows Update restarted it."""

from collections.abc import Sequence

from jackstop.simulator import moves, pc, service
from jackstop.simulator.machine import HOUR, MINUTE, Machine
from jackstop.simulator.scene import Scene, Told
from jackstop.simulator.stories import Meta
from jackstop.simulator.stories._deeds import begun

META = Meta(attack=False)


def play(scene: Scene, machines: Sequence[Machine], told: Told) -> None:
    """An opening nobody announced and a restart nobody ordered, hours apart; each slight and neither a stage of the other."""
    machine = machines[0]
    time = scene.day(machine)
    begun(scene, machines, told, time, 20 * MINUTE)
    night = time - 9 * HOUR
    scene.clear(machine, night - 3 * MINUTE, night + 10 * MINUTE)
    told.start = night
    scene.at(machine, night, lambda m, at: service.restart(m, pc.updated(m, at, "Security Intelligence Update"), dark=3 * MINUTE))

    def act(m: Machine, at: int) -> None:
        moves.door(m, at, "opened")
        moves.door(m, at + 4 * MINUTE, "closed")

    scene.at(machine, time, act)

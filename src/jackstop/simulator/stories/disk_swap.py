"""Disk swap: the machine goes dark, comes up from another disk, pays, and comes up from its own disk again."""

from collections.abc import Sequence

from jackstop.simulator import moves, service
from jackstop.simulator.machine import MINUTE, Machine
from jackstop.simulator.scene import Scene, Told
from jackstop.simulator.stories import Meta
from jackstop.simulator.stories._deeds import begun, empty

META = Meta(attack=True, techniques=("T1200", "T1542"), early=True)


def play(scene: Scene, machines: Sequence[Machine], told: Told) -> None:
    """One machine runs from a foreign disk for a while."""
    machine = machines[0]
    time = scene.night(machine)
    begun(scene, machines, told, time, 60 * MINUTE)

    def act(m: Machine, at: int) -> None:
        moves.door(m, at, "opened")
        up = service.restart(m, at + 2 * MINUTE, clean=False, dark=7 * MINUTE, serial="FOREIGN-0001")
        end = empty(m, up + MINUTE, told, rounds=7)
        service.restart(m, end + MINUTE, clean=False, dark=6 * MINUTE)
        moves.door(m, end + 10 * MINUTE, "closed")

    scene.at(machine, time, act)

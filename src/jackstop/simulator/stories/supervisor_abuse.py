"""Abuse in supervisor mode: no visit is announced, supervisor mode is entered, and notes are paid to the street."""

from collections.abc import Sequence

from jackstop.simulator import moves
from jackstop.simulator.machine import MINUTE, SECOND, Machine
from jackstop.simulator.scene import Scene, Told
from jackstop.simulator.stories import Meta
from jackstop.simulator.stories._deeds import begun, empty

META = Meta(attack=True, techniques=("T1078",))


def play(scene: Scene, machines: Sequence[Machine], told: Told) -> None:
    """An insider with a key and a code."""
    machine = machines[0]
    time = scene.night(machine)
    begun(scene, machines, told, time, 25 * MINUTE)

    def act(m: Machine, at: int) -> None:
        moves.door(m, at, "opened")
        moves.operator(m, at + 30 * SECOND, "supervisor-entered")
        end = empty(m, at + 2 * MINUTE, told, rounds=4, caller="AtmApplication.exe")
        moves.operator(m, end + 10 * SECOND, "supervisor-left")
        moves.door(m, end + 40 * SECOND, "closed")

    scene.at(machine, time, act)

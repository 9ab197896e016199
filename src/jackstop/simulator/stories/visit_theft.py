"""Theft under cover of a visit: the order permits a test into the reject bin, and the notes go to the street."""

from collections.abc import Sequence

from jackstop.simulator import moves
from jackstop.simulator.machine import MINUTE, SECOND, Machine
from jackstop.simulator.scene import Scene, Told
from jackstop.simulator.stories import Meta
from jackstop.simulator.stories._deeds import begun, empty

META = Meta(attack=True, techniques=("T1078",))


def play(scene: Scene, machines: Sequence[Machine], told: Told) -> None:
    """A technician with a true order presents and takes what he should have tested."""
    machine = machines[0]
    time = scene.day(machine)
    begun(scene, machines, told, time, 30 * MINUTE)
    scene.visit(machine, "second-line", time - 10 * MINUTE, time + 40 * MINUTE, ("open-cabinet", "supervisor", "test-dispense"))

    def act(m: Machine, at: int) -> None:
        moves.door(m, at, "opened")
        moves.operator(m, at + 45 * SECOND, "supervisor-entered")
        counts = [2] * len(m.units)
        done = moves.order(m, at + 3 * MINUTE, counts, token=False)
        moves.reject(m, done + 4 * SECOND, counts)
        end = empty(m, at + 6 * MINUTE, told, rounds=3, caller="AtmApplication.exe")
        moves.operator(m, end + 10 * SECOND, "supervisor-left")
        moves.door(m, end + 40 * SECOND, "closed")

    scene.at(machine, time, act)

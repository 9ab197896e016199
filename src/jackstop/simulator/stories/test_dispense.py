"""A technician with an order tests the dispenser into the reject bin, time and again."""

from collections.abc import Sequence

from jackstop.simulator import moves
from jackstop.simulator.machine import MINUTE, SECOND, Machine
from jackstop.simulator.scene import Scene, Told
from jackstop.simulator.stories import Meta
from jackstop.simulator.stories._deeds import begun

META = Meta(attack=False)


def play(scene: Scene, machines: Sequence[Machine], told: Told) -> None:
    """Five tests, forty notes in all, none of them to the street."""
    machine = machines[0]
    time = scene.day(machine)
    begun(scene, machines, told, time, 30 * MINUTE)
    permits = ("open-cabinet", "supervisor", "test-dispense")
    scene.visit(machine, "second-line", time - 10 * MINUTE, time + 35 * MINUTE, permits)

    def act(m: Machine, at: int) -> None:
        moves.door(m, at, "opened")
        moves.operator(m, at + 30 * SECOND, "supervisor-entered")
        end = at + 2 * MINUTE
        for _ in range(5):
            counts = [2 if u.count > 10 else 0 for u in m.units]
            done = moves.order(m, end, counts)
            moves.reject(m, done + 4 * SECOND, counts)
            end = done + m.between(60, 90)
        moves.operator(m, end, "supervisor-left")
        moves.door(m, end + MINUTE, "closed")

    scene.at(machine, time, act)

"""A door contact chatters while a technician with an order works at the machine."""

from collections.abc import Sequence

from jackstop.simulator import moves
from jackstop.simulator.machine import MINUTE, SECOND, Machine
from jackstop.simulator.scene import Scene, Told
from jackstop.simulator.stories import Meta
from jackstop.simulator.stories._deeds import begun

META = Meta(attack=False)


def play(scene: Scene, machines: Sequence[Machine], told: Told) -> None:
    """Twenty openings in ten minutes, all within the visit."""
    machine = machines[0]
    time = scene.day(machine)
    begun(scene, machines, told, time, 15 * MINUTE)
    scene.visit(machine, "first-line", time - 5 * MINUTE, time + 20 * MINUTE, ("open-cabinet",))

    def act(m: Machine, at: int) -> None:
        moves.door(m, at, "opened")
        moves.door(m, at + 4 * SECOND, "closed")

    for i in range(20):
        scene.at(machine, time + i * 30 * SECOND, act)

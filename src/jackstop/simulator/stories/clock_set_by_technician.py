"""A technician with an order sets a clock that was two minutes off."""

from collections.abc import Sequence

from jackstop.simulator import moves
from jackstop.simulator.machine import MINUTE, Machine
from jackstop.simulator.scene import Scene, Told
from jackstop.simulator.stories import Meta
from jackstop.simulator.stories._deeds import begun
from jackstop.simulator.stories.clock_set_back import set_clock

META = Meta(attack=False)


def play(scene: Scene, machines: Sequence[Machine], told: Told) -> None:
    """A large step of the clock, announced."""
    machine = machines[0]
    time = scene.day(machine)
    begun(scene, machines, told, time, 15 * MINUTE)
    machine.offset = 2 * MINUTE
    scene.visit(machine, "software", time - 15 * MINUTE, time + 30 * MINUTE, ("open-cabinet", "supervisor", "software"))

    def act(m: Machine, at: int) -> None:
        moves.door(m, at, "opened")
        set_clock(m, at + 3 * MINUTE, -2 * MINUTE)
        moves.door(m, at + 6 * MINUTE, "closed")

    scene.at(machine, time, act)

"""Token stripped: end-to-end security of the dispenser is lowered, then notes are ordered without the host's token."""

from collections.abc import Sequence

from jackstop.simulator import moves
from jackstop.simulator.machine import MINUTE, Machine
from jackstop.simulator.scene import Scene, Told
from jackstop.simulator.stories import Meta
from jackstop.simulator.stories._deeds import begun, empty

META = Meta(attack=True, techniques=("T1562", "T1106"), token=True, early=True)


def play(scene: Scene, machines: Sequence[Machine], told: Told) -> None:
    """Orders are refused until the dispenser is told to do without."""
    machine = machines[0]
    time = scene.night(machine)
    begun(scene, machines, told, time, 30 * MINUTE)

    def act(m: Machine, at: int) -> None:
        for i in range(3):
            moves.refused(m, at + i * m.between(15, 25))
        moves.security(m, at + 4 * MINUTE, "not-enforced")
        end = empty(m, at + 5 * MINUTE, told, rounds=5)
        moves.security(m, end + MINUTE, "enforced")

    scene.at(machine, time - 30 * MINUTE, lambda m, at: moves.security(m, at, "enforced"))
    scene.at(machine, time, act)

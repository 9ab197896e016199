"""Slow drip: soon after a real withdrawal a note or two more are paid, withdrawal after withdrawal."""

from collections.abc import Sequence

from jackstop.simulator import moves
from jackstop.simulator.machine import HOUR, MINUTE, Machine
from jackstop.simulator.scene import Scene, Told
from jackstop.simulator.stories import Meta
from jackstop.simulator.stories._deeds import begun, honest

META = Meta(attack=True, techniques=("T1106", "T1565"))


def play(scene: Scene, machines: Sequence[Machine], told: Told) -> None:
    """Eight real withdrawals, each with a theft in its shadow."""
    machine = machines[0]
    time = scene.night(machine)
    begun(scene, machines, told, time, HOUR)

    def act(m: Machine, at: int) -> None:
        gone = honest(scene, m, at, 8_000)
        counts = [0] * len(m.units)
        counts[1] = 2
        done = moves.order(m, gone + m.between(15, 40), counts, token=False)
        taken = moves.hand_over(m, done)
        told.notes.append((taken, m.id, m.worth(counts)))

    for i in range(8):
        scene.at(machine, time + i * 6 * MINUTE, act)

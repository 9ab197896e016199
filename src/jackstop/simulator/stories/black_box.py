"""Black box: the cabinet is opened at night, the dispenser is unplugged from the PC and pays with no word to it."""

from collections.abc import Sequence

from jackstop.simulator import moves
from jackstop.simulator.machine import MINUTE, SECOND, Machine
from jackstop.simulator.scene import Scene, Told
from jackstop.simulator.stories import Meta
from jackstop.simulator.stories._deeds import begun

META = Meta(attack=True, techniques=("T1200",), early=True)


def play(scene: Scene, machines: Sequence[Machine], told: Told) -> None:
    """One machine loses notes that only its next count tells of."""
    machine = machines[0]
    time = scene.night(machine)
    begun(scene, machines, told, time, 40 * MINUTE)

    def act(m: Machine, at: int) -> None:
        moves.door(m, at, "opened")
        moves.state(m, at + 3 * MINUTE, "offline")
        for i in range(8):
            gone = at + 5 * MINUTE + i * 40 * SECOND
            counts = [0] * len(m.units)
            counts[i % len(m.units)] = min(40, m.units[i % len(m.units)].count)
            told.notes.append((gone, m.id, moves.take_unseen(m, counts)))
        moves.state(m, at + 16 * MINUTE, "online")
        moves.counters(m, at + 16 * MINUTE + 5 * SECOND, "snapshot")
        moves.door(m, at + 18 * MINUTE, "closed")

    scene.at(machine, time, act)

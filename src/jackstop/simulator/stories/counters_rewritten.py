"""Counters rewritten: the safe is opened unannounced, notes are taken by hand, and the counters are set to hide it."""

from collections.abc import Sequence

from jackstop.simulator import moves
from jackstop.simulator.machine import MINUTE, SECOND, Machine
from jackstop.simulator.scene import Scene, Told
from jackstop.simulator.stories import Meta
from jackstop.simulator.stories._deeds import begun

META = Meta(attack=True, techniques=("T1078", "T1565"))


def play(scene: Scene, machines: Sequence[Machine], told: Told) -> None:
    """An insider with a key to the safe; the dispenser's own count tells of it before it is overwritten."""
    machine = machines[0]
    time = scene.night(machine)
    begun(scene, machines, told, time, 40 * MINUTE)

    def act(m: Machine, at: int) -> None:
        full = [u.count for u in m.units]
        moves.door(m, at, "opened")
        moves.door(m, at + MINUTE, "opened", "safe")
        taken = [min(60, u.count) for u in m.units]
        told.notes.append((at + 3 * MINUTE, m.id, moves.take_unseen(m, taken)))
        moves.door(m, at + 5 * MINUTE, "closed", "safe")
        moves.counters(m, at + 6 * MINUTE, "snapshot")
        moves.operator(m, at + 15 * MINUTE, "supervisor-entered")
        for unit, count in zip(m.units, full, strict=True):
            unit.count = count
        moves.operator(m, at + 16 * MINUTE, "counters-set")
        moves.counters(m, at + 16 * MINUTE + SECOND, "set")
        moves.operator(m, at + 18 * MINUTE, "supervisor-left")
        moves.door(m, at + 19 * MINUTE, "closed")

    scene.at(machine, time, act)

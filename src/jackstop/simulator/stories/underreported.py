"""Underreported: all notes are paid, and the host is told that only some of them were."""

from collections.abc import Sequence

from jackstop.simulator import customers
from jackstop.simulator.machine import MINUTE, Machine
from jackstop.simulator.scene import Scene, Told
from jackstop.simulator.stories import Meta
from jackstop.simulator.stories._deeds import begun

META = Meta(attack=True, techniques=("T1565",))


def play(scene: Scene, machines: Sequence[Machine], told: Told) -> None:
    """Three completions that claim a tenth of what was taken."""
    machine = machines[0]
    time = scene.night(machine)
    begun(scene, machines, told, time, 20 * MINUTE)

    def act(m: Machine, at: int) -> None:
        session = customers.begin(m, at)
        deal = customers.ask(m, at + m.between(14, 20), 40_000)
        gone = customers.pay(m, customers.told(m, deal, session) + m.between(0.3, 1), m.mix(40_000), session)
        customers.undo(m, gone + m.between(4, 9), deal, 4_000, "partial")
        customers.end(m, gone, session)
        told.notes.append((gone, m.id, 36_000))

    for i in range(3):
        scene.at(machine, time + i * 5 * MINUTE, act)

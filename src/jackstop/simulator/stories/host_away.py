"""The host is away and nobody stands in: at several machines customers ask, get no answer and leave without cash."""

from collections.abc import Sequence

from jackstop.simulator import customers, moves
from jackstop.simulator.machine import MINUTE, SECOND, Machine
from jackstop.simulator.scene import Scene, Told
from jackstop.simulator.stories import Meta
from jackstop.simulator.stories._deeds import begun

META = Meta(attack=False, terminals=4)


def play(scene: Scene, machines: Sequence[Machine], told: Told) -> None:
    """Half an hour in which nothing is approved and nothing paid."""
    time = scene.day(machines[0])
    begun(scene, machines, told, time, 40 * MINUTE)
    for machine in machines:
        for i in range(6):
            scene.at(machine, time + i * 5 * MINUTE + machine.between(0, 60), _in_vain)


def _in_vain(m: Machine, at: int) -> None:
    """A customer whose request nobody answers; the machine notes that the line is down."""
    session = customers.begin(m, at)
    deal = customers.ask(m, at + 15 * SECOND, 10_000, approved=False, answer=False, recorded=False)
    customers.told(m, deal, session, answer=False)
    moves.operator(m, deal.asked + 31 * SECOND, "host-offline")
    moves.operator(m, deal.asked + 50 * SECOND, "host-online")
    customers.end(m, deal.asked + 33 * SECOND, session)

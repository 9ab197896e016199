"""Man in the middle: a box on the line answers `approved` for a host that was never asked."""

from collections.abc import Sequence

from jackstop.simulator import customers
from jackstop.simulator.machine import MINUTE, Machine
from jackstop.simulator.scene import Scene, Told
from jackstop.simulator.stories import Meta
from jackstop.simulator.stories._deeds import begun

META = Meta(attack=True, techniques=("T1557",), line=True)


def play(scene: Scene, machines: Sequence[Machine], told: Told) -> None:
    """Five withdrawals that the host never heard of."""
    machine = machines[0]
    time = scene.night(machine)
    begun(scene, machines, told, time, 30 * MINUTE)

    def act(m: Machine, at: int) -> None:
        session = customers.begin(m, at)
        deal = customers.ask(m, at + m.between(14, 20), 40_000, recorded=False)
        gone = customers.pay(m, customers.told(m, deal, session) + m.between(0.3, 1), m.mix(40_000), session)
        customers.end(m, gone, session)
        told.notes.append((gone, m.id, 40_000))

    for i in range(5):
        scene.at(machine, time + i * 5 * MINUTE, act)

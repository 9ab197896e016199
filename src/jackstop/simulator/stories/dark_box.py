"""Dark box: the PC is switched off, a foreign one pays in its stead, and the PC comes back to emptier cassettes."""

from collections.abc import Sequence

from jackstop.simulator import moves, service
from jackstop.simulator.machine import MINUTE, SECOND, Machine
from jackstop.simulator.scene import Scene, Told
from jackstop.simulator.stories import Meta
from jackstop.simulator.stories._deeds import begun

META = Meta(attack=True, techniques=("T1200", "T1529"), early=True)


def play(scene: Scene, machines: Sequence[Machine], told: Told) -> None:
    """One machine is silent for a quarter of an hour and then counts less."""
    machine = machines[0]
    time = scene.night(machine)
    begun(scene, machines, told, time, 40 * MINUTE)

    def act(m: Machine, at: int) -> None:
        moves.door(m, at, "opened")
        moves.state(m, at + 2 * MINUTE, "power-off")
        for i in range(6):
            counts = [0] * len(m.units)
            counts[-1 - i % 2] = min(40, m.units[-1 - i % 2].count)
            told.notes.append((at + 6 * MINUTE + i * 45 * SECOND, m.id, moves.take_unseen(m, counts)))
        service.restart(m, at + 2 * MINUTE, clean=False, dark=15 * MINUTE)
        moves.door(m, at + 21 * MINUTE, "closed")

    scene.at(machine, time, act)

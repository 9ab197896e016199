"""Roadworks shake two machines for an hour: vibration alarms, again and again."""

from collections.abc import Sequence

from jackstop.simulator import moves
from jackstop.simulator.machine import HOUR, MINUTE, SECOND, Machine
from jackstop.simulator.scene import Scene, Told
from jackstop.simulator.stories import Meta

META = Meta(attack=False, terminals=2)


def play(scene: Scene, machines: Sequence[Machine], told: Told) -> None:
    """Customers come as ever while the ground shakes."""
    time = scene.day(machines[0])
    told.start, told.end = time, time + HOUR
    for machine in machines:
        for i in range(9):
            scene.at(machine, time + i * 6 * MINUTE + machine.between(0, 120), _shake)


def _shake(m: Machine, at: int) -> None:
    """The sensor trips and comes to rest."""
    moves.door(m, at, "alarm", "safe", "seismic")
    moves.door(m, at + 8 * SECOND, "restored", "safe", "seismic")

"""A crew loads cash: safe open, exchange, counters set, all with an order."""

from collections.abc import Sequence

from jackstop.simulator.machine import MINUTE, Machine
from jackstop.simulator.scene import Scene, Told, cash_load
from jackstop.simulator.stories import Meta

META = Meta(attack=False)


def play(scene: Scene, machines: Sequence[Machine], told: Told) -> None:
    """Counters leap up, doors stand open."""
    time = scene.day(machines[0])
    told.start, told.end = time, time + 30 * MINUTE
    cash_load(scene, machines[0], time)

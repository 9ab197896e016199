"""The time service corrects a clock by twenty seconds."""

from collections.abc import Sequence

from jackstop.simulator.machine import MINUTE, SECOND, Machine
from jackstop.simulator.scene import Scene, Told
from jackstop.simulator.stories import Meta
from jackstop.simulator.stories._deeds import begun
from jackstop.simulator.stories.clock_set_back import set_clock

META = Meta(attack=False)


def play(scene: Scene, machines: Sequence[Machine], told: Told) -> None:
    """A small step, as happens every week."""
    time = scene.night(machines[0])
    begun(scene, machines, told, time, 2 * MINUTE)
    scene.at(machines[0], time, lambda m, at: set_clock(m, at, -20 * SECOND))

"""Campaign: the same program pays out at several machines within the hour; no door is opened."""

from collections.abc import Sequence

from jackstop.simulator.machine import MINUTE, Machine
from jackstop.simulator.scene import Scene, Told
from jackstop.simulator.stories import Meta
from jackstop.simulator.stories._deeds import begun, empty

META = Meta(attack=True, techniques=("T1072", "T1106"), terminals=4)


def play(scene: Scene, machines: Sequence[Machine], told: Told) -> None:
    """Four machines, ten minutes apart."""
    time = scene.night(machines[0])
    begun(scene, machines, told, time, 75 * MINUTE)
    for i, machine in enumerate(machines):
        scene.at(machine, time + i * 10 * MINUTE, lambda m, at: empty(m, at, told, rounds=5, caller="wupd32.exe"))

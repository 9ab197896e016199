"""Auditors with an order open cabinet and safe, look at the counters and leave."""

from collections.abc import Sequence

from jackstop.simulator.machine import MINUTE, Machine
from jackstop.simulator.scene import Scene, Told, audit
from jackstop.simulator.stories import Meta

META = Meta(attack=False)


def play(scene: Scene, machines: Sequence[Machine], told: Told) -> None:
    """Every door stands open and nothing is gone."""
    time = scene.day(machines[0])
    told.start, told.end = time, time + 30 * MINUTE
    audit(scene, machines[0], time)

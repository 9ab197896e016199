"""Summer time ends: local stamps go through the same hour twice while customers come."""

from collections.abc import Sequence
from datetime import timedelta
from zoneinfo import ZoneInfo

from jackstop.simulator.machine import HOUR, MINUTE, Machine
from jackstop.simulator.scene import EPOCH, Scene, Told
from jackstop.simulator.stories import Meta
from jackstop.simulator.stories._deeds import begun, honest

META = Meta(attack=False, begins="2026-10-31T14:00:00+00:00")


def change(machine: Machine, start: int) -> int:
    """The first instant after `start` (µs) at which the machine's zone sets its clocks back."""
    zone = ZoneInfo(machine.timezone)

    def offset(time: int) -> timedelta | None:
        return (EPOCH + timedelta(microseconds=time)).astimezone(zone).utcoffset()

    time = start - start % HOUR
    while offset(time) == offset(time + HOUR):
        time += HOUR
    return time + HOUR


def play(scene: Scene, machines: Sequence[Machine], told: Told) -> None:
    """A customer every six minutes, from an hour before the change to an hour after it."""
    machine = machines[0]
    time = change(machine, scene.start)
    begun(scene, machines, told, time - HOUR, 2 * HOUR)
    for i in range(20):
        scene.at(machine, time - HOUR + i * 6 * MINUTE, lambda m, at: honest(scene, m, at, 6_000))

"""Campaign: one program is spread over the network to several machines and pays out within the hour; no door is opened."""

from collections.abc import Sequence

from jackstop.simulator import pc
from jackstop.simulator.machine import MINUTE, SECOND, Machine
from jackstop.simulator.scene import Scene, Told
from jackstop.simulator.stories import Meta
from jackstop.simulator.stories._deeds import begun, empty

META = Meta(attack=True, techniques=("T1072", "T1021.001", "T1053.005", "T1543.003", "T1106"), terminals=4, early=True)


def play(scene: Scene, machines: Sequence[Machine], told: Told) -> None:
    """Four machines, reached a minute and emptied ten minutes apart."""
    time = scene.night(machines[0])
    begun(scene, machines, told, time - 20 * MINUTE, 95 * MINUTE)
    for i, machine in enumerate(machines):
        scene.at(machine, time + (i - 20) * MINUTE, _spread)
        scene.at(machine, time + i * 10 * MINUTE, lambda m, at: empty(m, at, told, rounds=5, caller="wupd32.exe"))


def _spread(m: Machine, at: int) -> None:
    """Somebody logs on from afar, and leaves a service and a task that starts it."""
    pc.remote_logon(m, at, "Administrator", "10.20.0.15")
    pc.service(m, at + 30 * SECOND, "WinUpd32", "C:\\Windows\\Temp\\wupd32.exe")
    pc.task(m, at + 40 * SECOND, "\\WinUpd32", "C:\\Windows\\Temp\\wupd32.exe")

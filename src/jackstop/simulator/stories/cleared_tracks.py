"""Cleared tracks: a program pays out over the wire, then empties the Windows logs that tell of it."""

from collections.abc import Sequence

from jackstop.simulator import moves, pc
from jackstop.simulator.machine import MINUTE, SECOND, Machine
from jackstop.simulator.scene import Scene, Told
from jackstop.simulator.stories import Meta
from jackstop.simulator.stories._deeds import begun, empty

META = Meta(attack=True, techniques=("T1021.001", "T1543.003", "T1106", "T1070.001"), early=True)


def play(scene: Scene, machines: Sequence[Machine], told: Told) -> None:
    """One machine pays, and its Security and System logs begin anew."""
    machine = machines[0]
    time = scene.night(machine)
    begun(scene, machines, told, time - 6 * MINUTE, 36 * MINUTE)

    def act(m: Machine, at: int) -> None:
        pc.remote_logon(m, at - 5 * MINUTE, "atmadmin", "10.20.0.44")
        pc.service(m, at - 4 * MINUTE, "TaskHostX", "C:\\Users\\Public\\taskhostx.exe")
        end = empty(m, at, told, rounds=5, caller="taskhostx.exe")
        moves.clear_log(m, end + 40 * SECOND, "Security")
        moves.clear_log(m, end + 42 * SECOND, "System")

    scene.at(machine, time, act)

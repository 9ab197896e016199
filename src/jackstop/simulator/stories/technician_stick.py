"""A technician with an order plugs a stick and a keyboard, runs the vendor's tools from it, and leaves."""

from collections.abc import Sequence

from jackstop.simulator import moves, pc
from jackstop.simulator.machine import MINUTE, SECOND, Machine
from jackstop.simulator.scene import Scene, Told
from jackstop.simulator.stories import Meta
from jackstop.simulator.stories._deeds import begun

META = Meta(attack=False)


def play(scene: Scene, machines: Sequence[Machine], told: Told) -> None:
    """Door, supervisor mode, devices and programs, all permitted."""
    machine = machines[0]
    time = scene.day(machine)
    begun(scene, machines, told, time, 20 * MINUTE)
    permits = ("open-cabinet", "supervisor", "usb", "software")
    scene.visit(machine, "second-line", time - 10 * MINUTE, time + 30 * MINUTE, permits)

    def act(m: Machine, at: int) -> None:
        moves.door(m, at, "opened")
        moves.operator(m, at + 40 * SECOND, "supervisor-entered")
        pc.keyboard(m, at + 80 * SECOND)
        ready = pc.stick(m, at + 2 * MINUTE, "TECH0007")
        pc.program(m, ready + 20 * SECOND, "E:\\Vendor\\diag.exe")
        moves.operator(m, at + 12 * MINUTE, "supervisor-left")
        moves.door(m, at + 14 * MINUTE, "closed")

    scene.at(machine, time, act)

"""A roll-out with orders: in one night the same service and task come to many machines, which restart."""

from collections.abc import Sequence

from jackstop.simulator import pc, service
from jackstop.simulator.machine import MINUTE, SECOND, Machine
from jackstop.simulator.scene import Scene, Told
from jackstop.simulator.stories import Meta
from jackstop.simulator.stories._deeds import begun

META = Meta(attack=False, terminals=6)
PROGRAM = "C:\\Program Files\\Vendor\\Agent\\agent.exe"


def play(scene: Scene, machines: Sequence[Machine], told: Told) -> None:
    """Everything a campaign does, with a visit for each machine and no cash."""
    time = scene.night(machines[0])
    begun(scene, machines, told, time, 60 * MINUTE)
    for i, machine in enumerate(machines):
        start = time + i * 5 * MINUTE
        scene.visit(machine, "software", start - 10 * MINUTE, start + 45 * MINUTE, ("software", "reboot"))
        scene.at(machine, start, _install)


def _install(m: Machine, at: int) -> None:
    """The distributor logs on, installs, and has the machine restarted."""
    pc.remote_logon(m, at, "svc-deploy", "10.9.0.5")
    pc.program(m, at + 20 * SECOND, "C:\\Windows\\System32\\msiexec.exe", "msiexec /i agent-4.2.msi /qn")
    pc.service(m, at + 60 * SECOND, "VendorAgent", PROGRAM)
    pc.task(m, at + 65 * SECOND, "\\Vendor\\AgentWatch", PROGRAM)
    service.restart(m, at + 2 * MINUTE, dark=3 * MINUTE)

"""Clock set back: the machine's clock goes back two hours, so that thefts seem to belong to earlier withdrawals."""

from collections.abc import Sequence

from jackstop.simulator import moves
from jackstop.simulator.machine import HOUR, MINUTE, SECOND, Machine
from jackstop.simulator.render import stamp
from jackstop.simulator.scene import Scene, Told
from jackstop.simulator.stories import Meta
from jackstop.simulator.stories._deeds import begun, empty

META = Meta(attack=True, techniques=("T1070.006", "T1106"))


def set_clock(m: Machine, at: int, by: int) -> None:
    """The clock is set by µs; Windows says so (Security 4616) by the new clock."""
    before = m.clock(at)
    m.steps.append((at, by))
    data = {
        "PreviousTime": stamp(before),
        "NewTime": stamp(before + by),
        "SubjectUserName": "Administrator",
        "ProcessName": "cmd.exe",
    }
    moves.windows(m, at, "Security", "Microsoft-Windows-Security-Auditing", 4616, data)


def play(scene: Scene, machines: Sequence[Machine], told: Told) -> None:
    """One machine pays by a clock that lies, which is then put right."""
    machine = machines[0]
    time = scene.night(machine)
    begun(scene, machines, told, time, 30 * MINUTE)
    told.start -= 2 * HOUR  # by the machine's own clock it happens there

    def act(m: Machine, at: int) -> None:
        set_clock(m, at, -2 * HOUR)
        end = empty(m, at + MINUTE, told, rounds=6)
        set_clock(m, end + 30 * SECOND, 2 * HOUR)

    scene.at(machine, time, act)

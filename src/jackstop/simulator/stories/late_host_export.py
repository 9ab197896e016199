"""The host of some branches delivers its export in batches, a minute and a half late, as declared."""

from collections.abc import Sequence

from jackstop.simulator.machine import Machine
from jackstop.simulator.scene import Scene, Told
from jackstop.simulator.stories import Meta

META = Meta(attack=False, terminals=2)


def play(scene: Scene, machines: Sequence[Machine], told: Told) -> None:
    """Ordinary customers; only their authorisations come late."""
    told.start, told.end = scene.start, scene.end
    for machine in machines:
        machine.host = "late"

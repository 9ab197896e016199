"""A clock for the spool that a wall clock's jumps do not carry along.

Frames are in one order of time, so an hour gone ahead by mistake could not be taken back: time would stand still for an hour. A
jump is therefore believed only once it has lasted; until then time goes on as the machine's uptime does.
"""

import time
from collections.abc import Callable

SECOND = 1_000_000
STEP = SECOND // 2
"""µs between wall clock and this one that are made up for gradually; more is a jump."""
TRUST = 60 * SECOND
"""µs a jump must last to be believed."""
_SLEW, _SLOW = 0.1, 0.5
"""How much faster or slower time goes while it follows the wall clock, and while that was set back for good."""


def uptime() -> int:
    """µs since the machine was started, sleep included."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1000


class Steady:
    """µs UTC that never go back, and follow the wall clock.

    Args:
        wall: the wall clock, µs UTC. elapsed: a clock that cannot be set, µs from anywhere.
    """

    def __init__(self, wall: Callable[[], int], elapsed: Callable[[], int] = uptime) -> None:
        self._wall, self._elapsed = wall, elapsed
        self._at, self._time = elapsed(), float(wall())
        self._since: int | None = None

    def __call__(self) -> int:
        """Now."""
        at = self._elapsed()
        passed = max(0, at - self._at)
        self._at = at
        ahead = self._wall() - (self._time + passed)
        self._time += passed + self._followed(ahead, passed, at)
        return int(self._time)

    def _followed(self, ahead: float, passed: int, at: int) -> float:
        """µs by which to follow a wall clock that is so much ahead (or behind, below zero)."""
        if abs(ahead) <= STEP:
            self._since = None
            return min(max(ahead, -_SLEW * passed), _SLEW * passed)
        if self._since is None:
            self._since = at
        if at - self._since < TRUST:
            return 0.0
        return ahead if ahead > 0 else max(ahead, -_SLOW * passed)

"""One simulated cash machine: its names, clock, cassettes, and the rows its logs will hold."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 3600 * SECOND
DAY = 24 * HOUR

APPLICATION = "AtmApplication.exe"
"""The process that orders cash on an honest machine."""

OWN_CLOCK = ("device", "journal", "windows")
"""Feeds stamped by the machine's own clock."""

TRUE = "_true"
"""Key of a row's true time (µs): the order in which lines were written, whatever the clock said."""

Feed = str
Rows = dict[str, list[dict[str, Any]]]


@dataclass(slots=True)
class Unit:
    """One cassette. `value` minor units per note; counters as XFS keeps them."""

    number: int
    type: int
    value: int
    count: int
    initial: int
    dispensed: int = 0
    presented: int = 0
    rejected: int = 0
    retracted: int = 0


@dataclass(slots=True)
class Machine:
    """A terminal of the simulated fleet.

    Attributes:
        device, journal: format ids of its two logs. line: whether its host line (NDC) is recorded.
        host: the host's log that holds its authorisations, a key of `render.HOSTS`.
        rate: withdrawals a day. offset: µs its clock is ahead at the start; drift: parts per million.
        steps: (true time µs, µs by which the clock was set forward). feeds: rows written so far, by feed and table.
        disk: serial of its own disk. running: of the disk it runs from. records: last Windows record number by disk and channel
            (channel "": where a disk's channels were as the scenario began; another disk begins with 1).
        panel: µs the alarm panel's clock is ahead. stacked: notes per unit that wait to be presented.
    """

    id: str
    number: int
    device: str
    journal: str
    line: bool
    timezone: str
    site: dict[str, Any]
    rate: float
    offset: int
    drift: float
    start: int
    units: list[Unit]
    rng: np.random.Generator
    steps: list[tuple[int, int]] = field(default_factory=list)
    feeds: dict[Feed, Rows] = field(default_factory=dict)
    request: int = 0
    session: int = 0
    serial: int = 1000
    disk: str = ""
    running: str = ""
    records: dict[tuple[str, str], int] = field(default_factory=dict)
    token: bool = False
    host: str = "host"
    panel: int = 0
    stacked: list[int] = field(default_factory=list)

    @property
    def luno(self) -> str:
        """The NDC name."""
        return f"{self.number:03d}"

    @property
    def field41(self) -> str:
        """The ISO 8583 field 41 name."""
        return f"ATM{self.number:05d}"

    @property
    def host_name(self) -> str:
        """The Windows name."""
        return f"ATM{self.number:04d}"

    @property
    def account(self) -> str:
        """The alarm panel's account."""
        return f"{1000 + self.number}"

    def clock(self, time: int) -> int:
        """What the machine's clock shows (µs) at a true time."""
        stepped = sum(by for at, by in self.steps if at <= time)
        return time + self.offset + int((time - self.start) * self.drift / 1e6) + stepped

    def write(self, feed: Feed, table: str, time: int, **values: Any) -> None:  # noqa: ANN401 - columns of the table
        """A row in one of the machine's logs at a true time (µs), stamped by the clock of that log."""
        stamp = self.clock(time) if feed in OWN_CLOCK else time + self.panel if feed == "panel" else time
        self.feeds.setdefault(feed, {}).setdefault(table, []).append({"time": stamp, TRUE: time, **values})

    def between(self, low: float, high: float) -> int:
        """A random span of seconds, in µs."""
        return int(self.rng.uniform(low, high) * SECOND)

    def mix(self, amount: int) -> list[int]:
        """Notes per unit for an amount, largest notes first, as far as the cassettes hold; empty if it cannot be paid."""
        counts, left = [0] * len(self.units), amount
        order = sorted(range(len(self.units)), key=lambda i: (-self.units[i].value, -self.units[i].count))
        for i in order:
            notes = min(left // self.units[i].value, max(self.units[i].count - 5, 0), 40 - sum(counts))
            counts[i] = notes
            left -= notes * self.units[i].value
        return counts if left == 0 else []

    def worth(self, counts: Sequence[int]) -> int:
        """Minor units of so many notes per unit."""
        return sum(n * u.value for n, u in zip(counts, self.units, strict=True))

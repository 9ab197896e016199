"""The stage: a fleet, its customers and crews, and what stories may do on it.

Everything is planned as acts at true times; each machine's acts are then performed in time order, so that its counters and
its logs agree whatever stories were added. The same seed gives the same night.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from jackstop.simulator import customers, moves, service
from jackstop.simulator.machine import DAY, HOUR, MINUTE, SECOND, Machine, Unit

Act = Callable[[Machine, int], object]
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
START = round((datetime(2026, 3, 2, 4, tzinfo=UTC) - EPOCH) / timedelta(microseconds=1))
"""A Monday, 04:00 UTC: before midnight in the fleet's zones. Scenarios begin here unless a story wants another day."""

FAMILIES = (("nextware-trace", "hyosung-journal"), ("xfs4iot", "ncr-journal"), ("xfs4iot", "procash-journal"))
ZONES = ("America/New_York", "America/Chicago", "America/New_York", "America/Denver")
SITES = (
    {"kind": "indoor", "open": "08:00-20:00", "closed_days": ["Sun"]},
    {"kind": "outdoor", "open": "00:00-24:00"},
    {"kind": "drive-up", "open": "06:00-23:00"},
    {"kind": "indoor", "open": "07:00-22:00"},
)
NOTES = ((1, 1_000, 1800), (2, 2_000, 2600), (3, 2_000, 2600), (4, 5_000, 1600))


@dataclass(slots=True)
class Told:
    """One story as it happened: for `truth.jsonl`."""

    story: str
    attack: bool
    terminals: tuple[str, ...]
    techniques: tuple[str, ...]
    start: int
    end: int = 0
    notes: list[tuple[int, str, int]] = field(default_factory=list)


@dataclass(slots=True)
class Scene:
    """A fleet between two instants (µs), with the plan of what happens at each machine."""

    start: int
    end: int
    machines: list[Machine]
    rng: np.random.Generator
    plan: dict[str, list[tuple[int, int, Act]]] = field(default_factory=dict)
    busy: dict[str, list[tuple[int, int]]] = field(default_factory=dict)
    visits: list[dict[str, Any]] = field(default_factory=list)
    told: list[Told] = field(default_factory=list)
    withdrawals: list[tuple[int, str, int]] = field(default_factory=list)

    def at(self, machine: Machine, time: int, act: Act) -> None:
        """Plan an act."""
        acts = self.plan.setdefault(machine.id, [])
        acts.append((time, len(acts), act))

    def clear(self, machine: Machine, start: int, end: int) -> None:
        """Keep customers and crews away between two instants."""
        self.busy.setdefault(machine.id, []).append((start, end))

    def free(self, machine: Machine, start: int, end: int) -> bool:
        """Whether nothing keeps people away then."""
        return all(end < a or start > b for a, b in self.busy.get(machine.id, ()))

    def visit(
        self,
        machine: Machine,
        kind: str,
        start: int,
        end: int,
        permits: Sequence[str],
        expected_in: Sequence[tuple[int, int]] = (),
    ) -> str:
        """An authorised visit in `visits.csv`; gives the work order."""
        order = f"WO-{len(self.visits) + 1:05d}"
        row = {"terminal": machine.id, "kind": kind, "work_order": order, "start": start, "end": end, "permits": tuple(permits)}
        self.visits.append({**row, "people": f"crew-{int(self.rng.integers(1, 30)):02d}", "expected_in": tuple(expected_in)})
        return order

    def night(self, machine: Machine) -> int:
        """A random instant between one and five in the local night, with room before the end; any instant if there is none."""
        zone = ZoneInfo(machine.timezone)
        tries = self._tries()
        dark = [t for t in tries if 1 <= (EPOCH + timedelta(microseconds=t)).astimezone(zone).hour < 5]
        return (dark or tries)[0]

    def day(self, machine: Machine) -> int:
        """A random instant between ten and sixteen in the local day; any instant if there is none."""
        zone = ZoneInfo(machine.timezone)
        tries = self._tries()
        light = [t for t in tries if 10 <= (EPOCH + timedelta(microseconds=t)).astimezone(zone).hour < 16]
        return (light or tries)[0]

    def _tries(self) -> list[int]:
        """Random instants after the beginning, in which clocks are learnt as in any deployment, and well before the end."""
        low = self.start + min(20 * HOUR, (self.end - self.start) // 4)
        high = max(self.end - 2 * HOUR, low + 1)
        return [int(t) for t in self.rng.integers(low, high, 200)]

    def perform(self, machine: Machine) -> None:
        """Everything planned at one machine, in time order, customers where nothing else is going on."""
        acts = sorted((*self.plan.get(machine.id, ()), *self._customers(machine)), key=lambda a: (a[0], a[1]))
        for time, _, act in acts:
            act(machine, time)

    def _customers(self, machine: Machine) -> list[tuple[int, int, Act]]:
        """Customers by the hour of the local day, at least a minute and a half apart, and now and then in a queue."""
        out: list[tuple[int, int, Act]] = []
        zone = ZoneInfo(machine.timezone)
        weights = np.array(customers.HOURS) / sum(customers.HOURS)
        last = 0
        for hour in range((self.end - self.start) // HOUR + 1):
            begin = self.start + hour * HOUR
            local = (EPOCH + timedelta(microseconds=begin)).astimezone(zone).hour
            for time in np.sort(machine.rng.uniform(0, HOUR, machine.rng.poisson(machine.rate * weights[local]))):
                at = begin + int(time)
                gap = MINUTE + machine.between(-8, 40)
                if at - last < gap or at + 2 * MINUTE > self.end or not self.free(machine, at - MINUTE, at + 2 * MINUTE):
                    continue
                last = at
                out.append((at, -1, self._customer))
        return out

    def _customer(self, machine: Machine, time: int) -> None:
        paid = customers.withdraw(machine, time)
        if paid is not None:
            self.withdrawals.append((paid[0], machine.id, paid[1]))


def build(terminals: int, hours: float, seed: int, start: int = START) -> Scene:
    """A fleet without stories: machines with their clocks, and what Windows says of their disks as it begins."""
    rng = np.random.default_rng(seed)
    scene = Scene(start, start + int(hours * HOUR), [_machine(i, rng, seed, start) for i in range(1, terminals + 1)], rng)
    for machine in scene.machines:
        scene.at(machine, start + machine.between(20, 300), lambda m, t: moves.disk(m, t, m.disk))
        if machine.host == "iso":
            for time in range(start + machine.between(0, 600), scene.end, _ECHO):
                scene.at(machine, time, customers.echo)
    return scene


_ECHO = 10 * MINUTE
"""How often a terminal on an ISO 8583 link sends an echo."""


def routine(scene: Scene) -> None:
    """The crews' routine: each machine is loaded every three days or so and looked after now and then, with an order."""
    for machine in scene.machines:
        for day in range(-(-(scene.end - scene.start) // DAY)):
            roll = float(scene.rng.random())
            chore = next((c for chance, c in _CHORES if roll < chance), None)
            time = scene.start + day * DAY + int(scene.rng.uniform(11, 20) * HOUR)
            if chore is not None and time + HOUR < scene.end and scene.free(machine, time - 10 * MINUTE, time + 40 * MINUTE):
                chore(scene, machine, time)


def cash_load(scene: Scene, machine: Machine, time: int) -> None:
    """A cash load with its visit."""
    scene.clear(machine, time - 5 * MINUTE, time + 25 * MINUTE)
    loaded = [(u.value, u.initial) for u in machine.units]
    permits = ("open-cabinet", "open-safe", "exchange", "supervisor")
    scene.visit(machine, "cit", time - 10 * MINUTE, time + 40 * MINUTE, permits, loaded)
    scene.at(machine, time, service.load_cash)


def maintenance(scene: Scene, machine: Machine, time: int, *, reboot: bool = False, serial: str | None = None) -> None:
    """Maintenance with a test dispense, with its visit."""
    scene.clear(machine, time - 5 * MINUTE, time + 25 * MINUTE)
    permits = ["open-cabinet", "supervisor", "test-dispense"] + (["reboot", "software", "usb"] if reboot else [])
    scene.visit(machine, "second-line" if reboot else "first-line", time - 10 * MINUTE, time + 45 * MINUTE, permits)
    scene.at(machine, time, lambda m, t: service.maintain(m, t, reboot=reboot, serial=serial))


def software(scene: Scene, machine: Machine, time: int) -> None:
    """A remote software installation with a restart, with its visit."""
    scene.clear(machine, time - 5 * MINUTE, time + 15 * MINUTE)
    scene.visit(machine, "software", time - 15 * MINUTE, time + 60 * MINUTE, ("software", "reboot"))
    scene.at(machine, time, lambda m, t: service.restart(m, t, dark=3 * MINUTE))


def audit(scene: Scene, machine: Machine, time: int) -> None:
    """Auditors open the machine and look at it, with their visit; nothing is moved."""
    scene.clear(machine, time - 5 * MINUTE, time + 25 * MINUTE)
    scene.visit(machine, "audit", time - 10 * MINUTE, time + 45 * MINUTE, ("open-cabinet", "open-safe", "supervisor"))
    scene.at(machine, time, service.inspect)


_CHORES: tuple[tuple[float, Callable[[Scene, Machine, int], None]], ...] = (
    (0.33, cash_load),
    (0.43, maintenance),
    (0.46, software),
    (0.48, audit),
)
"""What a day brings to a machine, by cumulated chance."""


def _machine(number: int, rng: np.random.Generator, seed: int, start: int) -> Machine:
    device, journal = FAMILIES[(number - 1) % len(FAMILIES)]
    made = Machine(
        id=f"ATM-{number:04d}",
        number=number,
        device=device,
        journal=journal,
        line=number % 4 == 0,
        timezone=ZONES[number % len(ZONES)],
        site=dict(SITES[number % len(SITES)]),
        rate=float(rng.uniform(70, 190)),
        offset=int(rng.normal(0, 25) * SECOND),
        drift=float(rng.normal(0, 6)),
        start=start,
        units=[Unit(n, n, value, int(full * rng.uniform(0.55, 1)), full) for n, value, full in NOTES],
        rng=np.random.default_rng([seed, number]),
        disk=(disk := f"S{seed:02d}X{number:06d}"),
        running=disk,
        records={(disk, ""): 40_000},
        host="iso" if number % 5 == 3 else "host",
        panel=int(rng.normal(0, 0.7) * SECOND),
        token=device == "xfs4iot" and number % 2 == 0,
    )
    made.offset = max(-90 * SECOND, min(90 * SECOND, made.offset))
    return made

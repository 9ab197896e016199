"""A policy over the past: what it would have stopped, and which customers it would have hurt.

Every movement of cash is asked for at its own instant, with what was known then: rows when they had arrived, findings and alerts
when they had been decided. People are assumed to reset a lock, and to close an alert, a fixed time after it came.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, TypeVar

from jackstop.model.fleet import Fleet
from jackstop.model.settings import HOUR
from jackstop.policy.facts import Known
from jackstop.policy.interlock import Answer, Open, Request, Situation, decide
from jackstop.policy.model import Policy
from jackstop.policy.stations import Station, stations

Standing = Literal["customer", "theft", "test", "open"]
"""Whose a movement was: explained, unexplained or contradicted, explained by a visit, or never decided."""

STANDINGS: Mapping[str, Standing] = {
    "explained": "customer",
    "unexplained": "theft",
    "contradicted": "theft",
    "explained-by-visit": "test",
}
"""Verdict to standing; every other verdict is `open`."""

_LOCKS = ("tamper", "unannounced:tamper", "boot")
_NEVER = -(2**62)


class Movement(NamedTuple):
    """Notes that left, or were picked: verdict's id, terminal, when (µs UTC), minor units, currency, standing."""

    id: str
    terminal: str
    at: int
    amount: int
    currency: str
    standing: Standing


class Raised(NamedTuple):
    """An alert at a terminal, from when it was so grave (µs UTC)."""

    terminal: str
    id: str
    severity: str
    at: int


_Row = TypeVar("_Row", Known, Movement, Raised)


@dataclass(frozen=True, slots=True)
class Past:
    """What happened, in no particular order.

    Attributes:
        known: facts as they happened. movements, raised: see there. unasked: cash that only counters missed: minor units of each.
        start, end: µs UTC.
    """

    known: Sequence[Known]
    movements: Sequence[Movement]
    raised: Sequence[Raised]
    unasked: Sequence[tuple[str, int]]
    start: int
    end: int


@dataclass(slots=True)
class Sum:
    """How many movements, and their minor units by currency."""

    count: int = 0
    money: dict[str, int] = field(default_factory=dict)

    def add(self, currency: str, amount: int) -> None:
        """Count one more."""
        self.count += 1
        self.money[currency] = self.money.get(currency, 0) + amount


@dataclass(slots=True)
class Effect:
    """What one rule held back: by standing, and how many of them no other rule would have (`alone`)."""

    sums: dict[Standing, Sum] = field(default_factory=lambda: {"theft": Sum(), "customer": Sum(), "test": Sum(), "open": Sum()})
    alone: dict[Standing, int] = field(default_factory=lambda: {"theft": 0, "customer": 0, "test": 0, "open": 0})


@dataclass(frozen=True, slots=True)
class Held:
    """One movement that would not have been paid at once."""

    movement: Movement
    answer: str
    codes: tuple[str, ...]
    until: int | None


@dataclass(frozen=True, slots=True)
class Verdicts:
    """What a policy would have done.

    Attributes:
        policy: its version. asked: all movements, by standing. held: those not paid at once, all rules together, by standing.
        rules: by the reason's code. each: every one held, in the order of time. unasked: cash that nothing asked for.
    """

    policy: str
    start: int
    end: int
    asked: Mapping[Standing, Sum]
    held: Mapping[Standing, Sum]
    rules: Mapping[str, Effect]
    each: tuple[Held, ...]
    unasked: Sum


def replay(policy: Policy, fleet: Fleet, past: Past, reset_after: int = 4 * HOUR) -> Verdicts:
    """Ask for every movement as the policy would have been asked.

    Args:
        policy: as if it were enforced. fleet: the terminals. past: what happened. reset_after: µs after which people are assumed
            to have looked: locks that wait for them end, alerts are closed.
    """
    at = stations(policy, fleet)
    asked, held = Effect().sums, Effect().sums
    rules: dict[str, Effect] = {}
    each: list[Held] = []
    known, raised = _by_terminal(past.known), _by_terminal(past.raised)
    for terminal, moved in _by_terminal(past.movements).items():
        if terminal not in at:
            continue
        for movement, answer in _ask(at[terminal], known.get(terminal, []), raised.get(terminal, []), moved, reset_after):
            asked[movement.standing].add(movement.currency, movement.amount)
            if answer.would != "allow":
                held[movement.standing].add(movement.currency, movement.amount)
                each.append(_noted(movement, answer, rules))
    unasked = Sum()
    for currency, amount in past.unasked:
        unasked.add(currency, amount)
    each.sort(key=lambda h: (h.movement.at, h.movement.id))
    return Verdicts(policy.digest, past.start, past.end, asked, held, rules, tuple(each), unasked)


def _by_terminal(rows: Iterable[_Row]) -> dict[str, list[_Row]]:
    """Rows of each terminal."""
    found: dict[str, list[_Row]] = {}
    for row in rows:
        found.setdefault(row.terminal, []).append(row)
    return found


def _noted(movement: Movement, answer: Answer, rules: dict[str, Effect]) -> Held:
    """A movement held back, counted with every rule that held it."""
    codes = tuple(dict.fromkeys(r.code for r in answer.reasons))
    for code in codes:
        effect = rules.setdefault(code, Effect())
        effect.sums[movement.standing].add(movement.currency, movement.amount)
        effect.alone[movement.standing] += len(codes) == 1
    return Held(movement, answer.would, codes, answer.until)


def _ask(
    station: Station, known: list[Known], raised: list[Raised], moved: list[Movement], reset_after: int
) -> Iterator[tuple[Movement, Answer]]:
    """The answer to each movement of one terminal, in order of time."""
    known.sort(key=lambda k: (k.known, k.at))
    facts: dict[str, tuple[int, str]] = {}
    locks: list[tuple[int, int]] = []
    paid: list[tuple[int, int]] = []
    nth, reset = 0, _NEVER
    for movement in sorted(moved, key=lambda m: (m.at, m.id)):
        while nth < len(known) and known[nth].known <= movement.at:
            one = known[nth]
            nth += 1
            if one.fact not in facts or facts[one.fact][0] <= one.at:
                facts[one.fact] = (one.at, one.value)
            if one.fact.startswith(_LOCKS):
                locks.append((one.known + reset_after, one.at + 1))
        reset = max([reset, *(to for due, to in locks if due <= movement.at)])
        locks = [lock for lock in locks if lock[0] > movement.at]
        alerts = tuple(Open(a.id, a.severity) for a in raised if a.at <= movement.at < a.at + reset_after)
        paid = [p for p in paid if p[0] > movement.at - station.spans.exposure]
        situation = Situation(facts, alerts, tuple(paid), reset)
        answer = decide(station, situation, Request(movement.id, movement.amount, movement.currency), movement.at)
        if answer.would == "allow":
            paid.append((movement.at, movement.amount))
        yield movement, answer

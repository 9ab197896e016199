"""The interlock's rules as they stand at each terminal: overrides applied, spans in µs, once for many answers."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

from pydantic import BaseModel

from jackstop.model.fleet import Fleet, Terminal, microseconds
from jackstop.policy.hours import Opening
from jackstop.policy.model import Policy, Rules

_Model = TypeVar("_Model", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Spans:
    """The spans of a set of rules in µs."""

    door: int
    sensors: int
    restart: int
    supervisor: int
    exposure: int


@dataclass(frozen=True, slots=True)
class Station:
    """One terminal as the interlock sees it.

    Attributes:
        terminal: its id. rules: with all overrides that fit. spans: of the rules. opening: payout hours.
        enforce: whether answers count. stale_after: µs. digest: version of the policy.
    """

    terminal: str
    rules: Rules
    spans: Spans
    opening: Opening
    enforce: bool
    stale_after: int
    digest: str


def stations(policy: Policy, fleet: Fleet) -> Mapping[str, Station]:
    """The stations of a fleet by terminal."""
    made: dict[tuple[int, ...], tuple[Rules, Spans]] = {}
    found = {}
    for terminal in fleet.terminal:
        fitting = tuple(i for i, o in enumerate(policy.interlock.override) if o.fits(terminal))
        if fitting not in made:
            rules = _merged(policy, fitting)
            made[fitting] = (rules, _spans(rules))
        found[terminal.id] = _station(policy, fleet, terminal, *made[fitting])
    return found


def _station(policy: Policy, fleet: Fleet, terminal: Terminal, rules: Rules, spans: Spans) -> Station:
    hours, own = rules.payout_hours, policy.interlock
    opening = Opening.of(hours.hours, hours.closed_days, terminal, fleet)
    return Station(terminal.id, rules, spans, opening, own.mode == "enforce", microseconds(own.stale_after), policy.digest)


def _merged(policy: Policy, fitting: tuple[int, ...]) -> Rules:
    rules = Rules(**{n: getattr(policy.interlock, n) for n in Rules.model_fields})
    for i in fitting:
        rules = overlaid(rules, policy.interlock.override[i])
    return rules


def overlaid(below: _Model, above: BaseModel) -> _Model:
    """A model with the keys that another one sets, tables key by key; keys it does not have are left out."""
    changes: dict[str, object] = {}
    for name in above.model_fields_set & set(type(below).model_fields):
        old, new = getattr(below, name), getattr(above, name)
        changes[name] = overlaid(old, new) if isinstance(old, BaseModel) and isinstance(new, BaseModel) else new
    return below.model_copy(update=changes)


def _spans(rules: Rules) -> Spans:
    return Spans(
        microseconds(rules.door.lock),
        microseconds(rules.sensors.after),
        microseconds(rules.restart.lock),
        microseconds(rules.supervisor.at_most),
        microseconds(rules.exposure.window),
    )

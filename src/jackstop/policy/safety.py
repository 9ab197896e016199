"""Machines' safety timers and time bands against the policy: what differs, what is missing, what was read too long ago."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from pydantic import ValidationError

from jackstop.model.fleet import Fleet, Site, Terminal, microseconds
from jackstop.model.settings import HOUR
from jackstop.policy.hours import SITE, Day, Opening, within
from jackstop.policy.inventory import Inventory, Reading
from jackstop.policy.model import Expected, ExpectedOverride, Policy, Safety
from jackstop.policy.stations import overlaid, stations

State = Literal["differs", "missing", "stale", "unreadable", "contradicts", "stranger"]

_STRICT = {"tamper_action": ("none", "alarm", "lock"), "boot_integrity": ("off", "audit", "enforced")}
"""Words of settings from the laxest to the strictest."""


@dataclass(frozen=True, slots=True)
class Deviation:
    """One setting of one machine that is not as the policy wants it.

    Attributes:
        state: `differs`: laxer than wanted; `missing`: never read; `stale`: read too long ago; `unreadable`: the reading makes no
            sense; `contradicts`: policy and site hours of fleet.toml speak against each other; `stranger`: the inventory names a
            terminal that is not in the fleet. expected, found: as text. at: µs UTC of the reading, None for none.
    """

    terminal: str
    setting: str
    state: State
    expected: str
    found: str = ""
    at: int | None = None


def deviations(policy: Policy, fleet: Fleet, inventory: Inventory, now: int) -> list[Deviation]:
    """Everything in which machines and policy differ, by terminal and setting.

    Args:
        policy: what is wanted. fleet: the machines. inventory: how they are set. now: µs UTC, for stale readings.
    """
    found: list[Deviation] = []
    for terminal in fleet.terminal:
        wanted = expected(policy.safety, terminal, fleet, now)
        for setting in Expected.model_fields:
            reading = inventory.readings.get((terminal.id, setting))
            then = wanted if reading is None else expected(policy.safety, terminal, fleet, reading.at)
            value = getattr(then, setting)
            if value is not None:
                found += _judge(terminal, setting, str(value), reading, now - policy.safety.fresh * 24 * HOUR)
        found += _contradictions(terminal, wanted)
    found += _interlock(policy, fleet)
    known = {t.id for t in fleet.terminal}
    strange = sorted({t for t, _ in inventory.readings if t not in known})
    return found + [Deviation(t, "", "stranger", "a terminal of fleet.toml") for t in strange]


def expected(safety: Safety, terminal: Terminal, fleet: Fleet, at: int) -> Expected:
    """The settings wanted at a terminal at a time (µs UTC), with every override that fits."""
    wanted = Expected(**{n: getattr(safety, n) for n in Expected.model_fields})
    for override in safety.override:
        if override.fits(terminal) and _then(override, terminal, fleet, at):
            wanted = overlaid(wanted, override)
    return wanted


def _then(override: ExpectedOverride, terminal: Terminal, fleet: Fleet, at: int) -> bool:
    """Whether an override counts at a time; one without hours and days always does."""
    if not (override.hours or override.days):
        return True
    idle = tuple(d for d in get_args(Day) if override.days and d not in override.days)
    return Opening.of(override.hours or "00:00-24:00", idle, terminal, fleet).holds(at)


def _judge(terminal: Terminal, setting: str, value: str, reading: Reading | None, oldest: int) -> Iterator[Deviation]:
    """One setting held against what is wanted."""
    kind, holds = _TESTS[setting]
    value = (terminal.site or Site()).open if value == SITE else value
    told = f"{kind} {value}"
    if reading is None:
        yield Deviation(terminal.id, setting, "missing", told)
        return
    try:
        good = holds(setting, reading.value, value)
    except (ValueError, AttributeError):
        yield Deviation(terminal.id, setting, "unreadable", told, reading.value, reading.at)
        return
    if not good:
        yield Deviation(terminal.id, setting, "differs", told, reading.value, reading.at)
    elif reading.at < oldest:
        yield Deviation(terminal.id, setting, "stale", told, reading.value, reading.at)


def _within(_: str, found: str, wanted: str) -> bool:
    try:
        return within(found, wanted)
    except ValidationError:
        raise ValueError(found) from None


def _at_least(_: str, found: str, wanted: str) -> bool:
    return microseconds(found) >= microseconds(wanted)


def _strict(setting: str, found: str, wanted: str) -> bool:
    words = _STRICT[setting]
    return words.index(found) >= words.index(wanted)


def _at_most(_: str, found: str, wanted: str) -> bool:
    if not (found.isascii() and found.isdigit()):
        raise ValueError(found)
    return int(found) <= int(wanted)


_TESTS: Mapping[str, tuple[str, Callable[[str, str, str], bool]]] = {
    "payout_hours": ("within", _within),
    "supervisor_hours": ("within", _within),
    "lock_after_door": ("at least", _at_least),
    "tamper_action": ("at least", _strict),
    "boot_integrity": ("at least", _strict),
    "exposure_limit": ("at most", _at_most),
    "cash_limit": ("at most", _at_most),
}
"""How each setting is held against what is wanted: in words, and by what."""


def _contradictions(terminal: Terminal, wanted: Expected) -> Iterator[Deviation]:
    """Bands of the policy that reach beyond the site's hours in fleet.toml."""
    if terminal.site is None:
        return
    for setting in ("payout_hours", "supervisor_hours"):
        band = getattr(wanted, setting)
        if band is not None and band != SITE and not within(band, terminal.site.open):
            yield Deviation(
                terminal.id, setting, "contradicts", f"within the site's hours {terminal.site.open}", f"policy: {band}"
            )


def _interlock(policy: Policy, fleet: Fleet) -> Iterator[Deviation]:
    """Payout hours of the interlock that reach beyond the site's hours."""
    at = stations(policy, fleet)
    for terminal in fleet.terminal:
        rule = at[terminal.id].rules.payout_hours
        if terminal.site is None or rule.answer == "off" or rule.hours == SITE:
            continue
        if not within(rule.hours, terminal.site.open):
            wanted = f"within the site's hours {terminal.site.open}"
            yield Deviation(terminal.id, "interlock.payout_hours", "contradicts", wanted, f"policy: {rule.hours}")

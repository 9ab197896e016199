"""How much may be done at once: limits of machines taken out of service, of each kind of action, quiet hours, the kill switch.

Pure: the world is given as values, a refusal comes back with its reason.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from jackstop.model.fleet import Fleet, Terminal, microseconds
from jackstop.model.settings import HOUR
from jackstop.policy.allowed import Limits, Response
from jackstop.policy.hours import Opening
from jackstop.policy.response import Action
from jackstop.policy.words import REFUSALS

REMOVES = "out-of-service"
"""The kind that takes machines from customers."""


class Sent(NamedTuple):
    """An action that was begun to be handed over: kind, terminal, and when (µs UTC)."""

    kind: str
    terminal: str | None
    at: int


@dataclass(frozen=True, slots=True)
class World:
    """What the limits are held against.

    Attributes:
        now: µs UTC. stopped: the kill switch. terminals: the fleet's, by id. sizes: how many each region has; `""` is the fleet.
        out: terminals that are, or may be, out of service. sent: of the longest span that limits look back.
    """

    now: int
    stopped: bool
    fleet: Fleet
    terminals: Mapping[str, Terminal]
    sizes: Mapping[str, int]
    out: frozenset[str] = frozenset()
    sent: Sequence[Sent] = ()


class Refusal(NamedTuple):
    """Why an action may not leave now: a stable code (`policy.words.REFUSALS`), when to look again (µs UTC), in words."""

    code: str
    again: int
    en: str
    ja: str


def sizes(fleet: Fleet) -> dict[str, int]:
    """How many terminals each region has; `""` is the fleet."""
    found = {"": len(fleet.terminal)}
    for terminal in fleet.terminal:
        if terminal.region:
            found[terminal.region] = found.get(terminal.region, 0) + 1
    return found


def look_back(response: Response) -> int:
    """How far back (µs) `World.sent` must reach."""
    return max([HOUR, microseconds(response.terms("").pause), *(microseconds(t.pause) for t in response.kinds.values())])


def refusal(response: Response, action: Action, world: World) -> Refusal | None:
    """Why an action may not leave now; None: it may."""
    if world.stopped:
        return _refused("stopped", world.now + HOUR)
    if world.now >= action.ends_at:
        return _refused("expired", world.now)
    return _by_kind(response, action, world) or (_blast(response.limits, action, world) if action.kind == REMOVES else None)


def _by_kind(response: Response, action: Action, world: World) -> Refusal | None:
    """Quiet hours, and how often its kind may leave."""
    terms, now = response.terms(action.kind), world.now
    if terms.quiet is not None and (action.automatic or terms.quiet_for == "all"):
        terminal = world.terminals.get(action.terminal or "") or Terminal(id="*")
        quiet = Opening.of(terms.quiet, (), terminal, world.fleet)
        if quiet.holds(now):
            return _refused("quiet", now + HOUR // 4)
    mine = [s for s in world.sent if s.kind == action.kind]
    pause = microseconds(terms.pause)
    same = [s.at for s in mine if s.terminal == action.terminal and action.terminal is not None and s.at > now - pause]
    if same:
        return _refused("pause", max(same) + pause)
    lately = sorted(s.at for s in mine if s.at > now - HOUR)
    if terms.per_hour is not None and len(lately) >= terms.per_hour:
        return _refused("kind-per-hour", (lately[-terms.per_hour] if terms.per_hour else now) + HOUR)
    return None


def _blast(limits: Limits, action: Action, world: World) -> Refusal | None:
    """How many machines may be taken out of service."""
    lately = {s.terminal: s.at for s in world.sent if s.kind == REMOVES and s.at > world.now - HOUR}
    if action.terminal not in lately and len(lately) >= limits.per_hour:
        return _refused("per-hour", (min(lately.values()) if lately else world.now) + HOUR)
    after = world.out | {action.terminal or ""}
    region = action.region
    if region and sum(_region(world, t) == region for t in after) > _most(
        limits, limits.region_percent, world.sizes.get(region, 0)
    ):
        return _refused("region", world.now + HOUR // 12)
    if len(after) > _most(limits, limits.fleet_percent, world.sizes.get("", 0)):
        return _refused("fleet", world.now + HOUR // 12)
    return None


def _region(world: World, terminal: str) -> str | None:
    known = world.terminals.get(terminal)
    return known.region if known else None


def _most(limits: Limits, percent: int, size: int) -> int:
    return max(size * percent // 100, limits.least)


def _refused(code: str, again: int) -> Refusal:
    said = REFUSALS[code]
    return Refusal(code, again, said.en, said.ja)

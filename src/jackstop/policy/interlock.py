"""The interlock's decision: may this machine pay now? A function of what is known of it, the policy and the instant.

Every rule either is content, gives a reason, or cannot tell because what it rests on is not known. The gravest answer counts:
deny before hold before allow. A fact that speaks against the machine counts however old it is.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from jackstop.model.money import show
from jackstop.model.results import at_least
from jackstop.policy.model import GRAVITY, Word
from jackstop.policy.stations import Station
from jackstop.policy.words import REASONS

Facts = Mapping[str, tuple[int, str]]
"""Facts of one terminal by name (see `policy.facts`): `at` (µs UTC) and value (JSON)."""


class Open(NamedTuple):
    """An alert that is open."""

    id: str
    severity: str


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked. Everything may be missing: the terminal alone can be asked for.

    Attributes:
        id: the asker's own, to ask again without being counted twice. amount: minor units. currency: ISO 4217.
        channel: where the order comes from, in the asker's words; it is noted and decides nothing.
    """

    id: str = ""
    amount: int = 0
    currency: str = ""
    channel: str = ""


@dataclass(frozen=True, slots=True)
class Situation:
    """What is known of a terminal.

    Attributes:
        facts: by name. alerts: open ones. paid: what left it lately, as (µs UTC, minor units), oldest first; None: not known.
        reset: when people last said that tamper and boot are in order (µs UTC). stale: whether all this is too old.
    """

    facts: Facts = field(default_factory=dict)
    alerts: tuple[Open, ...] = ()
    paid: tuple[tuple[int, int], ...] | None = None
    reset: int = -(2**62)
    stale: bool = False


@dataclass(frozen=True, slots=True)
class Reason:
    """Why not: a stable code (`policy.words.REASONS`), what it leads to, until when (µs UTC; None: nobody knows), in words."""

    code: str
    answer: Word
    until: int | None
    en: str
    ja: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What the interlock says.

    Attributes:
        answer: what counts. would: what the rules say; the two differ while the policy only observes.
        reasons: the gravest first. until: when the gravest end (µs UTC), if that is known. unknown: rules that could not tell.
        policy: version of the policy. at: µs UTC of the answer. request: the asker's id.
    """

    terminal: str
    answer: Word
    would: Word
    reasons: tuple[Reason, ...]
    until: int | None
    unknown: tuple[str, ...]
    policy: str
    at: int
    request: str = ""


class _Against(NamedTuple):
    code: str
    until: int | None = None
    detail: str = ""


UNKNOWN = _Against("unknown")
_IN_DOUBT = ("unknown", "stale")
"""Codes that come after those that say something of the machine."""

_Rule = Callable[[Station, Situation, Request, int], _Against | None]


def decide(station: Station, known: Situation, request: Request, now: int) -> Answer:
    """Whether a machine may pay.

    Args:
        station: the rules at the terminal. known: what is known of it. request: what is asked. now: µs UTC.
    """
    reasons: list[Reason] = []
    unknown: list[str] = []
    for name, rule in _RULES.items():
        terms = getattr(station.rules, name)
        if terms.answer == "off":
            continue
        against = rule(station, known, request, now)
        if against is UNKNOWN:
            unknown.append(name)
            word: Word = terms.unknown or station.rules.on_unknown
            if word != "allow":
                reasons.append(_reason("unknown", word, None, name))
        elif against is not None:
            reasons.append(_reason(against.code, terms.answer, against.until, against.detail))
    if known.stale and station.rules.on_unknown != "allow":
        reasons.append(_reason("stale", station.rules.on_unknown, None, ""))
    if known.stale:
        unknown.append("stale")
    return _answer(station.terminal, reasons, unknown, station.digest, now, request.id, enforce=station.enforce)


def stranger(terminal: str, on_unknown: Word, digest: str, request: Request, now: int, *, enforce: bool) -> Answer:
    """The answer for a terminal that is not in the fleet."""
    reasons = [] if on_unknown == "allow" else [_reason("terminal-unknown", on_unknown, None, "")]
    return _answer(terminal, reasons, ["terminal"], digest, now, request.id, enforce=enforce)


def _answer(
    terminal: str, reasons: list[Reason], unknown: list[str], digest: str, now: int, request: str, *, enforce: bool
) -> Answer:
    reasons.sort(key=lambda r: (-GRAVITY.index(r.answer), r.code in _IN_DOUBT))
    would: Word = reasons[0].answer if reasons else "allow"
    ends = [r.until for r in reasons if r.answer == would]
    until = None if None in ends else max((e for e in ends if e is not None), default=None)
    return Answer(terminal, would if enforce else "allow", would, tuple(reasons), until, tuple(unknown), digest, now, request)


def _reason(code: str, answer: Word, until: int | None, detail: str) -> Reason:
    said = REASONS[code]
    return Reason(code, answer, until, said.en.replace("{detail}", detail), said.ja.replace("{detail}", detail))


def _payout_hours(station: Station, _: Situation, __: Request, now: int) -> _Against | None:
    if station.opening.holds(now):
        return None
    return _Against("out-of-hours", station.opening.next(now), station.opening.site.open)


def _door(station: Station, known: Situation, _: Request, now: int) -> _Against | None:
    rule, lock, facts = station.rules.door, station.spans.door, known.facts
    worst: _Against | None = None
    for part in rule.parts:
        opened = facts.get(f"opened:{part}")
        if opened is None:
            continue
        closed = facts.get(f"closed:{part}")
        is_open = closed is None or closed[0] < opened[0]
        if is_open and rule.while_open:
            return _Against("door-open", None, part)
        if rule.visits == "count":
            until = (opened[0] if closed is None or is_open else closed[0]) + lock
            if now < until and (worst is None or until > (worst.until or 0)):
                worst = _Against("door-lock", until, part)
    alone = facts.get("unannounced:door")
    if rule.visits == "spare" and alone is not None and now < alone[0] + lock:
        worst = _Against("door-lock", alone[0] + lock, "unannounced")
    return worst if worst is not None or "sensors" in facts else UNKNOWN


def _tamper(station: Station, known: Situation, _: Request, __: int) -> _Against | None:
    rule, facts = station.rules.tamper, known.facts
    tripped = facts.get("unannounced:tamper" if rule.visits == "spare" else "tamper")
    if tripped is None:
        return None if "sensors" in facts else UNKNOWN
    rested = facts.get("tamper-restored")
    reset = max(known.reset, rested[0] if rested is not None and rule.reset == "restored" else known.reset)
    return _Against("tamper") if reset <= tripped[0] else None


def _sensors(station: Station, known: Situation, _: Request, now: int) -> _Against | None:
    heard = known.facts.get("sensors")
    if heard is None:
        return UNKNOWN
    return _Against("sensors-dark") if now - heard[0] > station.spans.sensors else None


def _boot(station: Station, known: Situation, _: Request, __: int) -> _Against | None:
    rule, facts = station.rules.boot, known.facts
    told = facts.get("boot")
    weak = told is not None and '"weak":[]' not in told[1]
    if told is not None and weak and "config-weakened" in rule.states and known.reset <= told[0]:
        return _Against("boot", None, "config-weakened")
    for state in rule.states:
        found = facts.get(f"boot:{state}")
        measured = rule.reset == "measured" and state == "config-weakened" and told is not None and not weak
        if found is not None and known.reset <= found[0] and not (measured and told is not None and told[0] > found[0]):
            return _Against("boot", None, state)
    return None if told is not None else UNKNOWN


def _restart(station: Station, known: Situation, _: Request, now: int) -> _Against | None:
    started = known.facts.get("boot:unexpected")
    until = started[0] + station.spans.restart if started is not None else now
    return _Against("restart", until) if now < until else None


def _supervisor(station: Station, known: Situation, _: Request, now: int) -> _Against | None:
    for mode in ("supervisor", "vendor"):
        told = known.facts.get(mode)
        if told is not None and told[1] == '"entered"' and now < told[0] + station.spans.supervisor:
            return _Against("supervisor", told[0] + station.spans.supervisor, mode)
    return None


def _exposure(station: Station, known: Situation, request: Request, now: int) -> _Against | None:
    rule, window = station.rules.exposure, station.spans.exposure
    foreign = bool(rule.currency and request.currency and rule.currency != request.currency)
    if known.paid is None or foreign:
        return UNKNOWN
    lately = [(at, amount) for at, amount in known.paid if at > now - window]
    total = sum(amount for _, amount in lately) + request.amount
    if total <= rule.cap:
        return None
    detail = show(rule.cap, rule.currency or request.currency) if rule.currency or request.currency else str(rule.cap)
    for at, amount in lately:
        total -= amount
        if total <= rule.cap:
            return _Against("exposure", at + window, detail)
    return _Against("exposure", None, detail)


def _alert(station: Station, known: Situation, _: Request, __: int) -> _Against | None:
    level = station.rules.alert.severity
    return next((_Against("alert-open", None, a.id) for a in known.alerts if at_least(a.severity, level)), None)


_RULES: Mapping[str, _Rule] = {
    "payout_hours": _payout_hours,
    "door": _door,
    "tamper": _tamper,
    "sensors": _sensors,
    "boot": _boot,
    "restart": _restart,
    "supervisor": _supervisor,
    "exposure": _exposure,
    "alert": _alert,
}
"""The rules by their name in `[interlock]`."""

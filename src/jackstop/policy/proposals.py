"""From an alert to what is proposed about it. The same alert proposes the same actions, with the same ids, however often seen."""

from collections.abc import Collection, Mapping
from dataclasses import replace

from jackstop.model.fleet import Terminal, microseconds
from jackstop.model.results import Alert, at_least
from jackstop.policy.allowed import AT_TERMINAL, Kind, Response, Trigger
from jackstop.policy.response import SERVICE, Action, Told, ident


def proposals(
    response: Response, alert: Alert, terminals: Mapping[str, Terminal], possible: Collection[str], now: int, *, dry: bool
) -> list[Action]:
    """The actions that the policy's rules propose for an alert.

    Args:
        response: the rules. alert: as it stands. terminals: the fleet's, by id. possible: kinds that some way does.
        now: µs UTC, from which a proposal's time runs. dry: whether actions are dry runs now.
    """
    wanted: dict[tuple[Kind, str | None], bool] = {}
    for rule in response.rule:
        mine = [t for t in alert.terminals if t in terminals and rule.fits(terminals[t])]
        if not _fits(rule, alert) or not mine:
            continue
        for kind in rule.kinds:
            if kind in possible:
                for place in mine if kind in AT_TERMINAL else [None]:
                    wanted[kind, place] = wanted.get((kind, place), False) or rule.automatic
    told = of(alert)
    found = []
    for (kind, place), automatic in wanted.items():
        terminal = terminals.get(place or (alert.terminals[0] if len(alert.terminals) == 1 else ""))
        found.append(
            Action(
                id=ident(alert.id, kind, place or ""),
                kind=kind,
                terminal=place,
                region=(terminal.region or "") if terminal else "",
                alert=alert.id,
                told=told,
                proposed_by=SERVICE,
                proposed_at=now,
                ends_at=now + microseconds(response.terms(kind).expires),
                automatic=automatic,
                dry=dry,
                changed_at=now,
            )
        )
    return found


def after_failure(response: Response, action: Action, possible: Collection[str], why: str, now: int) -> list[Action]:
    """What the policy lets be done by itself where an action failed; nothing for dry runs, nor where such a one failed itself."""
    if action.dry or action.kind in response.on_failure:
        return []
    note = f"{action.kind}{f' at {action.terminal}' if action.terminal else ''} failed: {why}"
    return [
        replace(
            action,
            id=ident(action.id, "failed", kind),
            kind=kind,
            terminal=None,
            told=replace(action.told, note=note[:500], undoes="", passed_on=""),
            proposed_by=SERVICE,
            proposed_at=now,
            ends_at=now + microseconds(response.terms(kind).expires),
            automatic=True,
            state="proposed",
            approvers=(),
            changed_at=now,
            attempts=0,
            next_at=now,
            sent_at=0,
            unsure=False,
        )
        for kind in response.on_failure
        if kind in possible
    ]


def of(alert: Alert) -> Told:
    """What an action says of its alert."""
    return Told(
        title=alert.title,
        severity=alert.severity,
        detections=alert.detections[:20],
        terminals=alert.terminals[:50],
        unexplained=alert.unexplained,
        currency=alert.currency,
        first_event=alert.first_event,
    )


def _fits(rule: Trigger, alert: Alert) -> bool:
    """Whether an alert is grave enough; with `detections`, one of their own findings must be."""
    if not rule.detections:
        return at_least(alert.severity, rule.severity)
    return any(f.detection in rule.detections and at_least(f.severity, rule.severity) for f in alert.findings)

"""What people do with actions, each within the caller's transaction: propose, approve, reject, confirm, take back.

Whoever calls has checked that the person's role allows it; here it is checked that the deed itself is allowed.
"""

from collections.abc import Sequence

from sqlalchemy import Connection

from jackstop.actions import Common
from jackstop.model.fleet import Fleet, Terminal, microseconds
from jackstop.policy.allowed import AT_TERMINAL, KINDS, Kind, Response
from jackstop.policy.limits import REMOVES
from jackstop.policy.response import Action, Refused, Told, ident
from jackstop.store import actions as stored
from jackstop.store import switches

_BACK = {REMOVES: "in-service"}
"""Kinds that can be taken back, and by which kind."""


def possible(ways: Sequence[Common]) -> frozenset[str]:
    """The kinds of action that some way does."""
    return frozenset(kind for way in ways for kind in way.does)


def propose(
    connection: Connection,
    response: Response,
    ways: Sequence[Common],
    fleet: Fleet,
    kind: str,
    terminal: str | None,
    alert: str,
    actor: str,
    at: int,
    told: Told | None = None,
) -> Action:
    """An action that a person proposes.

    Args:
        kind: word of `policy.allowed.KINDS`. terminal: where; None for kinds that concern an alert as a whole. alert: its id, or
            empty. actor: who. at: µs UTC. told: what is said of it.

    Raises:
        LookupError: no such terminal or kind. Refused: no way does it (`no-way`), or it needs a terminal (`terminal`).
    """
    chosen, place = _named(ways, fleet, kind, terminal)
    live = switches.read(connection).live
    action = Action(
        id=ident(alert, kind, terminal or "", actor, str(at)),
        kind=chosen,
        terminal=terminal,
        region=(place.region or "") if place else "",
        alert=alert,
        told=told or Told(),
        proposed_by=actor,
        proposed_at=at,
        ends_at=at + microseconds(response.terms(kind).expires),
        dry=not (response.live if live is None else live),
        changed_at=at,
    )
    stored.propose(connection, action, actor, action.told.note)
    return action


def _named(ways: Sequence[Common], fleet: Fleet, kind: str, terminal: str | None) -> tuple[Kind, Terminal | None]:
    """The kind and the terminal that are meant.

    Raises:
        LookupError, Refused: as `propose`.
    """
    chosen = next((k for k in KINDS if k == kind), None)
    place = next((t for t in fleet.terminal if t.id == terminal), None)
    if chosen is None:
        raise LookupError(f"kind {kind!r:.40} is unknown, expected one of: {', '.join(KINDS)}")
    if terminal is not None and place is None:
        raise LookupError(f"terminal {terminal!r:.80} is not in this fleet, expected one that is")
    if kind in AT_TERMINAL and place is None:
        raise Refused("terminal", f"{kind} needs a terminal, expected one of the fleet")
    if kind not in possible(ways):
        raise Refused("no-way", f"no [[action]] does {kind}, expected one in jackstop.toml")
    return chosen, place


def approve(connection: Connection, response: Response, ident: str, actor: str, at: int, note: str = "") -> Action:
    """A person's approval; the last one needed makes the action leave.

    Raises:
        LookupError: no such action. Refused: it does not count, or response is stopped (`stopped`).
    """
    if switches.read(connection).stopped:
        raise Refused("stopped", "response is stopped, expected the kill switch to be released first")
    action = stored.find(connection, ident)
    needed = response.terms(action.kind).approvals if action else 2
    return stored.move(connection, ident, "approve", actor, at, needed=needed, note=note or "approved")


def reject(connection: Connection, ident: str, actor: str, at: int, note: str = "") -> Action:
    """A person's no; the action does not leave.

    Raises:
        LookupError: no such action. Refused: it has begun to leave, or is over.
    """
    return stored.move(connection, ident, "reject", actor, at, note=note or "rejected")


def confirm(connection: Connection, ident: str, actor: str, at: int, note: str = "") -> Action:
    """Somebody says that an action was carried out.

    Raises:
        LookupError: no such action. Refused: it was never handed over.
    """
    action = stored.move(connection, ident, "confirm", actor, at, note=note or "confirmed")
    taken_back(connection, action, at)
    return action


def fail(connection: Connection, ident: str, actor: str, at: int, note: str = "") -> Action:
    """Somebody says that an action that was handed over was not carried out.

    Raises:
        LookupError: no such action. Refused: it was never handed over, or is over.
    """
    return stored.move(connection, ident, "fail", actor, at, note=note or "not carried out")


def take_back(
    connection: Connection,
    response: Response,
    ways: Sequence[Common],
    fleet: Fleet,
    ident: str,
    actor: str,
    at: int,
    note: str = "",
) -> Action:
    """Propose to take an action back; once that is confirmed, the action is `rolled-back`.

    Raises:
        LookupError: no such action. Refused: its kind cannot be taken back (`no-way-back`), it was never handed over (`state`),
            or no way does the contrary (`no-way`).
    """
    action = stored.find(connection, ident)
    if action is None:
        raise LookupError(f"action {ident!r:.120} is not there, expected the id of one that is")
    back = _BACK.get(action.kind)
    if back is None:
        raise Refused("no-way-back", f"{action.kind} cannot be taken back, expected {', '.join(_BACK)}")
    if action.state not in {"sent", "confirmed", "failed"}:
        raise Refused("state", f"action {ident} is {action.state}, expected one that was handed over")
    told = Told(title=action.told.title, severity=action.told.severity, note=note, undoes=action.id)
    return propose(connection, response, ways, fleet, back, action.terminal, action.alert, actor, at, told)


def taken_back(connection: Connection, action: Action, at: int) -> None:
    """Where a confirmed action takes another one back, that one is `rolled-back`."""
    undone = stored.find(connection, action.told.undoes) if action.told.undoes else None
    if undone is not None and undone.state in {"sent", "confirmed", "failed"} and (undone.dry or not action.dry):
        stored.move(connection, undone.id, "roll-back", action.proposed_by, at, note=f"taken back by {action.id}")

"""Actions in the store: each step is a compare-and-set in the caller's transaction, on record with who took it, and audited.

An action is `sending` on record before anything leaves, so a crash leaves a trace of it, and two responders cannot both begin.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import cast

import msgspec
from sqlalchemy import Connection, Row, func, insert, select, update

from jackstop.model.written import json
from jackstop.policy.allowed import Kind
from jackstop.policy.response import Action, Refused, Told, step
from jackstop.store import audit
from jackstop.store.decisions import text
from jackstop.store.schema import action_steps, actions, changes

_NOTE = 1000


class _Body(msgspec.Struct, frozen=True):
    """What `actions.body` holds."""

    told: Told = Told()
    approvers: tuple[str, ...] = ()
    sent_at: int = 0
    unsure: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """One step of an action: when (µs UTC), who, from and to which state, and a note."""

    at: int
    actor: str
    before: str
    after: str
    note: str


def propose(connection: Connection, action: Action, actor: str, note: str = "") -> bool:
    """Put a proposed action into the store; gives whether it was new."""
    audit.turn(connection)
    if find(connection, action.id) is not None:
        return False
    connection.execute(insert(actions).values(**_row(action)))
    _record(connection, action, "", actor, action.proposed_at, note)
    return True


def find(connection: Connection, ident: str, *, lock: bool = False) -> Action | None:
    """The action of an id, or None; `lock`: nobody else may take a step before this transaction ends."""
    query = select(actions).where(actions.c.id == ident)
    row = connection.execute(query.with_for_update() if lock else query).first()
    return _action(row) if row is not None else None


def listed(
    connection: Connection, states: Sequence[str] = (), *, alert: str = "", before: int | None = None, limit: int = 100
) -> list[Action]:
    """Actions, the newest proposal first. `states`: only these. `before`: proposed earlier (µs UTC)."""
    query = select(actions).order_by(actions.c.proposed_at.desc(), actions.c.id).limit(limit)
    if states:
        query = query.where(actions.c.state.in_(states))
    if alert:
        query = query.where(actions.c.alert == alert)
    if before is not None:
        query = query.where(actions.c.proposed_at < before)
    return [_action(row) for row in connection.execute(query)]


def due(connection: Connection, states: Sequence[str], now: int, limit: int = 100) -> list[Action]:
    """Actions in these states that are to be looked at by now, the longest due first."""
    where = actions.c.state.in_(states) & (actions.c.next_at <= now)
    return [_action(row) for row in connection.execute(select(actions).where(where).order_by(actions.c.next_at).limit(limit))]


def lapsed(connection: Connection, now: int, limit: int = 100) -> list[Action]:
    """Actions whose proposal or approval has lapsed and that were never begun."""
    where = actions.c.state.in_(["proposed", "approved"]) & (actions.c.ends_at <= now)
    return [_action(row) for row in connection.execute(select(actions).where(where).order_by(actions.c.ends_at).limit(limit))]


def holding(connection: Connection, kind: str, since: int, *, dry: bool) -> list[Action]:
    """Actions of a kind that hold or may hold: handed over, being so, or failed since an instant and perhaps taken."""
    c = actions.c
    failed = (c.state == "failed") & (c.attempts > 0) & (c.changed_at > since)
    where = (c.kind == kind) & c.dry.is_(dry) & (c.state.in_(["sending", "sent", "confirmed"]) | failed)
    found = [_action(row) for row in connection.execute(select(actions).where(where))]
    return [a for a in found if a.state != "failed" or a.unsure or a.sent_at]


def steps(connection: Connection, ident: str) -> list[Step]:
    """Every step of an action, in order."""
    c = action_steps.c
    rows = connection.execute(select(c.at, c.actor, c.before, c.after, c.note).where(c.action == ident).order_by(c.id))
    return [Step(*row) for row in rows]


def move(
    connection: Connection,
    ident: str,
    verb: str,
    actor: str,
    at: int,
    *,
    needed: int = 2,
    note: str = "",
    next_at: int | None = None,
    dry: bool | None = None,
) -> Action:
    """Take a step of `policy.response` with an action.

    Args:
        ident: its id. verb, actor, at, needed: as in `step`. note: for the record. next_at: when it is to be looked at again
            (µs UTC). dry: makes it a dry run; a dry run stays one.

    Raises:
        LookupError: no such action. Refused: a step that may not be taken, or somebody took another meanwhile (`meanwhile`).
    """
    audit.turn(connection)
    before = find(connection, ident, lock=True)
    if before is None:
        raise LookupError(f"action {ident!r:.120} is not there, expected the id of one that is")
    after = step(before, verb, actor, at, needed)
    after = replace(after, next_at=at if next_at is None else next_at, dry=before.dry or bool(dry))
    c = actions.c
    where = (c.id == ident) & (c.state == before.state) & (c.attempts == before.attempts) & (c.changed_at == before.changed_at)
    values = {n: v for n, v in _row(after).items() if n != "id"}
    if connection.execute(update(actions).where(where).values(**values)).rowcount != 1:
        raise Refused("meanwhile", f"action {ident}: somebody else took a step meanwhile, expected to look at it again")
    _record(connection, after, before.state, actor, at, note)
    return after


def put_off(
    connection: Connection, action: Action, next_at: int, at: int, note: str, actor: str, *, unsure: bool = False
) -> bool:
    """Look at an action again later, unless somebody took a step meanwhile; gives whether it was put off.

    The note is on record once, not each time it is put off for the same reason. `unsure`: see `Action.unsure`.
    """
    audit.turn(connection)
    c = actions.c
    where = (c.id == action.id) & (c.state == action.state) & (c.attempts == action.attempts)
    values = {"next_at": next_at, "body": _row(replace(action, unsure=unsure))["body"]}
    if connection.execute(update(actions).where(where).values(**values)).rowcount != 1:
        return False
    if note and not any(s.note == text(note, _NOTE) for s in steps(connection, action.id)[-1:]):
        _record(connection, action, action.state, actor, at, note)
    return True


def revision(connection: Connection, ident: str) -> int:
    """How many steps an action has on record."""
    return connection.execute(select(func.count()).where(action_steps.c.action == ident)).scalar() or 0


def summary(action: Action) -> dict[str, object]:
    """An action in a few words, for lists and for who follows `changes`."""
    return {
        "id": action.id,
        "kind": action.kind,
        "terminal": action.terminal,
        "region": action.region,
        "alert": action.alert,
        "state": action.state,
        "automatic": action.automatic,
        "dry": action.dry,
        "title": action.told.title,
        "severity": action.told.severity,
        "proposed_by": action.proposed_by,
        "approvers": action.approvers,
    }


def _record(connection: Connection, action: Action, before: str, actor: str, at: int, note: str) -> None:
    """A step on record, in the audit log and for those who follow changes."""
    said = text(note, _NOTE)
    row = {"action": action.id, "at": at, "actor": text(actor, 100), "before": before, "after": action.state, "note": said}
    connection.execute(insert(action_steps).values(**row))
    body = json(summary(action) | {"before": before, "note": said})
    told = {"kind": "action", "ref": action.id, "revision": revision(connection, action.id), "at": at, "body": body}
    connection.execute(insert(changes).values(**told))
    audit.append(connection, at, actor, f"action.{action.state}", action.id, body)


def _row(action: Action) -> dict[str, object]:
    body = _Body(action.told, action.approvers, action.sent_at, action.unsure)
    return {
        "id": action.id,
        "kind": action.kind,
        "terminal": action.terminal,
        "region": action.region or None,
        "alert": action.alert or None,
        "state": action.state,
        "automatic": action.automatic,
        "dry": action.dry,
        "body": msgspec.json.encode(body).decode(),
        "proposed_by": text(action.proposed_by, 100),
        "proposed_at": action.proposed_at,
        "changed_at": action.changed_at,
        "ends_at": action.ends_at,
        "attempts": action.attempts,
        "next_at": action.next_at,
    }


def _action(row: Row[tuple[object, ...]]) -> Action:
    body = msgspec.json.decode(row.body, type=_Body)
    return Action(
        id=row.id,
        kind=cast(Kind, row.kind),
        terminal=row.terminal,
        region=row.region or "",
        alert=row.alert or "",
        told=body.told,
        proposed_by=row.proposed_by,
        proposed_at=row.proposed_at,
        ends_at=row.ends_at,
        automatic=bool(row.automatic),
        dry=bool(row.dry),
        state=row.state,
        approvers=body.approvers,
        changed_at=row.changed_at,
        attempts=row.attempts,
        next_at=row.next_at,
        sent_at=body.sent_at,
        unsure=body.unsure,
    )

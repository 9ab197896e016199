"""Actions that people propose: the same shape as those the policy's rules propose."""

from dataclasses import replace

from jackstop.model.fleet import microseconds
from jackstop.policy.allowed import Kind
from jackstop.policy.proposals import of
from jackstop.policy.response import Action, Told, ident
from jackstop.store import actions, queries, switches
from jackstop.web.changing import changing
from jackstop.web.context import Context
from jackstop.web.errors import Refused


def propose(context: Context, who: str, kind: Kind, alert: str, terminal: str | None, note: str) -> Action:
    """Propose an action in somebody's name; where the same is there already, that one.

    Raises:
        Refused: 404, no such terminal.
    """
    declared = {t.id: t for t in context.fleet.terminal}
    if terminal is not None and terminal not in declared:
        raise Refused(404, f"no terminal {terminal[:100]!r}")
    found = queries.alert(context.database, alert) if alert else None
    told = replace(of(found.alert) if found else Told(terminals=(terminal or "",)), note=note)
    now, response = context.clock(), context.policy.response
    with changing(context) as connection:
        live = switches.read(connection).live
        action = Action(
            id=ident(alert, kind, terminal or "") if alert else ident(kind, terminal or "", who, str(now)),
            kind=kind,
            terminal=terminal,
            region=(declared[terminal].region or "") if terminal is not None else "",
            alert=alert,
            told=told,
            proposed_by=who,
            proposed_at=now,
            ends_at=now + microseconds(response.terms(kind).expires),
            dry=not (response.live if live is None else live),
            changed_at=now,
        )
        if not actions.propose(connection, action, who, note):
            action = actions.find(connection, action.id) or action
    return action

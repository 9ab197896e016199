"""From what changed in the store to proposed actions: new and graver alerts, and alerts that people closed as false alarms."""

from collections.abc import Collection, Mapping
from dataclasses import replace

import msgspec
from sqlalchemy import Connection, select

from jackstop.model.fleet import Fleet, Terminal
from jackstop.model.results import Alert
from jackstop.model.settings import MINUTE
from jackstop.policy.allowed import Response
from jackstop.policy.limits import Sent, refusal
from jackstop.policy.proposals import proposals
from jackstop.policy.response import SERVICE, Action, Refused
from jackstop.store import actions as stored
from jackstop.store import schema, switches
from jackstop.store.database import Database

CURSOR = "responder"
"""The row of `cursors` that says how far alerts have been dealt with."""

BATCH = 200
"""Changes dealt with in one transaction."""

FRESH = 10 * MINUTE
"""µs after which an alert's news no longer lets the policy act by itself: a responder that was away leaves it to people."""


class Proposer:
    """Follows the store's changes; what it proposes and how far it came are written together, so nothing is proposed twice.

    Args:
        database: the live store. response: the policy. fleet: the terminals. possible: kinds that some way does.
    """

    def __init__(self, database: Database, response: Response, fleet: Fleet, possible: Collection[str]) -> None:
        self._database, self._response, self._fleet, self._possible = database, response, fleet, possible
        self._terminals: Mapping[str, Terminal] = {t.id: t for t in fleet.terminal}

    def follow(self, now: int) -> int:
        """Deal with the next changes; gives how many there were.

        Raises:
            StoreError: the store cannot be read or written; nothing was dealt with.
        """
        c = schema.changes.c
        with self._database.read() as connection:
            after = switches.position(connection, CURSOR)
            query = select(c.id, c.kind, c.ref, c.at).where(c.id > after)
            rows = connection.execute(query.order_by(c.id).limit(BATCH)).all()
        if not rows:
            return 0
        with self._database.write() as connection:
            for ref, told_at in {row.ref: row.at for row in rows if row.kind == "alert"}.items():
                self._alert(connection, ref, told_at, now)
            for ref in dict.fromkeys(row.ref for row in rows if row.kind == "handling"):
                self._handled(connection, ref, now)
            switches.advance(connection, CURSOR, rows[-1].id, now)
        return len(rows)

    def _alert(self, connection: Connection, ref: str, told_at: int, now: int) -> None:
        """Propose what the rules say of an alert, and pass what they let pass; what would have lapsed by now is not proposed."""
        row = connection.execute(select(schema.alerts.c.body).where(schema.alerts.c.id == ref)).first()
        if row is None or _status(connection, ref)[0] in {"false-alarm", "resolved"}:
            return
        alert = msgspec.json.decode(bytes(row.body), type=Alert)
        said = switches.read(connection)
        dry = not (self._response.live if said.live is None else said.live)
        for action in proposals(self._response, alert, self._terminals, self._possible, told_at, dry=dry):
            why = f"{alert.severity}: {alert.title}"
            if action.ends_at <= now or not stored.propose(connection, action, SERVICE, why):
                continue
            if action.automatic and now - told_at > FRESH:
                _left(connection, action, now, "the alert's news came late")
            elif action.automatic:
                self._pass(connection, action, now, stopped=said.stopped)

    def _pass(self, connection: Connection, action: Action, now: int, *, stopped: bool) -> None:
        """Approve an automatic action where the limits allow it now; else people decide."""
        world = switches.world(connection, self._fleet, self._response, now, stopped=stopped, dry=action.dry)
        waiting = [a for a in stored.listed(connection, ["approved"], limit=10_000) if a.dry == action.dry]
        ahead = [Sent(a.kind, a.terminal, now) for a in waiting]
        out = world.out | {a.terminal for a in waiting if a.kind == "out-of-service" and a.terminal}
        against = refusal(self._response, action, replace(world, sent=[*world.sent, *ahead], out=out))
        if against is None:
            stored.move(connection, action.id, "pass", SERVICE, now, note="within the limits of the policy")
        else:
            _left(connection, action, now, against.en)

    def _handled(self, connection: Connection, ref: str, now: int) -> None:
        """Reject what has not left about an alert that people closed as a false alarm."""
        status, who = _status(connection, ref)
        if status != "false-alarm":
            return
        for action in stored.listed(connection, ["proposed", "approved"], alert=ref, limit=10_000):
            try:
                stored.move(connection, action.id, "reject", who, now, note="the alert was closed as a false alarm")
            except Refused:
                continue


def _left(connection: Connection, action: Action, now: int, why: str) -> None:
    """An automatic action is left to people; why is told with it."""
    told = replace(action.told, passed_on=why)
    stored.put_off(connection, replace(action, told=told), now, now, f"not by itself: {why}", SERVICE)


def _status(connection: Connection, alert: str) -> tuple[str, str]:
    """How an alert is handled, and by whom."""
    h = schema.handling.c
    row = connection.execute(select(h.status, h.changed_by).where(h.alert == alert)).first()
    return (row.status, row.changed_by) if row is not None else ("new", "")

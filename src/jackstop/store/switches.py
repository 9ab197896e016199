"""What people switch while the service runs, how far followers have come, and what limits of actions are held against."""

from dataclasses import dataclass

import msgspec
from sqlalchemy import Connection, insert, select

from jackstop.model.fleet import Fleet
from jackstop.model.settings import HOUR
from jackstop.model.written import json
from jackstop.policy.allowed import Response
from jackstop.policy.limits import REMOVES, Sent, World, look_back, sizes
from jackstop.store import audit
from jackstop.store.actions import holding
from jackstop.store.database import put
from jackstop.store.decisions import text
from jackstop.store.schema import action_steps, actions, changes, cursors, facts, handling, holds, switches

LIVE, STOPPED = "response.live", "response.stopped"
_RESET = "interlock.reset."
_REACH = 24 * HOUR
"""µs after which a failed order to go out of service no longer counts as one that may hold."""


@dataclass(frozen=True, slots=True)
class Switches:
    """How response is switched: `live`: actions leave; None: as the policy says. `stopped`: the kill switch."""

    live: bool | None = None
    stopped: bool = False


class _Reset(msgspec.Struct, frozen=True):
    terminal: str


def read(connection: Connection) -> Switches:
    """How response is switched now."""
    rows = connection.execute(select(switches.c.name, switches.c.value).where(switches.c.name.in_([LIVE, STOPPED])))
    said = {row.name: row.value == "true" for row in rows}
    return Switches(said.get(LIVE), said.get(STOPPED, False))


def switch(connection: Connection, name: str, actor: str, at: int, *, on: bool) -> None:
    """Switch `LIVE` or `STOPPED`; audited, and told to those who follow changes.

    Raises:
        ValueError: no such switch.
    """
    if name not in {LIVE, STOPPED}:
        raise ValueError(f"switch {name!r} is unknown, expected {LIVE} or {STOPPED}")
    value = "true" if on else "false"
    put(connection, switches, [{"name": name, "value": value, "at": at, "by": text(actor, 100)}])
    told = {"kind": "health", "ref": name, "revision": 1, "at": at, "body": json({"switch": name, "value": on, "by": actor})}
    connection.execute(insert(changes).values(**told))
    audit.append(connection, at, actor, "response.switch", name, value)


def reset(connection: Connection, terminal: str, actor: str, at: int, note: str = "") -> None:
    """People have seen the machine: tamper and boot integrity before `at` (µs UTC) no longer lock it. Audited."""
    row = {"name": text(f"{_RESET}{terminal}", 100), "value": json({"terminal": terminal}), "at": at, "by": text(actor, 100)}
    put(connection, switches, [row])
    audit.append(connection, at, actor, "interlock.reset", terminal, note)


def resets(connection: Connection) -> dict[str, int]:
    """When each terminal was last reset (µs UTC)."""
    rows = connection.execute(select(switches.c.value, switches.c.at).where(switches.c.name.startswith(_RESET, autoescape=True)))
    return {msgspec.json.decode(row.value, type=_Reset).terminal: row.at for row in rows}


def place_hold(
    connection: Connection, ident: str, span: tuple[int, int], reason: str, actor: str, at: int, alert: str = ""
) -> None:
    """Keep what was received between two instants (µs UTC), for the alert's case if it has one.

    The same hold placed again changes nothing. Audited.
    """
    if connection.execute(select(holds.c.id).where(holds.c.id == ident)).first() is not None:
        return
    case = connection.execute(select(handling.c.case_id).where(handling.c.alert == alert)).scalar() if alert else None
    row = {
        "id": ident,
        "case_id": case,
        "begins": span[0],
        "ends": span[1],
        "reason": text(reason, 1000),
        "placed_at": at,
        "placed_by": actor,
    }
    connection.execute(insert(holds).values(**row))
    audit.append(connection, at, actor, "hold.place", ident, reason)


def position(connection: Connection, name: str) -> int:
    """The last id of `changes` a follower has dealt with; 0 before the first."""
    return connection.execute(select(cursors.c.position).where(cursors.c.name == name)).scalar() or 0


def advance(connection: Connection, name: str, position: int, at: int) -> None:
    """A follower has dealt with `changes` up to an id."""
    row = {"name": name, "position": position, "attempts": 0, "next_at": 0, "ok_at": at, "fault": None, "sent": 0, "dead": 0}
    put(connection, cursors, [row], keep=("sent", "dead"))


def world(connection: Connection, fleet: Fleet, response: Response, now: int, *, stopped: bool, dry: bool) -> World:
    """What limits are held against, in the turn of writing: no other action is begun before this transaction ends.

    Dry runs are held against dry runs, and what is sent against what was sent; terminals out of service by their own word
    count for both.
    """
    audit.turn(connection)
    s, a = action_steps.c, actions.c
    begun = (
        select(a.kind, a.terminal, s.at)
        .join(action_steps, s.action == a.id)
        .where(s.before == "approved", s.after == "sending", s.at > now - look_back(response), a.dry.is_(dry))
    )
    sent = [Sent(*row) for row in connection.execute(begun)]
    terminals = {t.id: t for t in fleet.terminal}
    out = _out(connection, now, dry=dry)
    return World(now, stopped, fleet, terminals, sizes(fleet), frozenset(out & terminals.keys()), sent)


def _out(connection: Connection, now: int, *, dry: bool) -> set[str]:
    """Terminals that are out of service by their own word, or may be by ours."""
    said = connection.execute(select(facts.c.terminal, facts.c.value, facts.c.at).where(facts.c.fact == "service")).all()
    back = {row.terminal: row.at for row in said if row.value == '"in"'}
    out = {row.terminal for row in said if row.value == '"out"'}
    ours = holding(connection, REMOVES, now - _REACH, dry=dry)
    return out | {a.terminal for a in ours if a.terminal and back.get(a.terminal, -(2**62)) <= (a.sent_at or a.changed_at)}

"""How the fleet stands: its terminals now, and its measures over a stretch of time."""

from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass

import polars as pl
from sqlalchemy import BigInteger, Connection, case, cast, func, select, true
from sqlalchemy.sql.elements import ColumnElement

from jackstop import kpi
from jackstop.model.fleet import Fleet
from jackstop.model.measures import Measures
from jackstop.model.results import SEVERITIES
from jackstop.model.settings import HOUR
from jackstop.store import schema
from jackstop.store.database import Database
from jackstop.store.live import Fact
from jackstop.store.shown import TerminalRow

DONE = ("resolved", "false-alarm")
"""Statuses of alerts nobody works on any more."""

LAST_SEEN = "last-seen"
"""The fact whose time says when a terminal was last heard of."""

_OPEN = ("pending", "insufficient-evidence", "explained-by-visit")
"""Verdicts whose money says nothing yet, or nothing of customers."""

_TERMINALS = 200
"""Terminals whose hours are read at a time."""


@dataclass(slots=True)
class _Trouble:
    """The open alerts of one terminal."""

    count: int = 0
    rank: int = -1
    unexplained: int = 0
    at_risk: int = 0


def terminals(database: Database, fleet: Fleet, only: Collection[str] | None = None) -> list[TerminalRow]:
    """The fleet's terminals, in its order; `only` those with these ids, if any are named.

    Raises:
        StoreError: the database cannot be read.
    """
    with database.read() as connection:
        facts, trouble, heard = _facts(connection, only), _trouble(connection, only), _heard(connection, only)
    made, named = [], None if only is None else frozenset(only)
    for t in fleet.terminal:
        if named is not None and t.id not in named:
            continue
        known, alerts = tuple(facts[t.id]), trouble[t.id]
        times = [f.at for f in known if f.fact == LAST_SEEN] + ([heard[t.id]] if t.id in heard else [])
        made.append(
            TerminalRow(
                id=t.id,
                model=t.model or "",
                site=t.site.kind if t.site else "",
                currency=t.currency or fleet.fleet.currency,
                facts=known,
                open_alerts=alerts.count,
                severity=SEVERITIES[alerts.rank] if alerts.rank >= 0 else "",
                unexplained=alerts.unexplained,
                money_at_risk=alerts.at_risk,
                last_seen=max(times, default=None),
            )
        )
    return made


def troubled(database: Database) -> frozenset[str]:
    """The terminals that have open alerts.

    Raises:
        StoreError: the database cannot be read.
    """
    with database.read() as connection:
        return frozenset(_trouble(connection, None))


def _of(column: ColumnElement[str], only: Collection[str] | None) -> ColumnElement[bool]:
    return true() if only is None else column.in_(only)


def _facts(connection: Connection, only: Collection[str] | None) -> defaultdict[str, list[Fact]]:
    c = schema.facts.c
    found = defaultdict[str, list[Fact]](list)
    asked = select(c.terminal, c.fact, c.at, c.value).where(_of(c.terminal, only)).order_by(c.terminal, c.fact)
    for row in connection.execute(asked):
        found[row[0]].append(Fact(*row))
    return found


def _trouble(connection: Connection, only: Collection[str] | None) -> defaultdict[str, _Trouble]:
    """The open alerts of each terminal."""
    a, h, t = schema.alerts, schema.handling, schema.alert_terminals
    asked = (
        select(t.c.terminal, func.count(), func.max(a.c.rank), func.sum(a.c.unexplained), func.max(a.c.money_at_risk))
        .select_from(t.join(a, t.c.alert == a.c.id).outerjoin(h, h.c.alert == a.c.id))
        .where(func.coalesce(h.c.status, "").not_in(DONE), _of(t.c.terminal, only))
        .group_by(t.c.terminal)
    )
    found = defaultdict[str, _Trouble](_Trouble)
    for terminal, count, rank, unexplained, at_risk in connection.execute(asked):
        found[terminal] = _Trouble(count, rank, int(unexplained), at_risk)
    return found


def _heard(connection: Connection, only: Collection[str] | None) -> dict[str, int]:
    """When each terminal's own feeds last brought something."""
    f = schema.feeds.c
    asked = select(f.terminal, func.max(f.last_received)).where(f.last_received.is_not(None), _of(f.terminal, only))
    return {t: at for t, at in connection.execute(asked.group_by(f.terminal)) if t is not None}


def measures(database: Database, fleet: Fleet, begin: int, end: int) -> Measures:
    """The continuous measures of a stretch of time (µs UTC), as `jackstop kpi` shows them; hours before and after anything
    was known are left out.

    Raises:
        StoreError: the database cannot be read.
    """
    begin, end = _known(database, begin, end)
    return kpi.measures(moved(database, begin, end), hours(database, begin, end), fleet, (begin, end))


def _known(database: Database, begin: int, end: int) -> tuple[int, int]:
    """The part of a stretch of time from its first to after its last hour in the store; nothing at its begin where there
    is none."""
    h, v = schema.hours.c.hour, schema.verdicts.c.time
    with database.read() as connection:
        rows = [connection.execute(select(func.min(c), func.max(c)).where(c >= begin, c < end)).one() for c in (h, v)]
    first = [low for low, _ in rows if low is not None]
    last = [high for _, high in rows if high is not None]
    return (max(begin, min(first) // HOUR * HOUR), min(end, max(last) // HOUR * HOUR + HOUR)) if first else (begin, begin)


def moved(database: Database, begin: int, end: int) -> pl.DataFrame:
    """What became of the cash in each terminal's hours from `begin` to before `end`, as a frame of `kpi.MOVED`."""
    c = schema.verdicts.c
    hour = (c.time - ((c.time % HOUR) + HOUR) % HOUR).label("hour")
    episode, picked = c.kind == "episode", func.coalesce(c.picked, 0)
    dispensed, explained = episode & (picked > 0), c.verdict == "explained"
    transaction = (dispensed & explained) | ((c.kind == "authorisation") & (c.verdict == "unexplained"))
    lost = (c.kind != "authorisation") & c.verdict.in_(("unexplained", "contradicted"))
    amounts = (
        case((dispensed, 1), else_=0),
        case((episode, picked), else_=0),
        case((transaction, 1), else_=0),
        case((episode & explained, picked), else_=0),
        case((lost, picked), else_=0),
    )
    asked = (
        select(c.terminal, hour, *(cast(func.sum(a), BigInteger) for a in amounts))
        .where(c.time >= begin, c.time < end, c.verdict.not_in(_OPEN))
        .group_by(c.terminal, hour)
        .order_by(c.terminal, hour)
    )
    with database.read() as connection:
        rows = [tuple(r) for r in connection.execute(asked)]
    return pl.DataFrame(rows, schema=kpi.MOVED, orient="row")


def hours(database: Database, begin: int, end: int) -> Iterator[pl.DataFrame]:
    """The hourly counts from `begin` to before `end` as frames of `kpi.HOURS`, each with all hours of some terminals."""
    c = schema.hours.c
    within = (c.hour >= begin // HOUR * HOUR, c.hour < end)
    with database.read() as connection:
        names = connection.execute(select(c.terminal).where(*within).distinct().order_by(c.terminal)).scalars().all()
        for i in range(0, len(names), _TERMINALS):
            some = names[i : i + _TERMINALS]
            asked = select(c.terminal, c.hour, c.measure, c.at, c.amount).where(*within, c.terminal.in_(some))
            found = connection.execute(asked.order_by(c.terminal, c.hour, c.measure))
            yield pl.DataFrame([tuple(r) for r in found], schema=kpi.HOURS, orient="row")

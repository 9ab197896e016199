"""What each sink was told: its place in `changes`, how it fares, and what it will never take.

A sink follows the changes of alerts in their order. A change says only that an alert has a new revision; the alert's content is
what the store holds now. So whichever of an alert's waiting changes comes first carries its newest revision, and the others are
done with: an alert's revisions reach a sink in rising order, and the last one always does. Changes of alerts have one writer, the
loop, so their ids become visible in order on PostgreSQL too, and a place is always the id of such a change.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import orjson
from sqlalchemy import Connection, delete, func, insert, select, update

from jackstop.model.results import SEVERITIES
from jackstop.store.database import Database, put
from jackstop.store.schema import alerts, changes, cursors, dead_letters, deliveries

PREFIX = "sink:"
"""Rows of `cursors` whose name begins so are places of sinks."""

WINDOW = 500
"""Most changes looked at in one go."""

_KIND = "alert"


@dataclass(frozen=True, slots=True)
class Health:
    """How one sink fares. Times are µs UTC.

    Attributes:
        sink: its name. position: the last change dealt with. queue: changes of alerts behind it. attempts: faults in a row.
        next_at: not tried again before. ok_at: last success. fault: why the last attempt failed, None where it did not.
        sent: messages taken since ever. dead: dead letters that were not sent again since.
    """

    sink: str
    position: int
    queue: int
    attempts: int
    next_at: int
    ok_at: int | None
    fault: str | None
    sent: int
    dead: int


@dataclass(frozen=True, slots=True)
class Due:
    """One alert that waits for one sink.

    Attributes:
        change: the first of its changes in the window. alert: its id. revision, severity: as they are now; 0 and empty where
            the store no longer holds it. peak: the gravest severity of it since the sink's place.
        revision_done: newest revision dealt with. taken: newest the sink took, 0 for none; severity_told: of that one.
        ref: what the other side calls it.
    """

    change: int
    alert: str
    revision: int
    severity: str
    peak: str
    revision_done: int
    taken: int
    severity_told: str
    ref: str


@dataclass(frozen=True, slots=True)
class Waiting:
    """What waits for one sink.

    Attributes:
        position, attempts, next_at: its cursor. end: the last change looked at. due: alerts in the order of their first change.
        letters: ids of dead letters that are to be sent again.
    """

    position: int
    attempts: int
    next_at: int
    end: int
    due: tuple[Due, ...]
    letters: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Letter:
    """A message a sink will not take as it is. `body` is the alert as JSON; times are µs UTC."""

    id: int
    sink: str
    change: int
    key: str
    at: int
    attempts: int
    fault: str
    body: bytes = field(repr=False)
    asked_at: int | None = None
    resent_at: int | None = None


@dataclass(frozen=True, slots=True)
class Settled:
    """One alert dealt with at one sink: `taken` or given up; `fault` says why it was given up, `body` is what was."""

    due: Due
    revision: int
    severity: str
    taken: bool
    fault: str = ""
    body: bytes = field(default=b"", repr=False)


def begin(database: Database, sink: str, at: int, *, start: bool) -> None:
    """Give a new sink its place: after all that is there now, or before it (`start`). A place it has stays.

    Raises:
        StoreError: the database cannot be written.
    """
    with database.write() as connection:
        known = connection.execute(select(cursors.c.name).where(cursors.c.name == PREFIX + sink)).scalar()
        if known is None:
            place = 0 if start else newest(connection)
            row = {"name": PREFIX + sink, "position": place, "attempts": 0, "next_at": at, "sent": 0, "dead": 0}
            connection.execute(insert(cursors).values(row))


def newest(connection: Connection) -> int:
    """The id of the last change of an alert; 0 for none."""
    return connection.execute(select(func.max(changes.c.id)).where(changes.c.kind == _KIND)).scalar() or 0


def asked(connection: Connection) -> frozenset[str]:
    """Sinks with dead letters that are to be sent again."""
    c = dead_letters.c
    found = connection.execute(select(c.sink).where(c.asked_at.is_not(None), c.resent_at.is_(None)).distinct())
    return frozenset(found.scalars())


def waiting(connection: Connection, sink: str) -> Waiting:
    """What waits for a sink, from its place on; one moment of the store.

    Raises:
        LookupError: the sink has no place yet.
    """
    c = cursors.c
    row = connection.execute(select(c.position, c.attempts, c.next_at).where(c.name == PREFIX + sink)).first()
    if row is None:
        raise LookupError(f"sink {sink!r} has no place in the store, expected one that was begun")
    d = changes.c
    columns = select(d.id, d.ref, d.body).where(d.kind == _KIND, d.id > row.position).order_by(d.id).limit(WINDOW)
    found = [(i, ref, str(body)) for i, ref, body in connection.execute(columns)]
    e = dead_letters.c
    letters = select(e.id).where(e.sink == sink, e.asked_at.is_not(None), e.resent_at.is_(None)).order_by(e.id).limit(WINDOW)
    return Waiting(
        position=row.position,
        attempts=row.attempts,
        next_at=row.next_at,
        end=found[-1][0] if found else row.position,
        due=_due(connection, sink, found),
        letters=tuple(connection.execute(letters).scalars()),
    )


def _due(connection: Connection, sink: str, found: Sequence[tuple[int, str, str]]) -> tuple[Due, ...]:
    """The alerts of some changes (id, alert, body), each once, with what the sink knows of them."""
    first: dict[str, int] = {}
    peaks: dict[str, str] = {}
    for change, ref, body in found:
        first.setdefault(ref, change)
        peaks[ref] = max(peaks.get(ref, SEVERITIES[0]), _severity(body), key=SEVERITIES.index)
    a, d = alerts.c, deliveries.c
    names = list(first)
    now = {i: (r, s) for i, r, s in connection.execute(select(a.id, a.revision, a.severity).where(a.id.in_(names)))}
    columns = select(d.alert, d.revision, d.taken, d.severity, d.ref).where(d.sink == sink, d.alert.in_(names))
    known = {row[0]: row[1:] for row in connection.execute(columns)}
    made = []
    for ref, change in first.items():
        revision, severity = now.get(ref, (0, ""))
        done, taken, severity_told, name = known.get(ref, (0, 0, "", ""))
        made.append(Due(change, ref, revision, severity, peaks[ref], done, taken, severity_told, name))
    return tuple(made)


def _severity(body: str) -> str:
    """The severity a change tells of; the slightest where it tells none."""
    try:
        said = orjson.loads(body)
    except orjson.JSONDecodeError:
        return SEVERITIES[0]
    severity = said.get("severity") if isinstance(said, dict) else None
    return severity if severity in SEVERITIES else SEVERITIES[0]


def contents(connection: Connection, names: Sequence[str]) -> dict[str, tuple[int, str, bytes]]:
    """Revision, severity and body of alerts, as they are now."""
    a = alerts.c
    rows = connection.execute(select(a.id, a.revision, a.severity, a.body).where(a.id.in_(names)))
    return {i: (r, s, bytes(b)) for i, r, s, b in rows}


def settle(database: Database, sink: str, position: int, settled: Sequence[Settled], at: int) -> None:
    """Note what became of some alerts and move the sink's place, all or nothing; a success where any was taken.

    Args:
        position: the last change that is dealt with, and all before it. settled: what became of which alerts. at: µs UTC.

    Raises:
        StoreError: the database cannot be written. Nothing changed; the same alerts are due again.
    """
    with database.write() as connection:
        for one in settled:
            _note(connection, sink, one, at)
        taken = sum(s.taken for s in settled)
        c = cursors.c
        changed = {"position": position, "sent": c.sent + taken, "dead": c.dead + len(settled) - taken}
        if settled:
            changed |= {"attempts": 0, "next_at": at, "fault": None if taken else settled[-1].fault}
        if taken:
            changed["ok_at"] = at
        connection.execute(update(cursors).where(c.name == PREFIX + sink).values(changed))


def _note(connection: Connection, sink: str, one: Settled, at: int) -> None:
    """One alert dealt with; a dead letter of the same key is there once."""
    due = one.due
    taken = one.revision if one.taken else due.taken
    severity = one.severity if one.taken else due.severity_told
    row = {"sink": sink, "alert": due.alert, "revision": one.revision, "taken": taken, "severity": severity, "ref": due.ref}
    put(connection, deliveries, [row | {"at": at}], keep=("ref",))
    if not one.taken:
        key = f"{due.alert}:{one.revision}"
        c = dead_letters.c
        connection.execute(delete(dead_letters).where(c.sink == sink, c.key == key, c.resent_at.is_(None)))
        letter = {"sink": sink, "change_id": due.change, "key": key, "at": at, "attempts": 1, "fault": one.fault}
        connection.execute(insert(dead_letters).values(letter | {"body": one.body}))


def failed(database: Database, sink: str, fault: str, attempts: int, next_at: int) -> None:
    """Note that a sink could not be reached, and when it is tried again (µs UTC).

    Raises:
        StoreError: the database cannot be written.
    """
    with database.write() as connection:
        row = {"fault": fault, "attempts": attempts, "next_at": next_at}
        connection.execute(update(cursors).where(cursors.c.name == PREFIX + sink).values(row))


def told(connection: Connection, sink: str, alert: str) -> tuple[int, str]:
    """The newest revision of an alert a sink took (0 for none), and what it calls the alert."""
    d = deliveries.c
    row = connection.execute(select(d.taken, d.ref).where(d.sink == sink, d.alert == alert)).first()
    return (row.taken, row.ref) if row else (0, "")


def remember(database: Database, sink: str, alert: str, ref: str, at: int) -> None:
    """Keep what the other side calls an alert.

    Raises:
        StoreError: the database cannot be written.
    """
    row = {"sink": sink, "alert": alert, "revision": 0, "taken": 0, "severity": "", "ref": ref, "at": at}
    with database.write() as connection:
        put(connection, deliveries, [row], keep=("revision", "taken", "severity"))

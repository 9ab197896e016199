"""Dead letters: what a sink will never take as it is, to be seen, and to be sent again when a person asks for it."""

from collections.abc import Sequence

from sqlalchemy import func, select, update

from jackstop.store.database import Database
from jackstop.store.deliveries import PREFIX, Health, Letter
from jackstop.store.schema import changes, cursors, dead_letters, deliveries

_COLUMNS = tuple(
    dead_letters.c[n] for n in ("id", "sink", "change_id", "key", "at", "attempts", "fault", "body", "asked_at", "resent_at")
)


def health(database: Database, sinks: Sequence[str]) -> tuple[Health, ...]:
    """How sinks fare, in the order given; those never begun are left out.

    Raises:
        StoreError: the database cannot be read.
    """
    c, d, e = cursors.c, changes.c, dead_letters.c
    columns = (c.position, c.attempts, c.next_at, c.ok_at, c.fault, c.sent)
    made = []
    with database.read() as connection:
        for sink in sinks:
            row = connection.execute(select(*columns).where(c.name == PREFIX + sink)).first()
            if row is None:
                continue
            behind = select(func.count()).select_from(changes).where(d.kind == "alert", d.id > row.position)
            dead = select(func.count()).select_from(dead_letters).where(e.sink == sink, e.resent_at.is_(None))
            queue, left = (connection.execute(q).scalar() or 0 for q in (behind, dead))
            made.append(
                Health(sink, row.position, queue, row.attempts, row.next_at, row.ok_at, row.fault, sent=row.sent, dead=left)
            )
    return tuple(made)


def letters(database: Database, sink: str | None = None, *, after: int = 0, most: int = 100) -> tuple[Letter, ...]:
    """Dead letters by their ids, of one sink or of all; `after`: the last id seen.

    Raises:
        StoreError: the database cannot be read.
    """
    c = dead_letters.c
    chosen = select(*_COLUMNS).where(c.id > after).order_by(c.id).limit(most)
    with database.read() as connection:
        rows = connection.execute(chosen.where(c.sink == sink) if sink is not None else chosen).all()
    return tuple(Letter(r[0], r[1], r[2], r[3], r[4], r[5], r[6], bytes(r[7]), r[8], r[9]) for r in rows)


def letter(database: Database, number: int) -> Letter:
    """One dead letter.

    Raises:
        LookupError: there is none of this id. StoreError: the database cannot be read.
    """
    found = letters(database, after=number - 1, most=1)
    if not found or found[0].id != number:
        raise LookupError(f"no dead letter {number}, expected the id of one")
    return found[0]


def resend(database: Database, number: int, at: int) -> None:
    """Ask for a dead letter to be sent again; its sink does so at once, or as soon as it can. Asking twice asks once.

    Raises:
        LookupError: there is none of this id, or it was taken since. StoreError: the database cannot be written.
    """
    c = dead_letters.c
    with database.write() as connection:
        due = (c.id == number) & c.resent_at.is_(None)
        if connection.execute(update(dead_letters).where(due).values(asked_at=at)).rowcount != 1:
            raise LookupError(f"no dead letter {number} that waits, expected the id of one")


def resend_all(database: Database, sink: str, at: int) -> int:
    """Ask for all dead letters of a sink that were not taken since; gives how many.

    Raises:
        StoreError: the database cannot be written.
    """
    c = dead_letters.c
    with database.write() as connection:
        due = (c.sink == sink) & c.resent_at.is_(None)
        return connection.execute(update(dead_letters).where(due).values(asked_at=at)).rowcount


def taken(database: Database, number: int, revision: int, severity: str, at: int) -> None:
    """Note that a letter was taken after all: its sink knows its alert's `revision`, which was so grave.

    Raises:
        StoreError: the database cannot be written.
    """
    c, d = dead_letters.c, deliveries.c
    with database.write() as connection:
        connection.execute(update(dead_letters).where(c.id == number).values(resent_at=at))
        row = connection.execute(select(c.sink, c.key).where(c.id == number)).one()
        known = (d.sink == row.sink) & (d.alert == row.key.rpartition(":")[0]) & (d.taken < revision)
        connection.execute(update(deliveries).where(known).values(taken=revision, severity=severity, at=at))
        changed = {"attempts": 0, "next_at": at, "fault": None, "ok_at": at, "sent": cursors.c.sent + 1}
        connection.execute(update(cursors).where(cursors.c.name == PREFIX + row.sink).values(changed))


def refused(database: Database, number: int, fault: str) -> None:
    """Note that a letter was refused again, and why.

    Raises:
        StoreError: the database cannot be written.
    """
    c = dead_letters.c
    with database.write() as connection:
        changed = {"asked_at": None, "fault": fault, "attempts": c.attempts + 1}
        connection.execute(update(dead_letters).where(c.id == number).values(changed))

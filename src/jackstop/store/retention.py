"""Retention: what is older than it is to be kept goes, but for what a legal hold covers.

Holds cover what was received from their begin to their end. Alerts, their handling, cases, actions and the audit log stay.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import Connection, Table, and_, delete, select, true, tuple_
from sqlalchemy.sql.elements import ColumnElement

from jackstop.store import parquet
from jackstop.store.database import Database
from jackstop.store.history import History
from jackstop.store.putting import DAY
from jackstop.store.schema import changes, history_files, holds, hours, verdict_history, verdicts

_PIECE = 2_000
"""Rows removed in one transaction: others write in between."""


@dataclass(frozen=True, slots=True)
class Hold:
    """A legal hold that stands: what was received from `begins` to `ends` (µs UTC) is not removed."""

    id: str
    case_id: str | None
    begins: int
    ends: int


@dataclass(frozen=True, slots=True)
class Expired:
    """What was removed: files of the history, rows of verdicts with their history, of hours and of changes."""

    files: int
    verdicts: int
    hours: int
    changes: int


def standing(database: Database) -> tuple[Hold, ...]:
    """The legal holds that stand, by their begin.

    Raises:
        StoreError: the database cannot be read.
    """
    with database.read() as connection:
        return _standing(connection)


def expire(history: History, now: int, keep: int) -> Expired:
    """Remove what is older than `keep` days.

    Args:
        history: its database is looked after too. now: µs UTC.

    Raises:
        StoreError: the database cannot be written. What was removed by then stays removed.
    """
    before = now // DAY * DAY - keep * DAY
    database = history.database
    gone = _verdicts(database, before)
    return Expired(
        files=_files(history, before),
        verdicts=gone,
        hours=_old(database, hours, hours.c.hour, before),
        changes=_old(database, changes, changes.c.at, before),
    )


def _standing(connection: Connection) -> tuple[Hold, ...]:
    c = holds.c
    asked = select(c.id, c.case_id, c.begins, c.ends).where(c.released_at.is_(None)).order_by(c.begins, c.id)
    return tuple(Hold(*r) for r in connection.execute(asked))


def _binding(connection: Connection) -> tuple[Hold, ...]:
    """The holds that stand until this transaction ends: nobody places one while rows it would cover are removed."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("LOCK TABLE holds IN SHARE MODE")
    return _standing(connection)


def _files(history: History, before: int) -> int:
    """Forget files of days that are over, then remove them."""
    c = history_files.c
    limit = f"{date.fromordinal(date(1970, 1, 1).toordinal() + before // DAY)}"
    with history.database.write() as connection:
        kept = _binding(connection)
        old = connection.execute(select(c.path, c.day).where(c.day < limit)).all()
        paths = [p for p, day in old if not any(_touches(h, day) for h in kept)]
        for begin in range(0, len(paths), _PIECE):
            connection.execute(delete(history_files).where(c.path.in_(paths[begin : begin + _PIECE])))
    parquet.remove(history.folder, paths)
    return len(paths)


def _touches(hold: Hold, day: str) -> bool:
    begin = (date.fromisoformat(day) - date(1970, 1, 1)).days * DAY
    return hold.begins < begin + DAY and hold.ends >= begin


def _verdicts(database: Database, before: int) -> int:
    """Remove movements that were judged long ago, with everything that was held of them.

    Their own time does not count but for holds: a machine whose clock is years behind has just been judged.
    """
    gone = 0
    while True:
        with database.write() as connection:
            kept = _binding(connection)
            terms = and_(_past(verdicts.c.decided_at, before, kept), _uncovered(verdicts.c.time, kept))
            names = connection.execute(select(verdicts.c.id).where(terms).limit(_PIECE)).scalars().all()
            if not names:
                return gone
            connection.execute(delete(verdict_history).where(verdict_history.c.verdict_id.in_(names)))
            connection.execute(delete(verdicts).where(verdicts.c.id.in_(names)))
            gone += len(names)


def _old(database: Database, table: Table, time: ColumnElement[int], before: int) -> int:
    """Remove rows of a table that are over."""
    keys = list(table.primary_key)
    gone = 0
    while True:
        with database.write() as connection:
            terms = _past(time, before, _binding(connection))
            found = [tuple(r) for r in connection.execute(select(*keys).where(terms).limit(_PIECE // len(keys)))]
            if not found:
                return gone
            connection.execute(delete(table).where(tuple_(*keys).in_(found)))
            gone += len(found)


def _past(time: ColumnElement[int], before: int, kept: Sequence[Hold]) -> ColumnElement[bool]:
    """Whether a time is over and no hold covers it."""
    return and_(time < before, _uncovered(time, kept))


def _uncovered(time: ColumnElement[int], kept: Sequence[Hold]) -> ColumnElement[bool]:
    """Whether no hold covers a time."""
    return and_(true(), *(~time.between(h.begins, h.ends) for h in kept))

"""Who did what: an append-only log in which each row holds the hash of the one before.

A row changed, taken out or put between breaks the chain; rows cut off at the end are missed by the head, which is kept beside
it. Whoever can write everything could write it anew: note the head elsewhere (`verify` gives it).
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
from sqlalchemy import Connection, Row, desc, insert, select, text

from jackstop.store.database import Database, put
from jackstop.store.schema import audit, keep

GENESIS = "0" * 64
HEAD = "audit-head"
_LOCK = 0x6A61636B
"""Number of PostgreSQL's advisory lock that writers of the chain take in turn; SQLite's writers take turns anyway."""
_PAGE = 5000
_LONGEST = 4000


@dataclass(frozen=True, slots=True)
class Entry:
    """One row: when (µs UTC), who, what was done, to what, and details in words or JSON."""

    id: int
    at: int
    actor: str
    action: str
    subject: str
    detail: str
    hash: str


@dataclass(frozen=True, slots=True)
class Chain:
    """What `verify` found: how many rows, the last hash, and the first fault (empty: the chain is whole)."""

    rows: int
    head: str
    fault: str = ""


def turn(connection: Connection) -> None:
    """Take the turn of writing to the log until the transaction ends; who also locks rows takes it first, against deadlocks."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:n)"), {"n": _LOCK})


def append(connection: Connection, at: int, actor: str, action: str, subject: str, detail: str = "") -> None:
    """Write one row, in the transaction of the deed it tells of.

    Args:
        at: µs UTC. actor: a user's name, `token:NAME`, or a part of the service. action: such as `alert.acknowledge`.
        subject: what it was done to. detail: at most 4,000 characters are kept.
    """
    turn(connection)
    last = connection.execute(select(audit.c.hash).order_by(desc(audit.c.id)).limit(1)).scalar()
    row = (str(last or GENESIS), at, _plain(actor, 100), _plain(action, 60), _plain(subject, 200), _plain(detail, _LONGEST))
    names = ("before", "at", "actor", "action", "subject", "detail")
    digest = _digest(*row)
    connection.execute(insert(audit).values(**dict(zip(names, row, strict=True)), hash=digest))
    rows = _kept(connection).rows + 1
    put(connection, keep, [{"name": HEAD, "value": f"{rows} {digest}".encode(), "at": at}])


def entries(
    connection: Connection, before: int | None = None, limit: int = 100, actor: str = "", action: str = "", subject: str = ""
) -> list[Entry]:
    """Rows, newest first, with ids below `before`; `action` also matches what begins with it and a dot."""
    query = select(audit).order_by(desc(audit.c.id)).limit(limit)
    if before is not None:
        query = query.where(audit.c.id < before)
    if actor:
        query = query.where(audit.c.actor == actor)
    if action:
        query = query.where((audit.c.action == action) | audit.c.action.startswith(f"{action}.", autoescape=True))
    if subject:
        query = query.where(audit.c.subject == subject)
    return [Entry(r.id, r.at, r.actor, r.action, r.subject, r.detail, r.hash) for r in connection.execute(query)]


def verify(database: Database) -> Chain:
    """Read the whole log and hold every row against the one before, and the end against the head.

    Raises:
        StoreError: the database cannot be read.
    """
    with database.read() as connection:
        kept = _kept(connection)
        before, rows, last = GENESIS, 0, -1
        while page := _page(connection, last):
            for row in page:
                if row.before != before:
                    return Chain(
                        rows, before, f"row {row.id} does not follow the one before it: a row was changed, moved or removed"
                    )
                if row.hash != _digest(row.before, row.at, row.actor, row.action, row.subject, row.detail):
                    return Chain(rows, before, f"row {row.id} was changed after it was written")
                before, rows, last = row.hash, rows + 1, row.id
    if (rows, before) != (kept.rows, kept.head):
        return Chain(
            rows, before, f"{rows} rows end in {before[:12]}, expected {kept.rows} that end in {kept.head[:12]}: rows are missing"
        )
    return Chain(rows, before)


def _page(connection: Connection, after: int) -> Sequence[Row[tuple[object, ...]]]:
    return connection.execute(select(audit).where(audit.c.id > after).order_by(audit.c.id).limit(_PAGE)).fetchall()


def _kept(connection: Connection) -> Chain:
    """The head as it was last written."""
    value = connection.execute(select(keep.c.value).where(keep.c.name == HEAD)).scalar()
    rows, _, head = bytes(value or b"0 " + GENESIS.encode()).decode("ascii", "replace").partition(" ")
    return Chain(int(rows) if rows.isdigit() else -1, head)


def _digest(before: str, at: int, actor: str, action: str, subject: str, detail: str) -> str:
    """SHA-256 of a row as one JSON array: no two rows have the same form."""
    return hashlib.sha256(msgspec.json.encode((before, at, actor, action, subject, detail))).hexdigest()


def _plain(said: str, most: int) -> str:
    """Text that every database takes and gives back unchanged: no NUL, no half characters."""
    return said.encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")[:most]

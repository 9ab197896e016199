"""The live store's database: SQLite by default, PostgreSQL by URL; the same code for both.

Reading sees one moment. Writing is one transaction; on SQLite writers take turns, so a writer must be short.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

from sqlalchemy import Connection, Dialect, Engine, Table, create_engine, event
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.dialects.postgresql import psycopg
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from jackstop.store.faults import StoreError

WAIT = 15
"""Seconds a writer waits for its turn."""

_PIECE = 500
_JOURNAL = 64 << 20
"""Bytes to which SQLite's journal is cut after a large transaction."""


class Database:
    """An open database.

    Args:
        url: SQLAlchemy URL. Schemas are made by `migrations`, not here.

    Raises:
        StoreError: the URL is none, or not of SQLite or PostgreSQL.
    """

    def __init__(self, url: str) -> None:
        try:
            parsed = make_url(url)
        except ArgumentError:
            raise StoreError("database: not a URL, expected sqlite:///PATH or postgresql+psycopg://USER@HOST/NAME") from None
        kind = parsed.get_backend_name()
        if kind not in {"sqlite", "postgresql"}:
            raise StoreError(f"database: {kind} is not known here, expected sqlite or postgresql")
        self.shown = parsed.render_as_string(hide_password=True)
        self.is_sqlite = kind == "sqlite"
        if kind == "postgresql":
            parsed = parsed.set(drivername="postgresql+psycopg")
        options = {"connect_args": {"timeout": WAIT, "check_same_thread": False}} if self.is_sqlite else {"pool_pre_ping": True}
        self.engine: Engine = create_engine(parsed, hide_parameters=True, **options)
        if self.is_sqlite:
            event.listen(self.engine, "do_connect", _private)
            event.listen(self.engine, "connect", _prepare)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection to read with: everything read with it is of one moment.

        Raises:
            StoreError: the database cannot be reached or read.
        """
        try:
            with self.engine.connect() as connection:
                if self.is_sqlite:
                    connection.exec_driver_sql("BEGIN")
                else:
                    connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
                yield connection
        except SQLAlchemyError as fault:
            raise StoreError(f"{self.shown}: {_first(fault)}, expected a database that can be read") from fault

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction: all of it holds when the block ends well, nothing otherwise.

        Raises:
            StoreError: the database cannot be reached or written.
        """
        try:
            with self.engine.connect() as connection:
                if self.is_sqlite:
                    connection.exec_driver_sql("BEGIN IMMEDIATE")
                yield connection
                connection.commit()
        except SQLAlchemyError as fault:
            raise StoreError(f"{self.shown}: {_first(fault)}, expected a database that can be written") from fault

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()


def default_url(data: Path) -> str:
    """The URL of the default database in the service's folder."""
    return f"sqlite:///{data / 'jackstop.sqlite'}"


def put(connection: Connection, table: Table, rows: Sequence[Mapping[str, object]], keep: Sequence[str] = ()) -> None:
    """Insert rows, all with the same columns; a row whose primary key is there replaces it, but for the columns in `keep`."""
    if not rows:
        return
    columns = tuple(rows[0])
    statement, places = _upsert(connection.dialect.name, table, columns, tuple(keep))
    for begin in range(0, len(rows), _PIECE):
        piece = rows[begin : begin + _PIECE]
        if places:
            connection.exec_driver_sql(statement, [tuple(row[c] for c in places) for row in piece])
        else:
            connection.exec_driver_sql(statement, [dict(row) for row in piece])


@cache
def _upsert(dialect: str, table: Table, columns: tuple[str, ...], keep: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
    """The statement of `put` as the driver takes it, and the columns of its places; none where they have names.

    Made once: SQLAlchemy would prepare the values of each row again, which takes longer than to write it.
    """
    made = sqlite.insert if dialect == "sqlite" else postgresql.insert
    spoken: Dialect = sqlite.dialect() if dialect == "sqlite" else psycopg.dialect()  # type: ignore[no-untyped-call]
    keys = [c.name for c in table.primary_key]
    statement = made(table)
    taken = {c: statement.excluded[c] for c in columns if c not in keys and c not in keep}
    if taken:
        whole = statement.on_conflict_do_update(index_elements=keys, set_=taken)
    else:
        whole = statement.on_conflict_do_nothing(index_elements=keys)
    compiled = whole.compile(dialect=spoken, column_keys=list(columns))
    return str(compiled), tuple(compiled.positiontup or ())


def _private(_dialect: object, _record: object, arguments: Sequence[object], _options: object) -> None:
    """Before SQLite makes a file, make it one that only we may read: it holds what logins rest on."""
    path = str(arguments[0]) if arguments else ""
    if path and path != ":memory:":
        with suppress(OSError):
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))


def _prepare(connection: object, _: object) -> None:
    """Settings of each SQLite connection; SQLAlchemy begins transactions itself."""
    connection.isolation_level = None  # type: ignore[attr-defined]
    cursor = connection.cursor()  # type: ignore[attr-defined]
    settings = ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON", f"busy_timeout = {WAIT * 1000}")
    for pragma in (*settings, f"journal_size_limit = {_JOURNAL}"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _first(fault: SQLAlchemyError) -> str:
    """A fault in one line, without the statement and its values (they may hold what must not be logged)."""
    cause = getattr(fault, "orig", None)
    lines = str(cause or fault).strip().splitlines()
    return lines[0] if lines else type(fault).__name__

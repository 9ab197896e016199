"""The live store's schema brought up to this version: at the start of the service, in one transaction, by one at a time.

Data is kept. A database that a newer version has been at is refused, for this one does not know what it would break.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect
from sqlalchemy.exc import SQLAlchemyError

from jackstop.store.database import Database
from jackstop.store.faults import StoreError
from jackstop.store.schema import metadata

_FOLDER = Path(__file__).parent / "migrations"
_TURN = 7236837113
"""PostgreSQL's advisory lock that whoever upgrades holds."""


class TooNew(StoreError):
    """The database was made or upgraded by a newer version of jackstop."""


class NotReady(StoreError):
    """The database does not have this version's schema yet."""


@dataclass(frozen=True, slots=True)
class Standing:
    """The revision a database has (None: no schema yet), and the one this version needs."""

    there: str | None
    needed: str

    @property
    def ready(self) -> bool:
        """Whether the database has this version's schema."""
        return self.there == self.needed


def check(database: Database) -> Standing:
    """Which schema a database has. Changes nothing.

    Raises:
        TooNew: a newer one than this version knows. StoreError: the database cannot be read.
    """
    with database.read() as connection:
        return _standing(database, connection)


def upgrade(database: Database) -> Standing:
    """Bring a database to this version's schema, from none or an older one. Gives how it stood before.

    Several may call it at once: one does it, the others wait and find it done.

    Raises:
        TooNew: it has a newer schema than this version knows; nothing changed.
        StoreError: it holds tables of something else, or cannot be written; nothing changed.
    """
    with database.write() as connection:
        if not database.is_sqlite:
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_TURN})")
        before = _standing(database, connection)
        if before.there is None:
            _expect_empty(database, connection)
        if not before.ready:
            config = _config()
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    return before


def wait(
    database: Database,
    most: float = 5.0,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Wait until another process has brought the database to this version's schema, for so many seconds at most.

    Raises:
        NotReady: it has not. TooNew: the schema is newer. StoreError: the database cannot be read.
    """
    until = clock() + most
    while not (standing := check(database)).ready:
        if clock() >= until:
            told = f"schema {standing.there}" if standing.there else "no schema"
            raise NotReady(f"{database.shown}: {told}, expected {standing.needed}: it is brought there when the service starts")
        sleep(0.1)


def _standing(database: Database, connection: Connection) -> Standing:
    """How a database stands."""
    script = _script()
    needed = script.get_current_head() or ""
    heads = MigrationContext.configure(connection).get_current_heads()
    there = heads[0] if heads else None
    if there is not None and there not in {r.revision for r in script.walk_revisions()}:
        raise TooNew(f"{database.shown}: schema {there}, expected {needed} or older: it belongs to a newer version of jackstop")
    return Standing(there, needed)


def _expect_empty(database: Database, connection: Connection) -> None:
    """A database without our schema must not hold tables by our names."""
    try:
        taken = sorted(set(inspect(connection).get_table_names()) & set(metadata.tables))
    except SQLAlchemyError as fault:
        raise StoreError(f"{database.shown}: {type(fault).__name__}, expected a database that can be read") from fault
    if taken:
        raise StoreError(f"{database.shown}: has a table {taken[0]!r} that is not ours, expected an empty database")


@cache
def _script() -> ScriptDirectory:
    return ScriptDirectory.from_config(_config())


def _config() -> Config:
    """Alembic's settings, without a file."""
    config = Config()
    config.set_main_option("script_location", str(_FOLDER).replace("%", "%%"))
    return config

"""The history of a live service, opened by a command beside the service."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from jackstop.service import config as configuration
from jackstop.store import migrate
from jackstop.store.database import Database
from jackstop.store.faults import StoreError
from jackstop.store.history import History


@contextmanager
def opened(path: Path) -> Iterator[History]:
    """The history that belongs to a `jackstop.toml` (or the folder it is in), to be asked and not changed.

    Raises:
        BundleError: the configuration has faults. StoreError: the store cannot be read, or is not of this version.
    """
    service = configuration.load(path)
    database = Database(service.url)
    try:
        if database.is_sqlite and not Path(database.engine.url.database or "").is_file():
            raise StoreError(f"{database.shown}: no such file, expected the store of a service that was started")
        standing = migrate.check(database)
        if not standing.ready:
            has = f"schema {standing.there}" if standing.there else "no schema"
            raise StoreError(f"{database.shown}: {has}, expected {standing.needed}: start the service once")
        yield History(service.data / "history", database)
    finally:
        database.close()

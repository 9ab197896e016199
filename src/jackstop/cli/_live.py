"""What commands on the live store share: which database, how it is opened, who acts."""

import getpass
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from jackstop.service.config import load
from jackstop.sources.bundle import BundleError
from jackstop.store import migrate
from jackstop.store.database import Database

ConfigPath = Annotated[Path, typer.Option("--config", help="The service's jackstop.toml.")]
Url = Annotated[
    str | None,
    typer.Option("--database", help="SQLAlchemy URL, in place of the one in jackstop.toml.", envvar="JACKSTOP_DATABASE"),
]


def clock() -> int:
    """Now, µs UTC."""
    return time.time_ns() // 1000


def actor() -> str:
    """Who acts, for the audit log: the account on this machine."""
    try:
        return f"cli:{getpass.getuser()}"[:100]
    except (KeyError, OSError):
        return f"cli:{os.getuid()}"


@contextmanager
def opened(config: Path, url: str | None) -> Iterator[Database]:
    """The live store, with today's tables.

    Raises:
        BundleError: the configuration cannot be used. StoreError: the database cannot be reached.
    """
    database = Database(url or load(config).url)
    try:
        migrate.upgrade(database)
        yield database
    finally:
        database.close()


def base(config: Path, url: str | None) -> str:
    """Where browsers find the service, as far as the configuration says; empty where it is not there."""
    try:
        api = load(config).declared.api
    except BundleError:
        if url is None:
            raise
        return ""
    return (api.url or f"{'https' if api.tls else 'http'}://{api.listen}").rstrip("/")

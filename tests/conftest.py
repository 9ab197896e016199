"""Fixtures of all rooms: databases of the live store, of both kinds."""

import contextlib
import shutil
from collections.abc import Iterator

import pytest

import postgres_server
from jackstop.store.database import Database
from jackstop.store.schema import metadata


@pytest.fixture(scope="session")
def postgres() -> Iterator[postgres_server.Cluster]:
    """A PostgreSQL server of our own; tests that need it are skipped where there is none."""
    with contextlib.ExitStack() as stack:
        try:
            cluster = stack.enter_context(postgres_server.server())
        except postgres_server.NoServer as fault:
            pytest.skip(str(fault))
        yield cluster


@pytest.fixture(scope="session")
def _postgres_template(postgres) -> str:
    """A database with the tables in it, to be copied."""
    name = postgres.create()
    with contextlib.closing(Database(postgres.url(name))) as made:
        metadata.create_all(made.engine)
    return name


@pytest.fixture(scope="session")
def _sqlite_template(tmp_path_factory):
    """A file with the tables in it, to be copied."""
    path = tmp_path_factory.mktemp("template") / "store.sqlite"
    with contextlib.closing(Database(f"sqlite:///{path}")) as made:
        metadata.create_all(made.engine)
    return path


@pytest.fixture
def postgres_url(postgres, _postgres_template) -> Iterator[str]:
    """The URL of a PostgreSQL database with the store's tables, and nothing in them."""
    name = postgres.create(_postgres_template)
    yield postgres.url(name)
    postgres.drop(name)


@pytest.fixture
def sqlite_url(tmp_path, _sqlite_template) -> str:
    """The URL of a SQLite database with the store's tables, and nothing in them."""
    path = tmp_path / "store.sqlite"
    shutil.copyfile(_sqlite_template, path)
    return f"sqlite:///{path}"


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request) -> str:
    """The URL of a database with the store's tables: each test runs on both kinds."""
    return request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "postgres_url")


@pytest.fixture
def database(database_url) -> Iterator[Database]:
    """A database with the store's tables, and nothing in them: each test runs on both kinds."""
    with contextlib.closing(Database(database_url)) as made:
        yield made

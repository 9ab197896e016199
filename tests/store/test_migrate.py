"""The schema is brought up to this version: whole, once, with data kept; what is newer or not ours is refused."""

import contextlib
import threading
import time
from pathlib import Path

import decided
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Boolean, LargeBinary, insert, inspect, select, text

from jackstop.store import audit, migrate, queries
from jackstop.store.database import Database
from jackstop.store.live import Live
from jackstop.store.results import StoreError
from jackstop.store.schema import metadata


@pytest.fixture(params=["sqlite", "postgresql"])
def empty(request, tmp_path):
    """An empty database of either kind."""
    if request.param == "sqlite":
        with contextlib.closing(Database(f"sqlite:///{tmp_path}/100%.sqlite")) as made:
            yield made
        return
    cluster = request.getfixturevalue("postgres")
    name = cluster.create()
    with contextlib.closing(Database(cluster.url(name))) as made:
        yield made
    cluster.drop(name)


def compared(database: Database) -> list:
    """Where a database differs from the schema as it is written."""
    with database.engine.connect() as connection:
        options = {"compare_type": True, "compare_server_default": True}
        return compare_metadata(MigrationContext.configure(connection, opts=options), metadata)


def shape(database: Database) -> dict:
    """Everything a database says of its tables."""
    looked = inspect(database.engine)
    return {
        name: (
            [(c["name"], str(c["type"]), c["nullable"], c.get("comment")) for c in looked.get_columns(name)],
            looked.get_pk_constraint(name),
            sorted(looked.get_indexes(name), key=lambda i: i["name"]),
            sorted(looked.get_unique_constraints(name), key=lambda i: i["column_names"]),
        )
        for name in looked.get_table_names()
        if name != "alembic_version"
    }


def upgrade_to(database: Database, revision: str) -> None:
    with database.write() as connection:
        config = migrate._config()
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


def test_a_new_database_gets_exactly_the_schema_that_is_written(empty, tmp_path, request):
    assert migrate.check(empty) == migrate.Standing(None, migrate.check(empty).needed)
    before = migrate.upgrade(empty)
    assert before.there is None and not before.ready
    assert migrate.check(empty).ready
    assert compared(empty) == []
    if empty.is_sqlite:
        url = f"sqlite:///{tmp_path}/made.sqlite"
    else:
        cluster = request.getfixturevalue("postgres")
        url = cluster.url(cluster.create())
    with contextlib.closing(Database(url)) as made:
        metadata.create_all(made.engine)
        assert shape(empty) == shape(made)


def test_what_compares_them_would_notice_a_difference(empty):
    migrate.upgrade(empty)
    with empty.write() as connection:
        connection.exec_driver_sql("DROP INDEX ix_alerts_raised_at")
        connection.exec_driver_sql("ALTER TABLE alerts ADD COLUMN colour TEXT")
    assert {d[0] for d in compared(empty)} == {"add_index", "remove_column"}


def test_upgrading_again_changes_nothing(empty):
    migrate.upgrade(empty)
    Live(empty).commit(decided.step(1, alerts=(decided.ALERT,)))
    assert migrate.upgrade(empty).ready
    assert queries.alert(empty, "a1").alert == decided.ALERT


def test_data_of_every_older_revision_is_kept_and_read_after_the_upgrade(empty):
    revisions = [r.revision for r in ScriptDirectory(str(Path(migrate.__file__).parent / "migrations")).walk_revisions()][::-1]
    wanted: dict[str, list] = {}
    for revision in revisions:
        upgrade_to(empty, revision)
        there = set(inspect(empty.engine).get_table_names())
        with empty.write() as connection:
            for table in metadata.sorted_tables:
                if table.name in there and table.name not in wanted:
                    connection.execute(insert(table).values({c.name: some(c, n) for n, c in enumerate(table.columns)}))
                    wanted[table.name] = [tuple(r) for r in connection.execute(select(table))]
    migrate.upgrade(empty)
    with empty.read() as connection:
        kept = {t.name: [tuple(r) for r in connection.execute(select(t))] for t in metadata.sorted_tables}
    assert kept == wanted and all(len(rows) == 1 for rows in kept.values())


def some(column, number: int):
    """A value a column takes."""
    kind = column.type
    if isinstance(kind, Boolean):
        return True
    if isinstance(kind, LargeBinary):
        return b"\x00\xff%d" % number
    if kind.python_type is int:
        return 1_772_323_200_000_000 + number if "time" in column.name or column.name.endswith("_at") else number + 1
    return f"w{number}"[: kind.length or 9]


def test_a_newer_database_is_refused_and_left_alone(empty):
    migrate.upgrade(empty)
    with empty.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    for call in (migrate.upgrade, migrate.check, migrate.wait):
        with pytest.raises(migrate.TooNew, match=r"schema 9999, expected .* newer version of jackstop"):
            call(empty)
    with empty.read() as connection:
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalar() == "9999"


def test_a_database_with_tables_of_something_else_is_refused(empty):
    with empty.write() as connection:
        connection.exec_driver_sql("CREATE TABLE users (id INTEGER)")
    with pytest.raises(StoreError, match="has a table 'users' that is not ours, expected an empty database"):
        migrate.upgrade(empty)
    assert set(inspect(empty.engine).get_table_names()) == {"users"}


def test_an_upgrade_that_fails_half_way_leaves_nothing_behind(empty, monkeypatch):
    whole = command.upgrade

    def broken(config, revision):
        whole(config, revision)
        config.attributes["connection"].exec_driver_sql("SELECT * FROM nowhere")

    with monkeypatch.context() as patch:
        patch.setattr(command, "upgrade", broken)
        with pytest.raises(StoreError, match="expected a database that can be written"):
            migrate.upgrade(empty)
    assert inspect(empty.engine).get_table_names() == []
    migrate.upgrade(empty)
    assert compared(empty) == []


def test_of_several_who_start_at_once_one_upgrades_and_the_others_find_it_done(empty):
    url = empty.engine.url.render_as_string(hide_password=False)
    found: list[bool] = []
    begin = threading.Barrier(4)

    def start() -> None:
        with contextlib.closing(Database(url)) as own:
            begin.wait(30)
            found.append(migrate.upgrade(own).ready)

    threads = [threading.Thread(target=start) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join(60)
    assert sorted(found) == [False, True, True, True]
    assert compared(empty) == []


def test_one_who_waits_goes_on_when_the_schema_is_there(empty):
    slept: list[float] = []
    with pytest.raises(migrate.NotReady, match=r"no schema, expected .*: it is brought there when the service starts"):
        migrate.wait(empty, 0.0)

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        migrate.upgrade(empty)

    migrate.wait(empty, 5.0, time.monotonic, sleep)
    assert len(slept) == 1
    migrate.wait(empty, 0.0)


def test_changes_are_seen_in_the_order_of_their_numbers(empty):
    """A follower that has seen number n never finds a lower one later, whoever commits first."""
    migrate.upgrade(empty)
    table = metadata.tables["changes"]
    row = {"kind": "alert", "ref": "r", "revision": 1, "at": 1, "body": "{}"}
    inserted, done = threading.Event(), threading.Event()

    def second() -> None:
        inserted.wait(30)
        with empty.write() as connection:
            connection.execute(insert(table).values(row | {"ref": "second"}))
        done.set()

    thread = threading.Thread(target=second)
    thread.start()
    with empty.write() as connection:
        connection.execute(insert(table).values(row | {"ref": "first"}))
        inserted.set()
        assert not done.wait(0.5)
        assert queries.changes(empty, 0, 9) == []
    thread.join(30)
    assert done.is_set()
    assert [c.ref for c in queries.changes(empty, 0, 9)] == ["first", "second"]


def test_changes_and_the_audit_log_wait_for_one_lock(postgres_url):
    """Two transactions that write both, in either order, cannot hold each other up."""
    row = {"kind": "alert", "ref": "r", "revision": 1, "at": 1, "body": "{}"}
    table, both = metadata.tables["changes"], threading.Barrier(2)
    faults: list[str] = []

    def write(*, changes_first: bool) -> None:
        deeds = [
            lambda connection: connection.execute(insert(table).values(row)),
            lambda connection: audit.append(connection, 1, "kim", "alert.handle", "a1"),
        ]
        with contextlib.closing(Database(postgres_url)) as own:
            both.wait(30)
            try:
                for _ in range(20):
                    with own.write() as connection:
                        for deed in deeds if changes_first else deeds[::-1]:
                            deed(connection)
            except StoreError as fault:
                faults.append(str(fault))

    threads = [threading.Thread(target=write, kwargs={"changes_first": first}) for first in (True, False)]
    for t in threads:
        t.start()
    for t in threads:
        t.join(60)
    assert faults == []
    with contextlib.closing(Database(postgres_url)) as database:
        assert len(queries.changes(database, 0, 100)) == 40

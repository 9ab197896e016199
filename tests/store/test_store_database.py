"""The database of the live store: which are taken, what faults say, and that it comes back when its server does."""

import contextlib
import stat
import threading
import traceback

import decided
import pytest
from decided import ALERT, step
from sqlalchemy import event, insert, select, text

from jackstop.store import migrate, queries, schema
from jackstop.store.database import Database, put
from jackstop.store.live import Live
from jackstop.store.results import StoreError


@pytest.mark.parametrize("url", ["", "nonsense", "mysql://u:secret@h/d", "oracle://u:secret@h/d"])
def test_what_is_no_database_of_ours_is_refused_without_its_secret(url):
    with pytest.raises(StoreError, match="expected") as told:
        Database(url)
    assert "secret" not in str(told.value)


def test_a_server_that_is_not_there_is_told_without_its_secret(tmp_path):
    with contextlib.closing(Database(f"postgresql://ann:hunter2@/d?host={tmp_path}")) as database:
        for use in (database.read, database.write):
            with pytest.raises(StoreError, match="expected a database that can be") as told, use():
                pass
            assert "hunter2" not in str(told.value) and "hunter2" not in repr(told.value.__cause__)


def test_faults_do_not_show_what_was_to_be_written(database):
    row = {"name": "n", "value": b"top-secret", "at": 1}
    with pytest.raises(StoreError) as told, database.write() as connection:
        connection.execute(insert(schema.keep), [row])
        connection.execute(insert(schema.keep), [row])
    assert "top-secret" not in "".join(traceback.format_exception(told.value))


def test_a_transaction_that_fails_leaves_nothing(database):
    with pytest.raises(ValueError, match="ours"), database.write() as connection:
        connection.execute(insert(schema.keep).values(name="n", value=b"v", at=1))
        raise ValueError("ours")
    with database.read() as connection:
        assert connection.execute(select(schema.keep)).all() == []


def test_put_replaces_but_for_what_is_kept(database):
    first, second = {"name": "n", "value": b"1", "at": 1}, {"name": "n", "value": b"2", "at": 2}
    with database.write() as connection:
        put(connection, schema.keep, [first])
        put(connection, schema.keep, [second, {"name": "m", "value": b"3", "at": 3}], keep=["at"])
        put(connection, schema.keep, [])
    with database.read() as connection:
        rows = connection.execute(select(schema.keep).order_by("name")).all()
    assert [tuple(r) for r in rows] == [("m", b"3", 3), ("n", b"2", 1)]


def test_only_we_may_read_the_file_and_its_journal(tmp_path):
    path = tmp_path / "store.sqlite"
    with contextlib.closing(Database(f"sqlite:///{path}")) as database:
        assert not path.exists()
        migrate.upgrade(database)
        made = {p.name: stat.S_IMODE(p.stat().st_mode) for p in tmp_path.iterdir()}
    assert made == dict.fromkeys(("store.sqlite", "store.sqlite-wal", "store.sqlite-shm"), 0o600)


def test_writers_take_turns(database):
    database.engine.dispose()

    def write(number: int) -> None:
        for n in range(10):
            with database.write() as connection:
                put(connection, schema.keep, [{"name": f"{number}-{n}", "value": b"", "at": n}])

    threads = [threading.Thread(target=write, args=(i,)) for i in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join(60)
    with database.read() as connection:
        assert len(connection.execute(select(schema.keep)).all()) == 40


def test_a_full_disk_stops_the_step_and_nothing_else(sqlite_url):
    with contextlib.closing(Database(sqlite_url)) as database:
        live = Live(database)
        live.commit(step(1, alerts=(ALERT,)))
        pages = 0

        def full(connection, _) -> None:
            connection.execute(f"PRAGMA max_page_count = {pages}")

        with database.read() as connection:
            pages = connection.execute(text("PRAGMA page_count")).scalar()
        event.listen(database.engine, "connect", full)
        database.engine.dispose()
        many = decided.frame(*({"id": f"m{n}"} for n in range(2000)))
        with pytest.raises(StoreError, match="full"):
            live.commit(step(2, verdicts=many))
        assert queries.alert(database, "a1") is not None and live.committed() == 1
        event.remove(database.engine, "connect", full)
        database.engine.dispose()
        live.commit(step(2, verdicts=many))
        assert live.committed() == 2


def cut(cluster, name: str) -> None:
    """End everybody's connections, as a restart of the server does."""
    cluster.run(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")


def test_a_server_that_restarts_between_two_steps_is_found_again(postgres, postgres_url):
    name = postgres_url.split("@/")[1].split("?")[0]
    with contextlib.closing(Database(postgres_url)) as database:
        live = Live(database)
        live.commit(step(1, alerts=(ALERT,)))
        cut(postgres, name)
        live.commit(step(2))
        live.commit(step(3, alerts=(ALERT,)))
        assert queries.loop_state(database).seq == 3


def test_a_server_that_restarts_within_a_step_undoes_it_whole(postgres, postgres_url):
    name = postgres_url.split("@/")[1].split("?")[0]
    with contextlib.closing(Database(postgres_url)) as database:
        live = Live(database)
        with pytest.raises(StoreError), database.write() as connection:
            connection.execute(insert(schema.keep).values(name="n", value=b"v", at=1))
            cut(postgres, name)
            connection.execute(insert(schema.keep).values(name="m", value=b"v", at=1))
        live.commit(step(1, alerts=(ALERT,)))
        with database.read() as connection:
            assert connection.execute(select(schema.keep.c.name)).scalars().all() == ["loop.watermark"]

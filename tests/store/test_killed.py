"""Killed at any moment, the loop leaves what an undisturbed one leaves: each result once, no row of the history missing."""

import contextlib
import multiprocessing
import random
import shutil
import time
from pathlib import Path

import killed_loop
import pytest
from sqlalchemy import select

from jackstop.store.database import Database
from jackstop.store.history import History
from jackstop.store.schema import metadata

KILLS = 15
"""Of each kind of database."""

_DEPENDS = {"checkpoints", "history_files"}
"""Tables that depend on when somebody was killed; what they say is looked at by itself."""


def everything(database: Database) -> dict[str, list[tuple]]:
    """All rows in order of their keys; running numbers left out, for PostgreSQL leaves some out after a crash."""
    with database.read() as connection:
        return {
            t.name: [
                tuple(
                    v
                    for c, v in zip(t.columns, r, strict=True)
                    if c.name != "id" or len(t.primary_key) != 1 or isinstance(v, str)
                )
                for r in connection.execute(select(t).order_by(*t.primary_key))
            ]
            for t in metadata.sorted_tables
            if t.name not in _DEPENDS
        }


def rows(history: History) -> list[tuple]:
    return history.rows("cabinet", None, -(2**60), 2**60, 100_000).sort("event_id").rows()


@pytest.fixture(scope="module")
def forking():
    """A process with everything loaded, to start others from."""
    made = multiprocessing.get_context("forkserver")
    made.set_forkserver_preload(["killed_loop", "jackstop.store.history"])
    return made


def disturbed(forking, arguments: tuple[str, str, str], told: Path, dice: random.Random) -> int:
    """Start the loop again and again and kill it; gives how often it was killed."""
    kills = 0
    while kills < KILLS:
        before = told.stat().st_size if told.exists() else 0
        process = forking.Process(target=killed_loop.run, args=arguments)
        process.start()
        until, steps, patience = time.monotonic() + 30, dice.randrange(1, 14), dice.random() * 0.02
        while process.is_alive() and time.monotonic() < until and told.exists() is False:
            process.join(0.001)
        while process.is_alive() and time.monotonic() < until and told.stat().st_size < before + steps:
            process.join(0.001)
        process.join(patience)
        if process.exitcode is not None:
            assert process.exitcode == 0
            process.close()
            break
        process.kill()
        process.join(30)
        process.close()
        kills += 1
    return kills


def test_killed_at_random_moments_it_leaves_what_an_undisturbed_run_leaves(forking, database_url, tmp_path, request):
    calm_url = f"sqlite:///{tmp_path}/calm.sqlite"
    template = request.getfixturevalue("_sqlite_template")
    shutil.copyfile(template, tmp_path / "calm.sqlite")
    killed_loop.run(calm_url, str(tmp_path / "calm"), str(tmp_path / "calm.steps"))
    told = tmp_path / "steps"
    arguments = (database_url, str(tmp_path / "history"), str(told))
    assert disturbed(forking, arguments, told, random.Random(7)) == KILLS
    killed_loop.run(*arguments)
    assert told.stat().st_size >= killed_loop.STEPS
    with contextlib.closing(Database(calm_url)) as calm, contextlib.closing(Database(database_url)) as torn:
        one, other = History(tmp_path / "calm", calm), History(tmp_path / "history", torn)
        assert everything(torn) == everything(calm)
        assert rows(other) == rows(one)
        assert len(rows(one)) == 3 * killed_loop.STEPS
        assert {f.path for f in other.files()} <= {str(p.relative_to(other.folder)) for p in other.folder.rglob("*.parquet")}

"""A checkpoint of another layout: what the loop remembers is made anew from the history, and it decides the same."""

import hashlib
from pathlib import Path

import msgspec
import polars as pl
import pytest
from spooled import Steady
from sqlalchemy import select, update

from jackstop.model.settings import MINUTE
from jackstop.runners import memory
from jackstop.runners.live import Loop, Terms
from jackstop.runners.pace import RecordPace
from jackstop.spool.follower import Follower
from jackstop.store import schema
from jackstop.store.database import Database
from jackstop.store.history import History
from jackstop.store.live import Live

SLACK = 90 * MINUTE
"""µs that pieces of the slowest feed may be behind: nothing comes late."""

SHAPES = {"1": "345ad1a1fa42b713"}
"""By layout, the digest of the shape of what the engine remembers after a night."""


class Part:
    """A follower that comes to an end before the spool does."""

    def __init__(self, follower, last):
        self._follower, self._last = follower, last

    def take(self, most_bytes=0):
        return [f for f in self._follower.take() if f.seq <= self._last]


def store(folder: Path) -> Database:
    database = Database(f"sqlite:///{folder / 'live.sqlite'}")
    schema.metadata.create_all(database.engine)
    return database


def begin(root, bundle, folder, database, last=2**62):
    terms = Terms(bundle.fleet, bundle.visits, lambda kept: RecordPace(SLACK, kept), Steady(), bundle.indicators, every=10**12)
    history = History(folder / "history", database)
    return Loop(terms, Live(database), history, lambda at: Part(Follower(root / "spool", at), last))


def run(loop):
    while loop.turn():
        pass
    loop.save()


def decided(database):
    with database.read() as connection:
        verdicts = connection.execute(select(schema.verdicts)).all()
        alerts = connection.execute(
            select(schema.alerts.c.id, schema.alerts.c.severity, schema.alerts.c.raised_at, schema.alerts.c.unexplained)
        ).all()
    return sorted(map(tuple, verdicts)), sorted(map(tuple, alerts))


def test_a_loop_whose_checkpoint_is_of_another_layout_decides_the_same(night, tmp_path):
    root, bundle, last = night
    (tmp_path / "plain").mkdir()
    plain, other = store(tmp_path / "plain"), store(tmp_path)
    run(begin(root, bundle, tmp_path / "plain", plain))
    run(begin(root, bundle, tmp_path, other, last * 2 // 3))
    with other.write() as connection:
        connection.execute(update(schema.checkpoints).values(version="0"))
    loop = begin(root, bundle, tmp_path, other)
    assert "layout 0" in loop.rebuilt
    run(loop)
    assert loop.standing.seq == last
    assert begin(root, bundle, tmp_path, other).rebuilt == ""
    ours, theirs = decided(other), decided(plain)
    assert theirs[1]
    assert ours[1] == theirs[1]
    assert set(ours[0]) <= set(theirs[0])
    open_still = [v for v in theirs[0] if v not in ours[0]]
    assert all(v[4] > loop.standing.watermark - 15 * MINUTE for v in open_still), "a clock may be known later"
    plain.close()
    other.close()


def test_a_damaged_state_is_made_anew_and_a_damaged_checkpoint_is_told(night, tmp_path):
    root, bundle, last = night
    database = store(tmp_path)
    run(begin(root, bundle, tmp_path, database, last // 2))
    kept = Live(database).checkpoint()
    parts = memory.stretch(kept.state) | {"engine": msgspec.msgpack.encode({"watermark": 1})}
    with database.write() as connection:
        connection.execute(update(schema.checkpoints).values(state=memory.squeeze(parts.items())))
    assert begin(root, bundle, tmp_path, database).rebuilt
    with database.write() as connection:
        connection.execute(update(schema.checkpoints).values(state=b"nothing"))
    with pytest.raises(memory.Unknown, match="expected"):
        begin(root, bundle, tmp_path, database)
    database.close()


def shape(value, at=""):
    """The names and types of everything in a packed state; how many of a kind there are does not matter."""
    if isinstance(value, bytes):
        try:
            return {f"{at}:{n} {t}" for n, t in pl.read_ipc(value).schema.items()}
        except (pl.exceptions.PolarsError, OSError):
            return {f"{at}:bytes"}
    if isinstance(value, dict):
        return {at} | {s for k, v in value.items() for s in shape(v, f"{at}/{k}")}
    return {f"{at}:{type(value).__name__}"}


def test_a_change_of_what_the_engine_remembers_raises_the_layout(night, tmp_path):
    root, bundle, _ = night
    database = store(tmp_path)
    run(begin(root, bundle, tmp_path, database))
    kept = msgspec.msgpack.decode(memory.stretch(Live(database).checkpoint().state)["engine"])
    database.close()
    digest = hashlib.sha256("\n".join(sorted(shape(kept))).encode()).hexdigest()[:16]
    assert SHAPES.get(memory.LAYOUT) == digest, f"raise memory.LAYOUT and note its shape here: {digest}"

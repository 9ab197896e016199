"""The live loop: what it decides is what an investigation decides, however often it is cut off."""

import random
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from spooled import Steady, feeds, pieces, verdicts_by_id, write
from sqlalchemy import select

from jackstop import simulator
from jackstop.model.settings import MINUTE
from jackstop.runners import local
from jackstop.runners.live import Loop, Terms
from jackstop.runners.local import Options
from jackstop.runners.pace import RecordPace
from jackstop.sources import bundle as bundles
from jackstop.spool.follower import Follower
from jackstop.store import queries, schema
from jackstop.store.database import Database
from jackstop.store.live import Live
from jackstop.store.results import Results, StoreError


class Shelf:
    """A history that keeps nothing on disk and counts rows."""

    def __init__(self):
        self.rows = 0

    def keep(self, rows):
        self.rows += sum(f.height for f in rows.values())

    def seal(self):
        return lambda _seq: ()


@pytest.fixture(scope="module")
def night(tmp_path_factory):
    root = tmp_path_factory.mktemp("night")
    simulator.simulate("usb-malware", root / "bundle", 4, 8.0, 3)
    bundle = bundles.load(root / "bundle")
    last = write(bundle, root / "spool")
    results = Results(root / "results.sqlite")
    report = local.investigate(bundle, results, Options(jobs=1))
    decided = pl.concat(list(results.verdicts()))
    results.close()
    return root, bundle, last, decided, tuple(d.alert for d in report.dossiers)


class Sips:
    """A follower that gives little at a time."""

    def __init__(self, follower: Follower, most: int) -> None:
        self._follower, self._most = follower, most

    def take(self, most_bytes: int = 0):
        return self._follower.take(self._most)


def begin(root: Path, bundle, database: Database, *, every: int = 0, sip: int = 8 << 20, live: type[Live] = Live) -> Loop:
    pace = lambda kept: RecordPace(10 * MINUTE, kept)  # noqa: E731
    terms = Terms(bundle.fleet, bundle.visits, pace, Steady(), bundle.indicators, every=every)
    return Loop(terms, live(database), Shelf(), lambda at: Sips(Follower(root / "spool", at), sip))


def store(path: Path) -> Database:
    database = Database(f"sqlite:///{path}")
    schema.metadata.create_all(database.engine)
    return database


DECIDED = (
    schema.alerts,
    schema.alert_terminals,
    schema.verdicts,
    schema.verdict_history,
    schema.hours,
    schema.facts,
    schema.feeds,
)
"""What the loop decides; `written_at` and the like are the wall clock's."""


def whole(database: Database) -> dict[str, list[tuple[object, ...]]]:
    """Everything decided, and what followers were told of it, without the instants of writing."""
    found = {}
    with database.read() as connection:
        for table in (*DECIDED, schema.changes):
            columns = [
                c for c in table.c if c.name not in {"written_at", "step"} and not (table is schema.changes and c.name == "at")
            ]
            found[table.name] = sorted(map(tuple, connection.execute(select(*columns))), key=repr)
    return found


def test_the_loop_decides_what_an_investigation_decides(night, tmp_path):
    root, bundle, last, decided, alerts = night
    database = store(tmp_path / "live.sqlite")
    loop = begin(root, bundle, database)
    while loop.turn():
        pass
    assert loop.standing.seq == last
    until = loop.standing.watermark
    with database.read() as connection:
        rows = pl.DataFrame(connection.execute(select(schema.verdicts)).mappings().all())
    due = decided.filter(pl.col("decided_at").dt.timestamp("us") <= until - 10 * MINUTE)
    ours, theirs = verdicts_by_id(rows), verdicts_by_id(due)
    assert len(theirs) > 20
    assert {i: ours.get(i) for i in theirs} == theirs
    told = {a.id: a for a in (queries.alert(database, r.id).alert for r in queries.alerts(database).items)}
    expected = {a.id: a for a in alerts if a.updated_at <= until}
    assert expected
    assert {i: (told[i].severity, told[i].raised_at, told[i].unexplained, told[i].findings) for i in expected} == {
        i: (a.severity, a.raised_at, a.unexplained, a.findings) for i, a in expected.items()
    }
    assert feeds(bundle).keys() == {f.name for f in queries.feeds(database)}


class Torn(Live):
    """A live store whose transaction fails at its end, now and then."""

    left = 3

    def commit(self, *args, **kwargs):
        Torn.left -= 1
        if Torn.left == 0:
            raise StoreError("the disk is full, expected room")
        super().commit(*args, **kwargs)


@given(st.lists(st.integers(1, 9), min_size=1, max_size=12), st.integers(4_000, 60_000), st.sampled_from([0, 30_000, 10_000_000]))
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_loop_cut_off_anywhere_decides_the_same_and_each_once(night, undisturbed, lives, sip, every):
    root, bundle, last, *_ = night
    with TemporaryDirectory() as folder:
        database = store(Path(folder) / "live.sqlite")
        for turns in lives:
            Torn.left = turns * 2
            loop = begin(root, bundle, database, every=every, sip=sip, live=Torn)
            with suppress(StoreError):
                for _ in range(turns):
                    loop.turn()
        loop = begin(root, bundle, database, every=every, sip=sip)
        while loop.turn():
            pass
        assert loop.standing.seq == last
        found = whole(database)
        database.close()
    for name, rows in undisturbed.items():
        assert found[name] == rows, name


@pytest.fixture(scope="module")
def undisturbed(night, tmp_path_factory):
    root, bundle, last, *_ = night
    database = store(tmp_path_factory.mktemp("calm") / "live.sqlite")
    loop = begin(root, bundle, database, every=10**12, sip=4_000)
    while loop.turn():
        pass
    assert loop.standing.seq == last
    found = whole(database)
    database.close()
    return found


def run(bundle, folder: Path, listed, every: int = 25) -> dict[str, list[tuple[object, ...]]]:
    """Everything decided of pieces that come in this order; what counts records as they came is left out."""
    write(bundle, folder / "spool", listed=listed, every=every)
    database = store(folder / "live.sqlite")
    loop = begin(folder, bundle, database)
    while loop.turn():
        pass
    found = whole(database)
    database.close()
    return {n: rows for n, rows in found.items() if n not in {"feeds", "facts", "changes"}}


SEEN = {"verdicts": slice(-1), "alerts": slice(1), "verdict_history": slice(1)}
"""What is compared of rows that say where records lie: of a feed with repeats in it, they lie further behind."""


def lines_only(listed):
    """The pieces of feeds whose records say which they are, as shippers may repeat them; journals are followed with marks."""
    return [(t, n, d) for t, n, d in listed if n.endswith((".csv", ".jsonl", ".json", ".log", ".nwlog"))]


@pytest.mark.parametrize("seed", [1, 2])
def test_what_is_delivered_twice_is_decided_once(night, tmp_path, seed):
    _, bundle, *_ = night
    chance, listed = random.Random(seed), pieces(bundle, 700)
    twice = [p for piece in listed for p in ([piece] * 2 if chance.random() < 0.3 and piece in lines_only([piece]) else [piece])]
    assert len(twice) > 1.1 * len(listed)
    (tmp_path / "once").mkdir()
    (tmp_path / "twice").mkdir()
    once, again = run(bundle, tmp_path / "once", listed), run(bundle, tmp_path / "twice", twice)
    assert once["verdicts"]
    for name, rows in once.items():
        seen = SEEN.get(name, slice(None))
        assert [r[seen] for r in again[name]] == [r[seen] for r in rows], name


@pytest.mark.parametrize("seed", [1, 2])
def test_feeds_may_come_out_of_order_among_each_other(night, tmp_path, seed):
    _, bundle, *_ = night
    chance, listed = random.Random(seed), pieces(bundle, 700)
    late = {f.name: chance.randrange(0, 5 * MINUTE) for f in bundle.files}
    mixed = sorted(listed, key=lambda p: p[0] + late[p[1]])
    assert mixed != listed
    (tmp_path / "plain").mkdir()
    (tmp_path / "mixed").mkdir()
    plain, other = run(bundle, tmp_path / "plain", listed), run(bundle, tmp_path / "mixed", mixed, every=7)
    assert {n: r for n, r in other.items() if n != "verdict_history"} == {
        n: r for n, r in plain.items() if n != "verdict_history"
    }

"""Hindsight: what a feed held back for hours changes verdicts into what they would have been, and takes alerts back."""

import polars as pl
import pytest
from spooled import Steady, pieces, verdicts_by_id, write
from sqlalchemy import select

from jackstop import simulator
from jackstop.model.results import PAGING
from jackstop.model.settings import HOUR, MINUTE
from jackstop.runners import hindsight, local
from jackstop.runners.live import Loop, Terms
from jackstop.runners.local import Options
from jackstop.runners.pace import RecordPace
from jackstop.sources import bundle as bundles
from jackstop.spool.follower import Follower
from jackstop.store import queries, schema
from jackstop.store.database import Database
from jackstop.store.history import History
from jackstop.store.live import Live
from jackstop.store.results import Results

SLACK = 2 * MINUTE


def held_back(listed, is_held, begin, end, until):
    """Pieces in the order they come when those of some files between two times are held back until a third."""

    def sort(piece):
        time, name, _ = piece
        return 0 if not is_held(name) or not begin <= time < until else 1 if time < end else 2

    kept = [p for p in listed if sort(p) == 0]
    place = next(i for i, p in enumerate(kept) if p[0] >= until)
    return [*kept[:place], *(p for p in listed if sort(p) == 1), *(p for p in listed if sort(p) == 2), *kept[place:]]


@pytest.fixture(scope="module")
def night(tmp_path_factory):
    root = tmp_path_factory.mktemp("night")
    simulator.simulate("quiet", root / "bundle", 5, 8.0, 5)
    bundle = bundles.load(root / "bundle")
    results = Results(root / "results.sqlite")
    report = local.investigate(bundle, results, Options(jobs=1))
    decided = pl.concat(list(results.verdicts()))
    results.close()
    return root, bundle, pieces(bundle, 500), decided, report


def run(bundle, listed, folder):
    write(bundle, folder / "spool", listed=listed, every=10, beat=200_000, quiet=hindsight.LONGEST // 200_000)
    database = Database(f"sqlite:///{folder / 'live.sqlite'}")
    schema.metadata.create_all(database.engine)
    terms = Terms(bundle.fleet, bundle.visits, lambda kept: RecordPace(SLACK, kept), Steady(), every=10_000_000)
    loop = Loop(terms, Live(database), History(folder / "history", database), lambda at: Follower(folder / "spool", at))
    while loop.turn():
        pass
    loop.save()
    with database.read() as connection:
        rows = pl.DataFrame(connection.execute(select(schema.verdicts)).mappings().all())
        causes = connection.execute(select(schema.verdict_history.c.cause)).scalars().all()
    told = [queries.alert(database, r.id).alert for r in queries.alerts(database).items]
    database.close()
    return rows, told, causes, loop.standing.watermark


@pytest.mark.parametrize("hours", [0.25, 1.5])
@pytest.mark.parametrize("held", ["host", "ATM"])
def test_verdicts_become_what_they_would_have_been_and_nobody_stays_accused(night, tmp_path, hours, held):
    _, bundle, listed, decided, report = night
    assert not [d for d in report.dossiers if d.alert.severity in PAGING]
    victim = bundle.fleet.terminal[0].id

    def is_held(name):
        return "host" in name or "switch" in name if held == "host" else f"/{victim}/" in name

    assert any(is_held(n) for _, n, _ in listed)
    start = min(t for t, *_ in listed if t)
    begin, end = start + 3 * HOUR, start + 4 * HOUR
    disturbed = held_back(listed, is_held, begin, end, end + round(hours * HOUR))
    assert disturbed != listed and sorted(disturbed) == sorted(listed)
    rows, told, causes, until = run(bundle, disturbed, tmp_path)
    due = decided.filter((pl.col("decided_at").dt.timestamp("us") <= until - 10 * MINUTE) & (pl.col("kind") == "episode"))
    ours, theirs = verdicts_by_id(rows), verdicts_by_id(due)
    wrong = {i: (ours.get(i), v) for i, v in theirs.items() if (ours.get(i) or ("", ""))[1] != v[1]}
    assert not wrong
    standing = [(a.title, a.severity) for a in told if a.severity in PAGING]
    assert not standing
    if hours > 1:
        assert "late" in causes, "something must have been judged again"

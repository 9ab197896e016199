"""The past a policy is held against: replayed from a bundle, or read from the live service's history."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import polars as pl
from sqlalchemy import select

from jackstop import engine
from jackstop.model.fleet import Fleet
from jackstop.model.results import Alert
from jackstop.policy.facts import Known, happenings
from jackstop.policy.past import STANDINGS, Movement, Past, Raised
from jackstop.runners import local
from jackstop.sources.bundle import Bundle
from jackstop.store import parquet, schema
from jackstop.store.database import Database
from jackstop.store.faults import StoreError
from jackstop.store.history import History
from jackstop.store.results import Results

TABLES = ("cabinet", "operator", "windows")
"""Tables whose rows are facts that rules go by."""


def of_bundle(bundle: Bundle, jobs: int | None = None, progress: local.Progress | None = None) -> Past:
    """The past of a bundle, as an investigation of it finds it.

    Raises:
        BundleError: a rule file of the bundle has faults. StoreError, WorkerLost: it cannot be gone through.
    """
    known: list[Known] = []

    def notice(output: engine.Output, _: int) -> None:
        rows = {n: f for n, f in output.rows.items() if n in TABLES}
        known.extend(happenings(rows, output.findings, bundle.fleet))

    with TemporaryDirectory(prefix="jackstop-") as folder:
        results = Results(Path(folder) / "results.sqlite")
        try:
            report = local.investigate(bundle, results, local.Options(jobs=jobs, notice=notice, progress=progress))
            movements, unasked = _moved(results.verdicts())
        finally:
            results.close()
    alerts = [d.alert for d in report.dossiers]
    return Past(known, movements, list(_raised(alerts)), unasked, report.start, report.end)


def of_history(database: Database, folder: Path, fleet: Fleet, begin: int, end: int) -> Past:
    """The past as the live service keeps it.

    Findings that became part of no alert are not kept there: openings and restarts known by them alone are missed.

    Args:
        database: the live store. folder: of the history. fleet: the terminals. begin, end: which time (µs UTC).

    Raises:
        StoreError: store or history cannot be read.
    """
    known = list(_kept(History(folder, database), fleet, begin, end))
    v, a = schema.verdicts.c, schema.alerts.c
    within = (v.time >= begin) & (v.time < end) & v.kind.in_(["episode", "balance"])
    columns = (v.id, v.terminal, v.time, v.picked, v.presented, v.currency, v.verdict, v.kind)
    with database.read() as connection:
        rows = connection.execute(select(*columns).where(within)).all()
        bodies = connection.execute(select(a.body).where(a.updated_at >= begin, a.first_event < end)).scalars().all()
    alerts = [msgspec.json.decode(bytes(body), type=Alert) for body in bodies]
    known += happenings({}, [f for alert in alerts for f in alert.findings], fleet)
    movements, unasked = _sorted(tuple(row) for row in rows)
    return Past(known, movements, list(_raised(alerts)), unasked, begin, end)


def _moved(frames: Iterator[pl.DataFrame]) -> tuple[list[Movement], list[tuple[str, int]]]:
    """Movements of an investigation's verdicts, and cash that only counters missed."""
    names = ("id", "terminal", "time", "picked", "presented", "currency", "verdict", "kind")
    rows = (
        row
        for frame in frames
        for row in frame.with_columns(pl.col("time").to_physical(), pl.col("kind", "verdict").cast(pl.String))
        .select(names)
        .rows()
    )
    return _sorted(rows)


def _sorted(rows: Iterable[tuple[object, ...]]) -> tuple[list[Movement], list[tuple[str, int]]]:
    movements: list[Movement] = []
    unasked: list[tuple[str, int]] = []
    for ident, terminal, time, picked, presented, currency, verdict, kind in rows:
        amount = max(_whole(picked), _whole(presented))
        if not amount:
            continue
        if kind == "episode":
            standing = STANDINGS.get(str(verdict), "open")
            movements.append(Movement(str(ident), str(terminal), _whole(time), amount, str(currency or ""), standing))
        elif kind == "balance" and verdict in {"unexplained", "contradicted"}:
            unasked.append((str(currency or ""), amount))
    return movements, unasked


def _raised(alerts: Iterable[Alert]) -> Iterator[Raised]:
    """Alerts as they rose: when they first paged, and when they became as grave as they are."""
    for alert in alerts:
        for terminal in alert.terminals:
            yield Raised(terminal, alert.id, alert.severity, alert.raised_at)
            if alert.paged_at is not None and alert.paged_at < alert.raised_at:
                yield Raised(terminal, alert.id, "high", alert.paged_at)


def _kept(history: History, fleet: Fleet, begin: int, end: int) -> Iterator[Known]:
    """Facts of the rows that the history keeps."""
    with parquet.reading(history.folder):
        for table in TABLES:
            for file in history.files(table, begin, end):
                path = history.folder / file.path
                scan = pl.scan_parquet(path, glob=False).filter(pl.col("at").is_between(begin, end, closed="left"))
                if table == "windows":
                    scan = scan.filter((pl.col("channel") == "Security") & (pl.col("code") == 4826))
                try:
                    frame = scan.collect()
                except (OSError, pl.exceptions.PolarsError) as fault:
                    raise StoreError(f"{path}: {str(fault).splitlines()[0]}, expected a file of the history") from None
                yield from happenings({table: frame}, [], fleet)


def _whole(value: object) -> int:
    return value if isinstance(value, int) else 0

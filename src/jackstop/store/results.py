"""The results of one investigation in one SQLite file: verdicts, the evidence index, and what the report is made from.

Verdicts are written as they are given, so memory does not grow with the log. A later verdict of the same movement
replaces the earlier one and keeps the instant of the first.
"""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import msgspec
import polars as pl

from jackstop.kpi import HOURS, MOVED
from jackstop.model.results import RECORDS, VERDICTS, Report
from jackstop.store.faults import StoreError

LAYOUT = 1
_TABLES = """
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS verdicts (
  id TEXT PRIMARY KEY, terminal TEXT, kind TEXT, time INTEGER, currency TEXT, picked INTEGER, presented INTEGER,
  retained INTEGER, verdict TEXT, reason TEXT, explained_by TEXT, gates_failed TEXT, sources_missing TEXT, offset_ms INTEGER,
  uncertainty_ms INTEGER, decided_at INTEGER, records TEXT);
CREATE TABLE IF NOT EXISTS evidence (sha256 TEXT, path TEXT, offset INTEGER, length INTEGER, alert TEXT);
CREATE TABLE IF NOT EXISTS hours (
  terminal TEXT, hour INTEGER, measure TEXT, at INTEGER, amount INTEGER, PRIMARY KEY (terminal, hour, measure)) WITHOUT ROWID;
"""
_INDEXES = """
CREATE INDEX IF NOT EXISTS verdicts_by_terminal ON verdicts (terminal, time);
CREATE INDEX IF NOT EXISTS verdicts_by_decision ON verdicts (decided_at, id);
CREATE INDEX IF NOT EXISTS evidence_by_digest ON evidence (sha256);
"""
_NAMES = tuple(VERDICTS)
_PUT = (
    f"INSERT INTO verdicts ({', '.join(_NAMES)}) VALUES ({', '.join('?' * len(_NAMES))}) "  # noqa: S608 - our own column names
    "ON CONFLICT (id) DO UPDATE SET " + ", ".join(f"{n} = excluded.{n}" for n in _NAMES if n not in {"id", "decided_at"})
)
_ADD_HOURS = (
    "INSERT INTO hours (terminal, hour, measure, at, amount) VALUES (?, ?, ?, ?, ?) "
    "ON CONFLICT (terminal, hour, measure) DO UPDATE SET at = max(at, excluded.at), amount = CASE "
    "WHEN measure NOT LIKE 'level:%' THEN amount + excluded.amount WHEN excluded.at >= at THEN excluded.amount ELSE amount END"
)
_MOVED = """
SELECT terminal, (time - ((time % 3600000000) + 3600000000) % 3600000000) AS hour,
  sum(kind = 'episode' AND picked > 0), sum(CASE WHEN kind = 'episode' THEN coalesce(picked, 0) ELSE 0 END),
  sum((kind = 'episode' AND verdict = 'explained' AND picked > 0) OR (kind = 'authorisation' AND verdict = 'unexplained')),
  sum(CASE WHEN kind = 'episode' AND verdict = 'explained' THEN coalesce(picked, 0) ELSE 0 END),
  sum(CASE WHEN kind != 'authorisation' AND verdict IN ('unexplained', 'contradicted') THEN coalesce(picked, 0) ELSE 0 END)
FROM verdicts WHERE verdict NOT IN ('pending', 'insufficient-evidence', 'explained-by-visit') GROUP BY 1, 2 ORDER BY 1, 2
"""
_TERMINALS = 200
"""Terminals whose hours are read at a time."""
_LISTS = ("explained_by", "gates_failed", "sources_missing")
_PAGE = 20_000


class Results:
    """An open results file.

    Raises:
        StoreError: the file cannot be opened, or is not a results file of this layout.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(path, isolation_level=None)
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = NORMAL")
            self._db.executescript(_TABLES)
        except (sqlite3.Error, OSError) as fault:
            raise StoreError(f"{path}: {fault}, expected a results file of jackstop or a place to write one") from None

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def fact(self, name: str) -> bytes | None:
        """A stored fact (`fingerprint`, `report`), or None."""
        found = self._db.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
        return bytes(found[0]) if found else None

    def begin(self) -> None:
        """Forget the results of an earlier run."""
        self._db.executescript(
            "DELETE FROM facts; DELETE FROM evidence; DELETE FROM hours; DROP INDEX IF EXISTS verdicts_by_terminal;"
            "DROP INDEX IF EXISTS verdicts_by_decision; DELETE FROM verdicts;"
        )

    def put(self, verdicts: pl.DataFrame) -> None:
        """Add verdict rows (`results.VERDICTS`)."""
        if not verdicts.height:
            return
        shown = verdicts.with_columns(
            pl.col("time", "decided_at").to_physical(),
            pl.col("kind", "verdict").cast(pl.String),
            *(pl.col(c).list.join("\n") for c in _LISTS),
            records=_as_text("records"),
        )
        self._db.execute("BEGIN")
        self._db.executemany(_PUT, shown.select(_NAMES).iter_rows())
        self._db.execute("COMMIT")

    def add_hours(self, hours: pl.DataFrame) -> None:
        """Add hourly counts (`kpi.HOURS`) to those that are there; of levels the latest stays."""
        if not hours.height:
            return
        self._db.execute("BEGIN")
        self._db.executemany(_ADD_HOURS, hours.select("terminal", "hour", "measure", "at", "amount").iter_rows())
        self._db.execute("COMMIT")

    def hours(self) -> Iterator[pl.DataFrame]:
        """The hourly counts as frames of `kpi.HOURS`, each with all hours of some terminals, in their order."""
        names = [row[0] for row in self._db.execute("SELECT DISTINCT terminal FROM hours ORDER BY 1")]
        for i in range(0, len(names), _TERMINALS):
            some = names[i : i + _TERMINALS]
            rows = self._db.execute(
                "SELECT terminal, hour, measure, at, amount FROM hours WHERE terminal BETWEEN ? AND ? ORDER BY 1, 2, 3",
                (some[0], some[-1]),
            ).fetchall()
            yield pl.DataFrame(rows, schema=HOURS, orient="row")

    def moved(self) -> pl.DataFrame:
        """What became of the cash in each terminal's hours, as a frame of `kpi.MOVED`; open movements are left out."""
        return pl.DataFrame(self._db.execute(_MOVED).fetchall(), schema=MOVED, orient="row")

    def finish(self, report: Report, fingerprint: str) -> None:
        """Index what was written and keep what the report is made from."""
        self._db.executescript(_INDEXES)
        self._db.execute("BEGIN")
        self._db.executemany(
            "INSERT INTO evidence VALUES (?, ?, ?, ?, ?)",
            ((r.sha256, r.path, r.offset, r.length, d.alert.id) for d in report.dossiers for r in d.alert.records),
        )
        facts = (("report", msgspec.json.encode(report)), ("fingerprint", fingerprint.encode()), ("layout", str(LAYOUT).encode()))
        self._db.executemany("INSERT OR REPLACE INTO facts VALUES (?, ?)", facts)
        self._db.execute("COMMIT")

    def report(self) -> Report:
        """What the last finished run's report is made from.

        Raises:
            StoreError: no run has finished here, or by another layout.
        """
        kept = self.fact("report")
        if kept is None:
            raise StoreError(f"{self.path}: no finished results, expected those of `jackstop investigate`")
        try:
            return msgspec.json.decode(kept, type=Report)
        except msgspec.DecodeError as fault:
            raise StoreError(f"{self.path}: {fault}, expected results of this version: investigate again") from None

    def verdicts(self) -> Iterator[pl.DataFrame]:
        """All verdicts, in the order decided, in frames of `results.VERDICTS`."""
        yield from self._frames("SELECT * FROM verdicts ORDER BY decided_at, id", ())

    def movements(self, terminal: str, start: int, end: int) -> pl.DataFrame:
        """Verdicts of one terminal with times (µs UTC) from `start` to `end`, in time order."""
        frames = list(
            self._frames(
                "SELECT * FROM verdicts WHERE terminal = ? AND time BETWEEN ? AND ? ORDER BY time, id", (terminal, start, end)
            )
        )
        return pl.concat(frames) if frames else pl.DataFrame(schema=VERDICTS)

    def totals(self) -> pl.DataFrame:
        """Movements of cash by terminal and verdict: terminal, kind, verdict, count, picked (minor units)."""
        rows = self._db.execute("SELECT terminal, kind, verdict, count(*), sum(picked) FROM verdicts GROUP BY 1, 2, 3").fetchall()
        schema = {"terminal": pl.String, "kind": pl.String, "verdict": pl.String, "count": pl.Int64, "picked": pl.Int64}
        return pl.DataFrame(rows, schema=schema, orient="row").sort("terminal", "kind", "verdict")

    def _frames(self, query: str, values: tuple[object, ...]) -> Iterator[pl.DataFrame]:
        cursor = self._db.execute(query, values)
        while rows := cursor.fetchmany(_PAGE):
            yield _frame(rows)


def _as_text(column: str) -> pl.Expr:
    """Records as `path offset length sha256` lines; paths last, for they may hold spaces."""
    item = pl.element().struct
    line = pl.format("{} {} {} {}", item.field("offset"), item.field("length"), item.field("sha256"), item.field("path"))
    return pl.col(column).list.eval(line).list.join("\n")


def _frame(rows: list[tuple[object, ...]]) -> pl.DataFrame:
    """Stored rows as a frame of `results.VERDICTS`."""
    plain = {n: pl.Int64() if d == pl.Int64 or isinstance(d, pl.Datetime) else pl.String() for n, d in VERDICTS.items()}
    kept = pl.DataFrame(rows, schema=plain, orient="row")
    lists = [
        pl.when(pl.col(c) == "").then(pl.lit([], pl.List(pl.String))).otherwise(pl.col(c).str.split("\n")).alias(c)
        for c in _LISTS
    ]
    part = pl.element().str.splitn(" ", 4).struct
    record = pl.struct(
        path=part.field("field_3"),
        offset=part.field("field_0").cast(pl.Int64),
        length=part.field("field_1").cast(pl.Int32),
        sha256=part.field("field_2"),
    )
    records = (
        pl.when(pl.col("records") == "")
        .then(pl.lit([], RECORDS))
        .otherwise(pl.col("records").str.split("\n").list.eval(record).cast(RECORDS))
    )
    times = [pl.from_epoch(c, time_unit="us").dt.replace_time_zone("UTC").alias(c) for c in ("time", "decided_at")]
    return kept.with_columns(*lists, *times, records=records).cast(VERDICTS)  # type: ignore[arg-type]

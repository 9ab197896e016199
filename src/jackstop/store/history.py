"""The history: every decoded row, as Parquet files by table and day of arrival, asked with DuckDB.

The loop keeps rows in memory and puts them away with its checkpoints; a file counts once the database names it, in the same
transaction as the checkpoint. So after a crash no row is missing and none is there twice. Card data was masked by the readers.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl
from sqlalchemy import func, select

from jackstop.model.results import TimelineEntry
from jackstop.model.tables import BY_NAME, TIME
from jackstop.model.timeline import TOLD, entry, movements, scraps
from jackstop.store import parquet, queries
from jackstop.store.database import Database
from jackstop.store.faults import StoreError
from jackstop.store.live import HistoryFile
from jackstop.store.putting import Putting
from jackstop.store.schema import history_files

MOST = 100_000
"""Rows of one answer at most."""

MEMORY, THREADS = "512MB", 2
"""What one query may take."""

_PIECE = 100_000
_ALONE: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
}


@dataclass(frozen=True, slots=True)
class TableRows:
    """What the history has of one table: files, rows, bytes, and its first and last row (µs by the host's clock)."""

    table: str
    files: int
    rows: int
    bytes: int
    first: int
    last: int


class History:
    """The history in a folder. One process, the loop, keeps and puts; any may ask.

    Args:
        folder: its own. database: names the files that count.
    """

    def __init__(self, folder: Path, database: Database) -> None:
        self.folder, self.database = folder, database
        self._putting: Putting | None = None

    def keep(self, rows: Mapping[str, pl.DataFrame]) -> None:
        """Keep the rows of one step (`engine.Output.rows`) for the next `seal`; where they are many, writing begins.

        Raises:
            StoreError: rows kept before could not be written.
        """
        self._away().add({name: frame for name, frame in rows.items() if frame.height and name in BY_NAME})

    def seal(self) -> Callable[[int], tuple[HistoryFile, ...]]:
        """Part the rows kept so far from those to come.

        Returns:
            What writes them for the checkpoint of a frame, in any thread, and gives the files to be recorded with it. It raises
            StoreError where they cannot be written.
        """
        return self._away().seal()

    def tables(self) -> list[TableRows]:
        """What there is of each table, by name."""
        c = history_files.c
        sums = (func.count(), func.sum(c.rows), func.sum(c.bytes), func.min(c.first), func.max(c.last))
        with self.database.read() as connection:
            rows = connection.execute(select(c.table, *sums).group_by(c.table).order_by(c.table)).all()
        return [TableRows(t, n, int(r), int(b), first, last) for t, n, r, b, first, last in rows]

    def files(self, table: str | None = None, begin: int | None = None, end: int | None = None) -> list[HistoryFile]:
        """The files that count, of one table if named, that have rows with `at` from `begin` to before `end` (µs UTC)."""
        c = history_files.c
        asked = select(*(c[n] for n in HistoryFile.__dataclass_fields__)).order_by(c.table, c.first, c.path)
        asked = asked if table is None else asked.where(c.table == table)
        asked = asked if begin is None else asked.where(c.last >= begin)
        asked = asked if end is None else asked.where(c.first < end)
        with self.database.read() as connection:
            return [HistoryFile(*r) for r in connection.execute(asked)]

    def rows(self, table: str, terminal: str | Sequence[str] | None, begin: int, end: int, limit: int) -> pl.DataFrame:
        """Rows of one table with `at` from `begin` to before `end` (µs UTC), the earliest first, of terminals if named.

        Words are plain text. A table the history knows nothing of gives no rows of the table's columns.

        Raises:
            StoreError: no such table, or its files cannot be read.
        """
        return self._ask(table, terminal, begin, end, limit)

    def timeline(self, terminal: str, begin: int, end: int, limit: int) -> list[TimelineEntry]:
        """What there is to tell of a terminal from `begin` to before `end` (µs UTC), the earliest first.

        Rows since the last checkpoint are not in it yet; verdicts are.

        Raises:
            StoreError: the files or the database cannot be read.
        """
        parts = [scraps(n, self._ask(n, terminal, begin, end, limit, TOLD[n])) for n in TOLD]
        moved = queries.verdict_frame(self.database, terminal, begin, end, limit)
        both = pl.concat([*parts, movements(moved)]).sort("at", "lane", "source", "record_offset").head(limit)
        return [entry(row) for row in both.iter_rows(named=True)]

    def verdicts(self, terminal: str, begin: int, end: int, limit: int) -> pl.DataFrame:
        """The verdicts that stand of a terminal's movements from `begin` to before `end` (µs UTC), as `results.VERDICTS`."""
        return queries.verdict_frame(self.database, terminal, begin, end, limit)

    def pieces(
        self, begin: int | None = None, end: int | None = None, faults: list[str] | None = None
    ) -> Iterator[tuple[str, pl.DataFrame, int, int]]:
        """All rows, some at a time: table, rows, rows of files gone through, and rows of all files.

        Args:
            begin, end: of `at`, from and before (µs UTC). faults: where a file that cannot be read is told; it is left out.

        Raises:
            StoreError: the database cannot be read, or a file, where there is no place to tell it.
        """
        with parquet.reading(self.folder):
            listed = self.files(None, begin, end)
            total, before = sum(f.rows for f in listed), 0
            for file in listed:
                for start in range(0, file.rows, _PIECE):
                    try:
                        frame = self._slice(file, start)
                    except StoreError as fault:
                        if faults is None:
                            raise
                        faults.append(f"{fault}: left out")
                        break
                    within = frame.filter(_within(begin, end)) if begin is not None or end is not None else frame
                    yield file.table, _whole(file.table, within), min(before + start + _PIECE, before + file.rows), total
                before += file.rows

    def _slice(self, file: HistoryFile, start: int) -> pl.DataFrame:
        path = self.folder / file.path
        try:
            return pl.scan_parquet(path, glob=False).slice(start, _PIECE).collect()
        except (OSError, pl.exceptions.PolarsError) as fault:
            raise StoreError(f"{path}: {str(fault).splitlines()[0]}, expected a file of the history") from None

    def _ask(
        self,
        table: str,
        terminal: str | Sequence[str] | None,
        begin: int,
        end: int,
        limit: int,
        chosen: tuple[str, tuple[str | int, ...]] | None = None,
    ) -> pl.DataFrame:
        """Rows of a table, of which one column holds one of the values `chosen`."""
        if table not in BY_NAME:
            raise StoreError(f"history: no table {table!r}, expected one of: {', '.join(BY_NAME)}")
        terms, values = ['"at" >= ?', '"at" < ?'], [begin, end]
        given: list[object] = [*values]
        if terminal is not None:
            terms.append("terminal = ?" if isinstance(terminal, str) else "list_contains(?, terminal)")
            given.append(terminal if isinstance(terminal, str) else list(terminal))
        if chosen is not None:
            terms.append(f"list_contains(?, {chosen[0]})")
            given.append(list(chosen[1]))
        query = (
            "SELECT * FROM read_parquet(?, union_by_name = true) "  # noqa: S608 - our own words
            f'WHERE {" AND ".join(terms)} ORDER BY "at", event_id LIMIT ?'
        )
        with parquet.reading(self.folder):
            paths = [str((self.folder / f.path).absolute()) for f in self.files(table, begin, end)]
            if not paths:
                return _whole(table, pl.DataFrame(schema={"at": pl.Int64}))
            return _whole(table, _asked(self.folder, query, [paths, *given, min(max(limit, 0), MOST)], _schema(table)))

    def _away(self) -> Putting:
        """What puts rows away; what a loop before this one left over is removed first."""
        if self._putting is None:
            _clear(self.folder, self.database)
            self._putting = Putting(self.folder)
        return self._putting


def _schema(table: str) -> dict[str, pl.DataType]:
    """The columns of a table, with words as plain text."""
    return {n: pl.String() if isinstance(t, pl.Enum) else t for n, t in BY_NAME[table].schema.items()}


def _whole(table: str, frame: pl.DataFrame) -> pl.DataFrame:
    """Rows with every column their table has in this version."""
    schema = _schema(table)
    absent = [pl.lit(None, t).alias(n) for n, t in schema.items() if n not in frame.columns]
    return frame.with_columns(absent).select(*schema, pl.exclude(*schema))


def _within(begin: int | None, end: int | None) -> pl.Expr:
    low = pl.lit(value=True) if begin is None else pl.col("at") >= begin
    return low if end is None else low & (pl.col("at") < end)


def _clear(folder: Path, database: Database) -> None:
    """Remove what a loop before this one wrote and never recorded."""
    there = parquet.found(folder)
    with database.read() as connection:
        recorded = set(connection.execute(select(history_files.c.path)).scalars())
    left = [p for p in there if p not in recorded and not parquet.is_merged(Path(p).name)]
    parquet.remove(folder, left)


def _asked(folder: Path, query: str, values: Sequence[object], schema: Mapping[str, pl.DataType]) -> pl.DataFrame:
    """What a query over files of one folder gives; it can read nothing else, and change nothing.

    Args:
        schema: of columns whose type is known; that of others is as DuckDB says.
    """
    import duckdb  # here, for the loop never asks

    allowed = str(folder.absolute()).replace("'", "''")
    settings = (
        f"SET memory_limit = '{MEMORY}'",
        f"SET threads = {THREADS}",
        "SET temp_directory = ''",
        "SET TimeZone = 'UTC'",
        f"SET allowed_directories = ['{allowed}']",
        "SET enable_external_access = false",
        "SET lock_configuration = true",
    )
    try:
        with duckdb.connect(":memory:", config=_ALONE) as connection:
            for setting in settings:
                connection.execute(setting)
            given = connection.sql(query, params=list(values))
            kinds = dict(zip(given.columns, map(str, given.types), strict=True))
            plain = [f'epoch_us("{n}")' if k == _INSTANT else f'"{n}"' for n, k in kinds.items()]
            rows = given.project(", ".join(plain)).fetchall()
    except duckdb.Error as fault:
        raise StoreError(f"{folder}: {str(fault).splitlines()[0]}, expected a history that can be read") from None
    columns = zip(*rows, strict=True) if rows else ([] for _ in kinds)
    return pl.DataFrame([_column(n, k, v, schema) for (n, k), v in zip(kinds.items(), columns, strict=True)])


_INSTANT = "TIMESTAMP WITH TIME ZONE"
_KINDS: Mapping[str, pl.DataType] = {
    "BIGINT": pl.Int64(),
    "INTEGER": pl.Int32(),
    "UBIGINT": pl.UInt64(),
    "UINTEGER": pl.UInt32(),
    "DOUBLE": pl.Float64(),
    "BOOLEAN": pl.Boolean(),
    "VARCHAR": pl.String(),
    "BLOB": pl.Binary(),
    "INTEGER[]": pl.List(pl.Int32),
    "VARCHAR[]": pl.List(pl.String),
}
"""DuckDB's types as columns of rows have them; of others the values say the type."""


def _column(name: str, kind: str, values: Sequence[object], schema: Mapping[str, pl.DataType]) -> pl.Series:
    if kind == _INSTANT:
        return pl.Series(name, values, pl.Int64).cast(TIME)
    return pl.Series(name, values, schema.get(name, _KINDS.get(kind)))

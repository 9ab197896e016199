"""Small files of the history put together, so that a day is a handful of files: while it lasts by size, once it is over whole.

A merged file and the end of those it stands for are recorded in one transaction; the old ones are removed afterwards, when
nobody reads. Whatever a crash leaves over is removed by the next run.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path

import polars as pl
from sqlalchemy import delete, func, select

from jackstop.model.settings import HOUR
from jackstop.store import parquet
from jackstop.store.faults import StoreError
from jackstop.store.history import History
from jackstop.store.live import HistoryFile, record_files
from jackstop.store.putting import DAY
from jackstop.store.schema import checkpoints, history_files

LARGE = 500_000
"""Rows of one file at most; a larger one is left alone."""

FAN = 8
"""Files of about one size that are put together while their day lasts."""

_SMALL = 2_000
"""Rows up to which files count as of the smallest size; each further size is `FAN` times the one before."""


def compact(history: History, now: int) -> int:
    """Put small files together, and remove those that count no more. Gives how many files there are fewer.

    May run in any process beside the loop; only one does at a time, another gives 0.

    Args:
        now: µs UTC; days that ended an hour before are over.

    Raises:
        StoreError: the files or the database cannot be read or written. Nothing recorded is lost.
    """
    with parquet.merging(history.folder) as ours:
        if not ours:
            return 0
        _sweep(history)
        fewer = sum(_merge(history, group) for group in _groups(history.files(), now))
        _sweep(history)
        return fewer


def _groups(files: Sequence[HistoryFile], now: int) -> Iterator[list[HistoryFile]]:
    """Files of one table and day that are to become one."""
    days = defaultdict[tuple[str, str], list[HistoryFile]](list)
    for file in files:
        if file.rows < LARGE:
            days[file.table, file.day].append(file)
    for (_, day), listed in sorted(days.items()):
        over = (date.fromisoformat(day) - date(1970, 1, 1)).days * DAY + DAY + HOUR <= now
        sizes = defaultdict[int, list[HistoryFile]](list)
        for file in sorted(listed, key=lambda f: (f.first, f.path)):
            sizes[0 if over else _size(file.rows)].append(file)
        for same in sizes.values():
            if over or len(same) >= FAN:
                yield from _filled(same)


def _size(rows: int) -> int:
    """How large a file is, as a small number: files of one size are merged with each other."""
    size, most = 0, _SMALL
    while rows > most:
        size, most = size + 1, most * FAN
    return size


def _filled(files: Sequence[HistoryFile]) -> Iterator[list[HistoryFile]]:
    """Neighbours in time, as many as one file takes; one alone stays as it is."""
    group, rows = list[HistoryFile](), 0
    for file in files:
        if group and rows + file.rows > LARGE:
            if len(group) > 1:
                yield group
            group, rows = [], 0
        group.append(file)
        rows += file.rows
    if len(group) > 1:
        yield group


def _merge(history: History, group: Sequence[HistoryFile]) -> int:
    """One file in place of several; gives how many fewer there are, 0 where one of them was removed meanwhile."""
    table, day, old = group[0].table, group[0].day, [f.path for f in group]
    path = f"{table}/day={day}/{parquet.merged_name(old)}"
    with parquet.reading(history.folder):
        rows = pl.concat([_read(history.folder / p) for p in old], how="diagonal_relaxed")
    size = parquet.write(rows.sort("terminal", "at", maintain_order=True), history.folder / path)
    parquet.sync([(history.folder / path).parent])
    first, last = min(f.first for f in group), max(f.last for f in group)
    merged = HistoryFile(path, table, day, rows.height, size, first, last)
    with history.database.write() as connection:
        there = select(func.count()).where(history_files.c.path.in_(old))
        if connection.execute(there).scalar() != len(old):
            return 0
        connection.execute(delete(history_files).where(history_files.c.path.in_(old)))
        record_files(connection, [merged])
    return len(old) - 1


def _read(path: Path) -> pl.DataFrame:
    try:
        return pl.read_parquet(path, glob=False)
    except (OSError, pl.exceptions.PolarsError) as fault:
        raise StoreError(f"{path}: {str(fault).splitlines()[0]}, expected a file of the history") from None


def _sweep(history: History) -> None:
    """Remove files that count no more: merged ones nobody recorded, and those of checkpoints long made."""
    there = parquet.found(history.folder)
    with history.database.read() as connection:
        recorded = set(connection.execute(select(history_files.c.path)).scalars())
        newest = connection.execute(select(func.max(checkpoints.c.seq))).scalar() or 0
    left = []
    for path in there:
        name = Path(path).name
        seq = parquet.seq_of(name)
        if path not in recorded and (parquet.is_merged(name) or (seq is not None and seq <= newest)):
            left.append(path)
    parquet.remove(history.folder, left)

"""Rows put away: gathered by table, written by a thread beside whoever gathers them, named when their checkpoint comes."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from functools import partial
from itertools import count
from pathlib import Path

import polars as pl

from jackstop.model.settings import HOUR
from jackstop.model.written import EARLIEST, LATEST
from jackstop.store import parquet
from jackstop.store.faults import StoreError
from jackstop.store.live import HistoryFile

DAY = 24 * HOUR

SPILL = 50_000
"""Rows of one table from which they are written, though no checkpoint is due."""

DAYS = 32
"""Days of one table that one writing makes files for; rows of further days are put with the commonest."""

_EARLY, _LATE = EARLIEST // DAY, LATEST // DAY


@dataclass(slots=True)
class _Gathered:
    """Rows of one table that are in memory."""

    frames: list[pl.DataFrame] = field(default_factory=list)
    rows: int = 0


class Putting:
    """Rows on their way into a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._gathered: dict[str, _Gathered] = {}
        self._written: list[Future[list[HistoryFile]]] = []
        self._numbers = count()
        self._thread = ThreadPoolExecutor(1, "history")

    def add(self, rows: Mapping[str, pl.DataFrame]) -> None:
        """Gather rows; those of a table that are many are written meanwhile.

        Raises:
            StoreError: earlier ones could not be written.
        """
        for name, frame in rows.items():
            own = self._gathered.setdefault(name, _Gathered())
            own.frames.append(frame)
            own.rows += frame.height
            if own.rows >= SPILL:
                self._hand_over(name)
        for done in self._written:
            if done.done():
                done.result()

    def seal(self) -> Callable[[int], tuple[HistoryFile, ...]]:
        """Part the rows gathered so far from those to come.

        Returns:
            What waits until they are written and names their files after a checkpoint; the files last when it returns. Another
            thread may call it. It raises StoreError where they cannot be written.
        """
        for name in sorted(self._gathered):
            self._hand_over(name)
        written, self._written = self._written, []
        return partial(_named, self._folder, written)

    def _hand_over(self, name: str) -> None:
        """Have the rows of a table written."""
        frames = self._gathered.pop(name).frames
        self._written.append(self._thread.submit(_write, self._folder, name, frames, next(self._numbers)))


def _named(folder: Path, written: Sequence[Future[list[HistoryFile]]], seq: int) -> tuple[HistoryFile, ...]:
    """The files of some writings, named after a checkpoint."""
    named = []
    for number, file in enumerate(f for done in written for f in done.result()):
        path = f"{file.path.rpartition('/')[0]}/{parquet.fresh_name(seq, number)}"
        _rename(folder / file.path, folder / path)
        named.append(replace(file, path=path))
    folders = {(folder / f.path).parent for f in named}
    if named:
        parquet.sync({*folders, *(f.parent for f in folders), folder, folder.parent})
    return tuple(named)


def plain(frame: pl.DataFrame) -> pl.DataFrame:
    """Rows with words as plain text, for the words of one version are not those of the next."""
    return frame.with_columns(pl.col(c).cast(pl.String) for c, t in frame.schema.items() if isinstance(t, pl.Enum))


def _write(folder: Path, table: str, frames: Sequence[pl.DataFrame], number: int) -> list[HistoryFile]:
    """Write rows, a file for each day, under names that count for nothing yet."""
    written = []
    for day, rows in _by_day(plain(pl.concat(frames, how="diagonal_relaxed"))):
        path = f"{table}/day={day}/{parquet.spilt_name(number)}"
        size = parquet.write(rows.sort("terminal", "at", maintain_order=True), folder / path, quick=True)
        first, last = rows.select(pl.col("at").min(), last=pl.col("at").max()).row(0)
        written.append(HistoryFile(path, table, day, rows.height, size, first, last))
    return written


def _by_day(rows: pl.DataFrame) -> Iterator[tuple[str, pl.DataFrame]]:
    """Rows by the day they arrived (UTC). Odd stamps cannot make more than `DAYS` of them."""
    stamp = pl.col("arrival") if "arrival" in rows.columns else pl.col("at")
    placed = rows.with_columns(_day=(stamp // DAY).fill_null(0).clip(_EARLY, _LATE))
    counts = placed["_day"].value_counts(sort=False).sort(["count", "_day"], descending=[True, False])
    kept = counts["_day"].head(DAYS).to_list()
    if counts.height > DAYS:
        placed = placed.with_columns(_day=pl.when(pl.col("_day").is_in(kept)).then("_day").otherwise(pl.lit(kept[0])))
    for (number,), some in sorted(placed.partition_by("_day", as_dict=True, include_key=False).items()):
        yield f"{date(1970, 1, 1) + timedelta(days=number)}", some


def _rename(old: Path, new: Path) -> None:
    try:
        old.replace(new)
    except OSError as fault:
        raise StoreError(f"{new}: {fault.strerror}, expected a place for the history") from None

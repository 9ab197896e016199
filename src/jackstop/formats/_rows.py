"""Rows being collected, and columns made from them.

Frames are made for every piece of a file that is read, and pieces may be small, so what each frame costs whatever its
height counts as much as what each row costs.
"""

from hashlib import sha256
from typing import Any, NamedTuple

import polars as pl

from jackstop.model.fleet import Reading
from jackstop.model.tables import BY_NAME, Tables

_ZERO = ("quality", "time_uncertainty")
_BLANK = {
    t.name: {c: pl.Series(c, [0 if c in _ZERO else None], dtype=dtype) for c, dtype in t.schema.items()} for t in BY_NAME.values()
}


class Origin(NamedTuple):
    """Where a row's record stands: offset and length in bytes, and the SHA-256 of its bytes."""

    offset: int
    length: int
    digest: bytes


_Row = tuple[Origin, int, int, Any]
"""Origin, time, id, and the table's own values: by name, or in the order of `put`."""
_IDS = 2**64 - 1


class Rows:
    """Rows being collected, by table; `take` turns them into frames.

    The reader sets the envelope of the record at hand (`at`), then adds any number of rows for it.
    """

    def __init__(self, reading: Reading) -> None:
        self._source = reading.name
        self._salt = reading.name.encode()
        self._terminal = reading.terminal
        self._rows: dict[str, list[_Row]] = {}
        self._names: dict[str, tuple[str, ...]] = {}
        self._origin = Origin(0, 0, b"")
        self._seed = 0
        self._nth = 0

    def at(self, offset: int, raw: bytes, digest: bytes, key: bytes | None = None) -> None:
        """Name the record the next rows come from; `key` is what tells it from equal ones (its digest if not given)."""
        self._origin = Origin(offset, len(raw), digest)
        self._seed = int.from_bytes(sha256(self._salt + (digest if key is None else key)).digest()[:8], "big")
        self._nth = 0

    def add(self, table: str, time: int, **values: Any) -> None:  # noqa: ANN401 - checked against the schema in `take`
        """Add a row: `time` in µs since 1970 UTC, then any of the table's columns.

        `terminal` and `naming` are given by formats whose rows name their terminal; a declared terminal wins.
        """
        row = (self._origin, time, (self._seed + self._nth) & _IDS, values)
        self._nth += 1
        listed = self._rows.get(table)
        if listed is None:
            self._rows[table] = [row]
        else:
            listed.append(row)

    def put(self, table: str, names: tuple[str, ...], time: int, values: tuple[Any, ...]) -> None:
        """Add a row of a table all of whose rows have the same columns: the quicker way for formats of one table.

        A table is filled by `put` or by `add`, never by both.
        """
        row = (self._origin, time, (self._seed + self._nth) & _IDS, values)
        self._nth += 1
        listed = self._rows.get(table)
        if listed is None:
            self._rows[table] = [row]
            self._names[table] = names
        else:
            listed.append(row)

    @property
    def snapshot(self) -> int:
        """An id to share between the rows of one counter snapshot in this record."""
        return (self._seed ^ 0x9E3779B97F4A7C15) & (2**64 - 1)

    def take(self) -> Tables:
        """The rows collected since the last call, as Tables.

        Raises:
            KeyError: a row has a column its table does not have (a fault of the reader).
        """
        rows, self._rows = self._rows, {}
        return Tables.of(**{name: self._frame(name, listed) for name, listed in rows.items()})

    def _frame(self, name: str, rows: list[_Row]) -> pl.DataFrame:
        origins, times, ids, said = zip(*rows, strict=True)
        offsets, lengths, digests = zip(*origins, strict=True)
        schema = BY_NAME[name].schema
        own = _columns(said, self._names[name]) if name in self._names else _gathered(said)
        if stray := own.keys() - schema.keys():
            raise KeyError(f"table {name} has no column {', '.join(sorted(stray))}")
        given: dict[str, list[Any] | tuple[Any, ...]] = own | {
            "event_id": ids,
            "time": times,
            "record_offset": offsets,
            "record_length": lengths,
            "record_digest": digests,
        }
        constant = {"source": self._source}
        if self._terminal is not None:
            constant |= {"terminal": self._terminal, "naming": "id"}
        blank, columns = _BLANK[name], []
        for column, dtype in schema.items():
            if column in constant:
                made = pl.Series(column, [constant[column]], dtype=dtype).new_from_index(0, len(rows))
            elif column in given:
                made = series(column, given[column], dtype)
            else:
                made = blank[column].new_from_index(0, len(rows))
            columns.append(made)
        return pl.DataFrame(columns)


def _columns(said: tuple[Any, ...], names: tuple[str, ...]) -> dict[str, list[Any] | tuple[Any, ...]]:
    """Columns of rows whose values are in the order of `names`."""
    return dict(zip(names, zip(*said, strict=True), strict=True))


def _gathered(said: tuple[Any, ...]) -> dict[str, list[Any] | tuple[Any, ...]]:
    """Columns of rows whose values have names."""
    used: set[str] = set().union(*said)
    return {c: [v.get(c) or 0 for v in said] if c in _ZERO else [v.get(c) for v in said] for c in used}


def series(name: str, values: list[Any] | tuple[Any, ...], dtype: pl.DataType) -> pl.Series:
    """A column from Python values; times are µs since 1970 UTC."""
    if isinstance(dtype, pl.Datetime):
        return pl.Series(name, values, dtype=pl.Int64).cast(dtype)
    if isinstance(dtype, pl.Enum):
        return pl.Series(name, values, dtype=pl.String).cast(dtype)
    if dtype == _NUMBERS:
        return _lists(name, values, dtype)
    return pl.Series(name, values, dtype=dtype)


_NUMBERS = pl.List(pl.Int32)


def _lists(name: str, values: list[Any] | tuple[Any, ...], dtype: pl.DataType) -> pl.Series:
    """A column of lists of numbers by their distinct values: mixes of notes repeat."""
    distinct: dict[tuple[int, ...] | None, int] = {}
    places = [distinct.setdefault(None if v is None else tuple(v), len(distinct)) for v in values]
    few = pl.Series(name, [None if d is None else list(d) for d in distinct], dtype=dtype)
    return few.gather(places)

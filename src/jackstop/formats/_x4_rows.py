"""Rows of XFS4IoT messages, collected as tuples by table: a dictionary a row would cost more than reading the message."""

from hashlib import sha256
from typing import Any

import polars as pl

from jackstop.formats._reading import series
from jackstop.model.tables import BY_NAME, Tables

_ALWAYS = ("time", "terminal", "event_id", "record_offset", "record_length", "record_digest", "sequence")
COLUMNS = {
    "cash": (
        "activity",
        "request_id",
        "result_name",
        "currency",
        "amount",
        "counts",
        "position",
        "session",
        "token",
        "token_amount",
        "state",
        "detail",
        "result",
    ),
    "units": (
        "snapshot",
        "cause",
        "unit",
        "unit_id",
        "kind",
        "currency",
        "value",
        "initial",
        "count",
        "rejected",
        "dispensed",
        "presented",
        "retracted",
        "status",
        "accuracy",
        "serial",
    ),
    "cabinet": ("activity", "part", "sensor", "detail"),
    "operator": ("activity", "person", "detail"),
    "feeds": ("activity", "count", "before", "after", "detail"),
}
CONSTANT = {"cash": {"layer": "device"}, "units": {"basis": "logical"}, "cabinet": {}, "operator": {}, "feeds": {}}


class Rows:
    """Rows of one source. `at` names the record at hand; `add` takes its values in the order of `COLUMNS`."""

    def __init__(self, source: str, terminal: str | None, uncertainty: int) -> None:
        self._source = source
        self._salt = source.encode()
        self._fixed = terminal
        self._uncertainty = uncertainty
        self._listed: dict[str, list[tuple[Any, ...]]] = {name: [] for name in COLUMNS}
        self._head: tuple[Any, ...] = ()
        self._tail: tuple[Any, ...] = ()
        self._seed = -1
        self._nth = 0

    def at(self, place: tuple[int, int, bytes], time: int, terminal: str | None, sequence: int | None) -> None:
        """Name the record (offset, length, digest) that the next rows come from."""
        self._head = (time, self._fixed or terminal)
        self._tail = (*place, sequence)
        self._seed, self._nth = -1, 0

    def _begin(self) -> int:
        """The seed of the record's ids: only records that give rows need one."""
        if self._seed < 0:
            self._seed = int.from_bytes(sha256(self._salt + self._tail[2]).digest()[:8], "big")
        return self._seed

    def add(self, table: str, *values: Any) -> None:  # noqa: ANN401 - by the table's schema
        """A row of the record at hand."""
        event = (self._begin() + self._nth) & (2**64 - 1)
        self._nth += 1
        self._listed[table].append((*self._head, event, *self._tail, *values))

    @property
    def snapshot(self) -> int:
        """An id for the rows of one counter snapshot."""
        return (self._begin() ^ 0x9E3779B97F4A7C15) & (2**64 - 1)

    def take(self) -> Tables:
        """The rows collected since the last call."""
        made = {name: self._frame(name, listed) for name, listed in self._listed.items() if listed}
        for listed in self._listed.values():
            listed.clear()
        return Tables.of(**made)

    def _frame(self, name: str, listed: list[tuple[Any, ...]]) -> pl.DataFrame:
        schema, size = BY_NAME[name].schema, len(listed)
        given = dict(zip((*_ALWAYS, *COLUMNS[name]), zip(*listed, strict=True), strict=True))
        fixed = {"naming": "id", "source": self._source, "time_uncertainty": self._uncertainty, "quality": 0, **CONSTANT[name]}
        columns = []
        for column, dtype in schema.items():
            if column in given:
                columns.append(series(column, list(given[column]), dtype))
            else:
                columns.append(pl.Series(column, [fixed.get(column)], dtype=dtype).new_from_index(0, size))
        return pl.DataFrame(columns)

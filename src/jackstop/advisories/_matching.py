"""The search of tables for indicators: first all values at once in linear time, then each place that has one is looked at.

Values are found in any letters, in the data of Windows events whatever their field, and in the texts of the other tables;
service names and accounts only in the fields that hold such names (see `_bounds`).
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import polars as pl

from jackstop.advisories import _bounds
from jackstop.advisories._model import Indicator
from jackstop.model.tables import ENVELOPE, TIME

HITS: dict[str, pl.DataType] = {
    "kind": pl.String(),
    "value": pl.String(),
    "note": pl.String(),
    "table": pl.String(),
    "field": pl.String(),
    "event_id": pl.UInt64(),
    "terminal": pl.String(),
    "naming": pl.String(),
    "time": TIME,
    "at": pl.Int64(),
    "arrival": pl.Int64(),
    "source": pl.String(),
    "record_offset": pl.Int64(),
    "record_length": pl.Int32(),
    "record_digest": pl.Binary(),
}
"""Columns of hits: the indicator, the table and field it was found in, and the row's envelope (`at`, `arrival` where given)."""

SEARCHED: Mapping[str, tuple[str, ...]] = {
    "cash": ("caller", "detail"),
    "host": ("detail",),
    "cabinet": ("detail",),
    "operator": ("person", "detail"),
    "windows": ("data", "computer", "user", "provider"),
    "feeds": ("detail",),
    "visits": (),
    "units": (),
}
"""The columns of each table that hold free text; of other frames every text column is searched."""

_ROW = tuple(c for c in HITS if c not in {"kind", "value", "note", "table", "field"})
_OWN = frozenset(c.name for c in ENVELOPE)


@dataclass(frozen=True, slots=True)
class Matcher:
    """Indicators made ready to be looked for. `by_needle`: those that a text with this needle may hold."""

    by_needle: Mapping[str, tuple[Indicator, ...]] = field(default_factory=dict)
    forms: tuple[str, ...] = ()

    @classmethod
    def of(cls, indicators: Iterable[Indicator]) -> "Matcher":
        """A matcher for these indicators, each value looked for once."""
        by_needle: dict[str, dict[tuple[str, str], Indicator]] = {}
        for indicator in indicators:
            by_needle.setdefault(_bounds.needle(indicator), {}).setdefault((indicator.kind, indicator.value), indicator)
        known = {n: tuple(found.values()) for n, found in sorted(by_needle.items())}
        forms = {form for n in known for form in (n, _escaped(n))}
        return cls(known, tuple(sorted(forms)))

    def match(self, frames: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
        """Rows that hold an indicator, as a frame of `HITS`: one for each row, field and indicator."""
        parts = [self._table(name, frame) for name, frame in frames.items() if frame.height and self.forms]
        return pl.concat(parts) if parts else pl.DataFrame(schema=HITS)

    def _table(self, name: str, frame: pl.DataFrame) -> pl.DataFrame:
        columns = [c for c in SEARCHED.get(name, tuple(frame.columns)) if frame.schema.get(c) == pl.String]
        columns = [c for c in columns if name in SEARCHED or c not in _OWN]
        if not columns:
            return pl.DataFrame(schema=HITS)
        some = pl.any_horizontal(pl.col(c).str.to_lowercase().str.contains_any(list(self.forms)) for c in columns)
        rows = frame.filter(some).with_row_index("_row")
        texts = self._texts(name, rows, columns)
        if not texts.height:
            return pl.DataFrame(schema=HITS)
        given = [c for c in _ROW if c in rows.columns]
        hits = texts.join(rows.select("_row", *given), on="_row", how="left", maintain_order="left")
        absent = [pl.lit(None, HITS[c]).alias(c) for c in _ROW if c not in given]
        return hits.with_columns(pl.lit(name).alias("table"), *absent).select(list(HITS)).cast(HITS)  # type: ignore[arg-type]

    def _texts(self, name: str, rows: pl.DataFrame, columns: list[str]) -> pl.DataFrame:
        """The indicators in each text of the rows: `_row`, kind, value, note, field."""
        made: list[tuple[int, str, str]] = []
        for column in columns:
            for number, text in rows.select("_row", column).drop_nulls().iter_rows():
                made += [(number, f, t.lower()) for f, t in _fields(name, column, text)]
        schema: dict[str, pl.DataType] = {"_row": pl.UInt32(), "field": pl.String(), "text": pl.String()}
        listed = pl.DataFrame(made, schema=schema, orient="row")
        needles = pl.col("text").str.extract_many(list(self.by_needle), overlapping=True).list.unique(maintain_order=True)
        held = listed.with_columns(needles=needles).filter(pl.col("needles").list.len() > 0)
        found = [
            (number, i.kind, i.value, i.note, place)
            for number, place, text, listed_needles in held.iter_rows()
            for n in listed_needles
            for i in self.by_needle[n]
            if _bounds.found(i, place.lower(), text)
        ]
        keys: dict[str, pl.DataType] = {"_row": pl.UInt32(), **{c: pl.String() for c in ("kind", "value", "note", "field")}}
        return pl.DataFrame(found, schema=keys, orient="row").unique(maintain_order=True)


def match(indicators: Iterable[Indicator], frames: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """Rows of tables (name to frame) that hold one of the indicators, as a frame of `HITS`.

    For many calls with the same indicators make a `Matcher` once.
    """
    return Matcher.of(indicators).match(frames)


def _escaped(needle: str) -> str:
    """A value as it stands inside a JSON string."""
    return json.dumps(needle, ensure_ascii=False)[1:-1]


def _fields(table: str, column: str, text: str) -> list[tuple[str, str]]:
    """A text by its fields: the data of a Windows event is one a field; anything else is one under its column's name."""
    if (table, column) != ("windows", "data"):
        return [(column, text)]
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        return [(column, text)]
    return [(str(k), v) for k, v in data.items() if isinstance(v, str)] if isinstance(data, dict) else [(column, text)]

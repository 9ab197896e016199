"""The values a plan asks of a frame's rows, each field's distinct values told apart once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from jackstop.rules import derived
from jackstop.rules.place import BETWEEN
from jackstop.rules.tree import KEYWORDS

Rows = npt.NDArray[np.intp]
Mask = npt.NDArray[np.bool_]
_OTHERS = ("provider", "channel", "computer", "user")


@dataclass(frozen=True, slots=True)
class Column:
    """One field of some rows: `codes` by row (0 is no value), and the value of each code from 1."""

    codes: npt.NDArray[np.int64]
    values: list[str]


def column(series: pl.Series) -> Column:
    """A column of text by its distinct values."""
    if series.null_count() == series.len():
        return Column(np.zeros(series.len(), np.int64), [])
    codes = series.rank("dense").fill_null(0).cast(pl.Int64).to_numpy()
    return Column(codes, series.drop_nulls().unique().sort().to_list())


def columns(frame: pl.DataFrame, fields: Sequence[str]) -> Mapping[str, pl.Series]:
    """Resolved fields (see `place.column`) of a frame as text; `KEYWORDS` is not among them.

    Values of `data` that are no object of strings are read as far as they are.
    """
    named = [f for f in fields if f not in {KEYWORDS, "=all-data"} and not f.startswith("@")]
    found: dict[str, pl.Series] = {f: _own(frame[f[1:]]) for f in fields if f.startswith("@")}
    if "=all-data" in fields:
        texts = frame["data"].to_list()
        found["=all-data"] = pl.Series([derived.all_data(t) for t in texts], dtype=pl.String)
    if named:
        read = _read(frame["data"], named)
        found |= {f: read[f] for f in named}
    return found


def _own(series: pl.Series) -> pl.Series:
    return series if series.dtype == pl.String else series.cast(pl.String)


def _read(data: pl.Series, named: Sequence[str]) -> pl.DataFrame:
    """Fields of JSON objects. One pass of the JSON reader, however many fields."""
    needs = sorted({n for f in named for n in (derived.ALL[f[1:]].needs if f.startswith("=") else f.split(BETWEEN))})
    decoded = data.fill_null("{}").str.json_decode(pl.Struct({n: pl.String for n in needs})).struct.unnest()
    return decoded.select(_expression(f).alias(f) for f in named)


def _expression(field: str) -> pl.Expr:
    if field.startswith("="):
        return derived.ALL[field[1:]].expression
    names = field.split(BETWEEN)
    return pl.coalesce(names) if len(names) > 1 else pl.col(names[0])


def keywords(frame: pl.DataFrame) -> list[tuple[str, ...]]:
    """Every value of each row: what keywords are looked for in."""
    if "data" in frame.columns and "channel" in frame.columns:
        others = frame.select(o for o in _OTHERS if o in frame.columns).rows()
        return [derived.keywords(t, o) for t, o in zip(frame["data"].to_list(), others, strict=True)]
    texts = frame.select(pl.col(pl.String, pl.Enum, pl.Categorical).cast(pl.String))
    return [tuple(v for v in row if v is not None) for row in texts.rows()]

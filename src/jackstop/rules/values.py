"""The values a plan asks of a frame's rows, each field's distinct values told apart once."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from jackstop.rules import derived
from jackstop.rules.place import BETWEEN

Rows = npt.NDArray[np.intp]
Mask = npt.NDArray[np.bool_]
SEPARATOR = "\x1e"
_OTHERS = ("provider", "channel", "computer", "user")
_FEW = 64


@dataclass(frozen=True, slots=True)
class Column:
    """One field of some rows: `codes` by row (0 is no value), and the value of each code from 1."""

    codes: npt.NDArray[np.int64]
    values: list[str]


def columns(frame: pl.DataFrame, fields: Sequence[str]) -> dict[str, Column]:
    """Resolved fields (see `place.column`) of a frame; `KEYWORDS` is not among them.

    Values of `data` that are no object of strings are read as far as they are.
    """
    few = frame.height <= _FEW
    plain = [f for f in fields if f[:1] not in {"@", "="}]
    found = _few(frame["data"].to_list(), plain) if few and plain else {}
    named = [f for f in fields if f not in found and f != "=all-data" and not f.startswith("@")]
    series = {f: frame[f[1:]].cast(pl.String) for f in fields if f.startswith("@")}
    if "=all-data" in fields:
        series["=all-data"] = pl.Series([derived.all_data(t) for t in frame["data"].to_list()], dtype=pl.String)
    if named:
        read = _read(frame["data"], named)
        series |= {f: read[f] for f in named}
    if few:
        return found | {f: listed(s.to_list()) for f, s in series.items()}
    return _coded(pl.DataFrame(series)) if series else {}


def listed(said: Sequence[str | None]) -> Column:
    """A few values as a column."""
    known: dict[str, int] = {}
    codes = [0 if v is None else known.setdefault(v, len(known) + 1) for v in said]
    return Column(np.array(codes, np.int64), list(known))


def _coded(frame: pl.DataFrame) -> dict[str, Column]:
    """Columns of text by their distinct values."""
    ranked = frame.select(pl.all().rank("dense").fill_null(0).cast(pl.Int64))
    found = {}
    places = np.arange(frame.height)
    for name in frame.columns:
        codes = ranked[name].to_numpy()
        there = np.zeros(int(codes.max(initial=0)) + 1, np.int64)
        there[codes] = places
        found[name] = Column(codes, frame[name].gather(there[1:]).to_list())
    return found


def _few(texts: Sequence[str | None], named: Sequence[str]) -> dict[str, Column]:
    """Fields of a few JSON objects."""
    objects = [derived.plain_object(t) for t in texts]
    found = {}
    for field in named:
        names = field.split(BETWEEN)
        found[field] = listed([next((v for n in names if (v := o.get(n)) is not None), None) for o in objects])
    return found


def _read(data: pl.Series, named: Sequence[str]) -> pl.DataFrame:
    """Fields of JSON objects. One pass of the JSON reader, however many fields."""
    needs = sorted({n for f in named for n in (derived.ALL[f[1:]].needs if f.startswith("=") else f.split(BETWEEN))})
    shape = pl.Struct({n: pl.String for n in needs})
    try:
        decoded = data.fill_null("{}").str.json_decode(shape).struct.unnest()
    except pl.exceptions.ComputeError:
        objects = [derived.plain_object(t) for t in data.to_list()]
        decoded = pl.DataFrame([[o.get(n) for n in needs] for o in objects], schema=dict.fromkeys(needs, pl.String), orient="row")
    return decoded.select(_expression(f).alias(f) for f in named)


def _expression(field: str) -> pl.Expr:
    if field.startswith("="):
        return derived.ALL[field[1:]].expression
    names = field.split(BETWEEN)
    return pl.coalesce(names) if len(names) > 1 else pl.col(names[0])


def keywords(frame: pl.DataFrame, hints: Sequence[str] | None) -> Column:
    """Every value of each row, joined by `SEPARATOR`: what keywords are looked for in.

    Args:
        hints: lower case texts of which a row must have one to be looked at; None: every row is.
    """
    windows = "data" in frame.columns and "channel" in frame.columns
    names = [o for o in ("data", *_OTHERS) if o in frame.columns] if windows else []
    texts = frame.select(names) if windows else frame.select(pl.col(pl.String, pl.Enum, pl.Categorical).cast(pl.String))
    said: list[str | None] = [None] * frame.height
    rows = np.arange(frame.height)
    if hints is not None and texts.width:
        near = pl.any_horizontal(pl.all().str.to_lowercase().str.contains_any(list(hints)).fill_null(False))
        rows = np.flatnonzero(texts.select(near.alias("near"))["near"].to_numpy())
    for row, values in zip(rows.tolist(), texts[rows].rows(), strict=True):
        every = derived.keywords(values[0], values[1:]) if windows else tuple(v for v in values if v is not None)
        said[row] = SEPARATOR.join(every)
    return listed(said)

"""Hits gathered for one correlation: by group, in event time, each event once for each rule."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import polars as pl

from jackstop.rules.rule import Correlation

GroupKey = tuple[str, ...]
CITED = ("source", "record_offset", "record_length", "record_digest")


class Hit(NamedTuple):
    """One hit. `at`, `arrival`: µs. `counted`: values of the fields a correlation counts, None where missing.

    `row` is its place in the frame it came from: what it carries beside this.
    """

    at: int
    event: int
    rule: str
    arrival: int
    terminal: str | None
    counted: tuple[str | None, ...] = ()
    row: int = -1


def prepared(hits: pl.DataFrame) -> pl.DataFrame:
    """Hits with `at`, `arrival` and `values`; each (rule, event) once, with its earliest arrival."""
    frame = hits
    if "at" not in frame.columns or frame["at"].null_count() == frame.height:
        frame = frame.with_columns(at=pl.col("time").to_physical())
    at = pl.col("at")
    arrival = pl.coalesce(pl.col("arrival"), at) if "arrival" in frame.columns else at
    frame = frame.with_columns(arrival=arrival).filter(at.is_not_null())
    return frame.sort("arrival", "at", "event_id", "rule").unique(["rule", "event_id"], keep="first", maintain_order=True)


def gathered(frame: pl.DataFrame, correlation: Correlation) -> Mapping[GroupKey, list[Hit]]:
    """The hits of a correlation's rules by group, sorted. A hit that lacks a value to group by is in no group.

    Args:
        frame: as `prepared` gives it.
    """
    mine = frame.with_row_index("_row").filter(pl.col("rule").is_in(correlation.rules)).sort("at", "event_id", "rule")
    keys, counted = _said(mine, correlation.group), _said(mine, correlation.counted)
    terminals = mine["terminal"] if "terminal" in mine.columns else pl.repeat(None, mine.height, dtype=pl.String, eager=True)
    columns = (mine["at"], mine["event_id"], mine["rule"], mine["arrival"], terminals)
    groups: dict[GroupKey, list[Hit]] = {}
    hits = map(Hit, *(c.to_list() for c in columns), counted, mine["_row"].to_list())
    for key, hit in zip(keys, hits, strict=True):
        if None not in key:
            groups.setdefault(key, []).append(hit)
    return groups


def _said(mine: pl.DataFrame, names: Mapping[str, Mapping[str, str]]) -> list[tuple[str, ...]]:
    """What each hit says of some names, by its rule's own fields; None where it says nothing."""
    wanted = sorted({f for by in names.values() for f in by.values()})
    if not wanted:
        return [()] * mine.height
    values = mine.select(
        "rule", said=pl.col("values").fill_null("{}").str.json_decode(pl.Struct(dict.fromkeys(wanted, pl.String)))
    )
    told = [
        pl.coalesce(pl.when(pl.col("rule") == rule).then(pl.col("said").struct.field(name)) for rule, name in by.items()).alias(
            str(i)
        )
        for i, by in enumerate(names.values())
    ]
    return values.select(told).rows()


def instants(hits: Sequence[Hit]) -> Iterable[tuple[int, int, int]]:
    """Each time at which there are hits, with the places of its first hit and behind its last."""
    first = 0
    for i in range(1, len(hits) + 1):
        if i == len(hits) or hits[i].at != hits[first].at:
            yield hits[first].at, first, i
            first = i

"""Hits gathered for one correlation: by group, in event time, each event once for each rule."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import orjson
import polars as pl

from jackstop.rules.rule import Correlation

GroupKey = tuple[str, ...]
RECORD = ("source", "record_offset", "record_length", "record_digest")


@dataclass(frozen=True, slots=True)
class Hit:
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
    groups: dict[GroupKey, list[Hit]] = {}
    mine = frame.with_row_index("row").filter(pl.col("rule").is_in(correlation.rules))
    terminals = mine["terminal"] if "terminal" in mine.columns else pl.repeat(None, mine.height, dtype=pl.String, eager=True)
    columns = (mine["rule"], mine["event_id"], mine["at"], mine["arrival"], terminals, mine["values"], mine["row"])
    named = tuple(correlation.group.values())
    counted = tuple(correlation.counted.values())
    for rule, event, at, arrival, terminal, values, row in zip(*(c.to_list() for c in columns), strict=True):
        said = orjson.loads(values or "{}") if named or counted else {}
        key = tuple(said.get(by[rule]) for by in named)
        if None not in key:
            hit = Hit(at, event, rule, arrival, terminal, tuple(said.get(by[rule]) for by in counted), row)
            groups.setdefault(tuple(map(str, key)), []).append(hit)
    return {k: sorted(groups[k], key=_order) for k in sorted(groups)}


def _order(hit: Hit) -> tuple[int, int, str]:
    return hit.at, hit.event, hit.rule


def instants(hits: Sequence[Hit]) -> Iterable[tuple[int, int, int]]:
    """Each time at which there are hits, with the places of its first hit and behind its last."""
    first = 0
    for i in range(1, len(hits) + 1):
        if i == len(hits) or hits[i].at != hits[first].at:
            yield hits[first].at, first, i
            first = i

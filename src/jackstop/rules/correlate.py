"""Correlations over hits: a pure function of hits, so neither their order nor how they were cut changes anything.

Source of the meaning: Sigma specification 2.1, "Sigma correlation rules"; what it leaves open is settled in docs/rules.md.
"""

from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b

import orjson
import polars as pl

from jackstop.model.tables import RECORD
from jackstop.rules.absence import ears, missing
from jackstop.rules.groups import CITED, GroupKey, Hit, gathered, prepared
from jackstop.rules.levels import Level, levels, told
from jackstop.rules.rule import Correlation

_MOST = 1000
RESULTS: Mapping[str, pl.DataType] = {
    "rule": pl.String(),
    "key": pl.UInt64(),
    "terminal": pl.String(),
    "at": pl.Int64(),
    "decided": pl.Int64(),
    "begin": pl.Int64(),
    "state": pl.String(),
    "count": pl.Int64(),
    "values": pl.String(),
    "events": pl.List(pl.UInt64),
    "records": pl.List(RECORD),
}
"""One result of a correlation.

`rule`: its id. `key`: its own id, from rule, group and `at`. `terminal`: of all its hits, null where they are of several.
`at`: when the condition came to hold (µs, event time). `decided`: from when that could be known, by the arrivals of hits alone.
`begin`: its first hit. `state`: confirmed; for an absence also suspected, withdrawn or suspended. `count`: its hits. `values`:
the group, a JSON object. `events`, `records`: of its hits, at most 1,000, the latest.
"""
Row = dict[str, object]


def correlate(
    hits: pl.DataFrame,
    correlations: Iterable[Correlation],
    *,
    latency: Mapping[str, int] | None = None,
    heard: pl.DataFrame | None = None,
) -> pl.DataFrame:
    """What hits make together.

    Args:
        hits: as `RuleSet.match` gives them, of one call or many, doubles and any order allowed; with `at` (else `time`)
            and, where known, `arrival` (µs).
        correlations: as `load` gives them: each after those it takes.
        latency: by rule id, how long after an event's time its source may deliver it (µs); 0 where not said.
        heard: `rule` (id), `at`, `arrival`, and `terminal` where a source is one terminal's: when the source of a rule said
            anything at all. Absences of rules that are in it wait for their source; without it they trust the latency.

    Returns:
        `RESULTS` of correlations that stand alone, by `decided`, `at`, rule, group and key.
    """
    frame = prepared(hits) if hits.height else hits
    rows: list[Row] = []
    for correlation in correlations:
        if not frame.height:
            break
        found = _one(frame, correlation, latency or {}, heard)
        rows += found if correlation.alone else []
        frame = _chained(frame, [r for r in found if r["state"] == "confirmed"])
    return pl.DataFrame(rows, schema=RESULTS).sort("decided", "at", "rule", "values", "key", "state")


def keep(correlations: Sequence[Correlation]) -> dict[str, int]:
    """How long hits must be kept behind the time up to which results are wanted, by rule id (µs), beside what comes late."""
    kept: dict[str, int] = {}
    for correlation in reversed(correlations):
        span = correlation.timespan * (1 if correlation.absence else 2) + kept.get(correlation.about.id, 0)
        for rule in correlation.rules:
            kept[rule] = max(kept.get(rule, 0), span)
    return kept


def _one(frame: pl.DataFrame, correlation: Correlation, latency: Mapping[str, int], heard: pl.DataFrame | None) -> list[Row]:
    """The results of one correlation."""
    rows: list[Row] = []
    window = correlation.absence
    lag = max((latency.get(r, 0) for r in (window.absent if window else correlation.rules)), default=0)
    ear = ears(heard, window.absent) if window else None
    for key, hits in gathered(frame, correlation).items():
        if window is None or ear is None:
            found = told(levels(correlation, hits, lag), correlation.timespan)
            rows += [_level(frame, correlation, key, hits, level) for level in found]
        else:
            said = missing(window, hits, lag, ear)
            rows += [_row(frame, correlation, key, [m.trigger], m.trigger.at, m.decided, m.state) for m in said]
    return rows


def _level(frame: pl.DataFrame, correlation: Correlation, key: GroupKey, hits: Sequence[Hit], level: Level) -> Row:
    members = [h for h in hits[level.first : level.last] if h.arrival <= level.decided]
    return _row(frame, correlation, key, members, level.at, level.decided, "confirmed")


def _row(
    frame: pl.DataFrame, correlation: Correlation, key: GroupKey, members: Sequence[Hit], at: int, decided: int, state: str
) -> Row:
    group = dict(zip(correlation.group, key, strict=True))
    values = orjson.dumps(group, option=orjson.OPT_SORT_KEYS).decode()
    terminals = {h.terminal for h in members}
    shown = members[-_MOST:]
    proof = f"{correlation.about.id}\n{values}\n{at}" + (f"\n{members[0].event}" if correlation.absence else "")
    return {
        "rule": correlation.about.id,
        "key": int.from_bytes(blake2b(proof.encode(), digest_size=8).digest(), "big"),
        "terminal": next(iter(terminals)) if len(terminals) == 1 else None,
        "at": at,
        "decided": decided,
        "begin": members[0].at,
        "state": state,
        "count": len(members),
        "values": values,
        "events": list(dict.fromkeys(h.event for h in shown)),
        "records": _records(frame, shown),
    }


def _records(frame: pl.DataFrame, members: Sequence[Hit]) -> list[dict[str, object]]:
    if not set(CITED) <= set(frame.columns):
        return []
    kept = frame[[h.row for h in members]].select(CITED).filter(pl.col("record_digest").is_not_null())
    return kept.unique(maintain_order=True).to_dicts()


def _chained(frame: pl.DataFrame, found: Sequence[Row]) -> pl.DataFrame:
    """Hits with results of a correlation among them, as hits of it."""
    if not found:
        return frame
    names = {"rule": "rule", "key": "event_id", "terminal": "terminal", "at": "at", "decided": "arrival", "values": "values"}
    there = {said: to for said, to in names.items() if to in frame.columns}
    added = pl.DataFrame(
        [{to: r[said] for said, to in there.items()} for r in found],
        schema={to: frame.schema[to] for to in there.values()},
    )
    return pl.concat([frame, added], how="diagonal_relaxed")

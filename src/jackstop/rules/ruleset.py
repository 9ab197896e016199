"""Rules over tables: `RuleSet.of(rules).match(frames)`.

Rules are found by (table, channel, event id), so a row costs nothing for rules of other sources. A plan for the rules of one
source is made when its first row comes, and kept. Matching is a function of rules and rows alone.
"""

from collections.abc import Iterable, Iterator, Mapping

import numpy as np
import orjson
import polars as pl

from jackstop.model.tables import ENVELOPE
from jackstop.rules.plan import Batch, Plan
from jackstop.rules.rule import Rule, Variant

CARRIED = (*(c.name for c in ENVELOPE), "at", "arrival")
"""Columns of a row that its hits carry, where the row has them."""
_CHUNK = 1 << 16
Key = tuple[str, str | None, int | None]


class RuleSet:
    """Rules ready to run."""

    def __init__(self, rules: tuple[Rule, ...]) -> None:
        self.rules = rules
        self._index: dict[Key, list[tuple[int, Variant]]] = {}
        for i, rule in enumerate(rules):
            for variant in rule.variants:
                for code in variant.codes if variant.codes is not None else (None,):
                    self._index.setdefault((variant.table, variant.channel, code), []).append((i, variant))
        self._tables = {k[0] for k in self._index}
        self._plans: dict[tuple[Key, ...], tuple[Plan, list[int]]] = {}

    @classmethod
    def of(cls, rules: Iterable[Rule]) -> "RuleSet":
        """A set of rules."""
        return cls(tuple(rules))

    def match(self, frames: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
        """Hits of rules among rows.

        Args:
            frames: rows by table name, with their table's columns; more columns may be there (`at`, `arrival`, `closed`).

        Returns:
            One row a hit, by table, row and rule: `rule` (id), `table`, the columns of `CARRIED` that the row has, and `values`:
            a JSON object of the fields the rule's hits must carry for correlations.
        """
        found = [self._table(name, frames[name]) for name in sorted(self._tables & frames.keys()) if frames[name].height]
        kept = [f for f in found if f.height]
        return pl.concat(kept, how="diagonal_relaxed") if kept else empty()

    def _table(self, name: str, frame: pl.DataFrame) -> pl.DataFrame:
        parts = []
        for start in range(0, frame.height, _CHUNK):
            piece = frame.slice(start, _CHUNK)
            rules, rows, said = [], [], []
            for plan, which, places in self._sources(name, piece):
                batch = plan.run(piece if places is None else piece[places])
                for found in batch.found():
                    rows.append(found.rows if places is None else places[found.rows])
                    rules.append(np.full(found.rows.size, which[found.rule]))
                    said += _values(batch, plan.variants[found.rule], found.rows)
            if rules:
                parts.append(self._hits(name, piece, np.concatenate(rules), np.concatenate(rows), said))
        return pl.concat(parts) if parts else empty()

    def _sources(self, name: str, piece: pl.DataFrame) -> Iterator[tuple[Plan, list[int], np.ndarray | None]]:
        """Each plan with the rows it is for (None: all)."""
        if name != "windows":
            plan = self._plan(((name, None, None),))
            if plan is not None:
                yield *plan, None
            return
        pairs = piece.select(pl.col("channel").str.to_lowercase(), "code").with_row_index("place")
        places: dict[tuple[Key, ...], list[pl.Series]] = {}
        for (channel, code), group in pairs.group_by("channel", "code", maintain_order=True):
            keys = self._keys(name, channel, code)
            if keys:
                places.setdefault(keys, []).append(group["place"])
        for keys, found in places.items():
            plan = self._plan(keys)
            if plan is not None:
                yield *plan, pl.concat(found).sort().to_numpy().astype(np.intp)

    def _keys(self, name: str, channel: object, code: object) -> tuple[Key, ...]:
        """Where rules for a channel and event id are kept."""
        c = channel if isinstance(channel, str) else ""
        n = code if isinstance(code, int) else -1
        wanted: tuple[Key, ...] = ((name, c, n), (name, c, None), (name, None, n), (name, None, None))
        return tuple(k for k in wanted if k in self._index)

    def _plan(self, keys: tuple[Key, ...]) -> tuple[Plan, list[int]] | None:
        """The plan for rules kept there, with each variant's rule; made once."""
        if keys not in self._plans:
            entries = [e for k in keys for e in self._index.get(k, ())]
            self._plans[keys] = Plan([v for _, v in entries]), [i for i, _ in entries]
        plan = self._plans[keys]
        return plan if plan[1] else None

    def _hits(self, name: str, piece: pl.DataFrame, rules: np.ndarray, rows: np.ndarray, said: list[str]) -> pl.DataFrame:
        """Hits as a frame, one for each rule and row, in the order of rows."""
        carried = [c for c in CARRIED if c in piece.columns]
        hits = piece.select(*carried, *(["closed"] if "closed" in piece.columns else []))[rows]
        ids = pl.Series([r.about.id for r in self.rules], dtype=pl.String)
        hits = hits.insert_column(0, ids.gather(rules).alias("rule")).insert_column(1, pl.Series("table", [name] * len(rows)))
        hits = hits.with_columns(pl.Series("values", said, pl.String), pl.Series("_row", rows), pl.Series("_rule", rules))
        hits = self._scheduled(hits).unique(["_row", "_rule"], keep="first", maintain_order=True).sort("_row", "rule")
        return hits.drop("_row", "_rule", "closed", strict=False)

    def _scheduled(self, hits: pl.DataFrame) -> pl.DataFrame:
        """Hits of rules that hold only at some times, at those times; without a column `closed` they have none."""
        timed = {i: r.when == "closed" for i, r in enumerate(self.rules) if r.when is not None}
        if not timed:
            return hits
        closed = pl.col("closed") if "closed" in hits.columns else pl.lit(None, pl.Boolean)
        wanted = pl.col("_rule").replace_strict(timed, default=None, return_dtype=pl.Boolean)
        return hits.filter(wanted.is_null() | (wanted == closed))


def _values(batch: Batch, variant: Variant, rows: np.ndarray) -> list[str]:
    """What hits carry for correlations."""
    if not variant.keeps:
        return ["{}"] * len(rows)
    columns = {k: [None] * len(rows) if at is None else batch.texts(at, rows) for k, at in variant.keeps}
    return [
        orjson.dumps({k: v for k, v in zip(columns, row, strict=True) if v is not None}).decode()
        for row in zip(*columns.values(), strict=True)
    ]


def empty() -> pl.DataFrame:
    """No hits."""
    return _EMPTY


_SCHEMA = (
    {"rule": pl.String(), "table": pl.String()}
    | {c.name: c.dtype for c in ENVELOPE}
    | {"at": pl.Int64(), "arrival": pl.Int64(), "values": pl.String()}
)
_EMPTY = pl.DataFrame(schema=_SCHEMA)

"""Signals: what rules say of the rows that came, and what signals make together; on their own they page nobody."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import polars as pl

from jackstop import rules
from jackstop.detections._claims import RECORD, record, with_hours
from jackstop.detections._sigma import AGAIN, SigmaDetection
from jackstop.model.fleet import Fleet

_SHOWN = ("rule", "terminal", "event_id", "at", "arrival", "values", "records")


@dataclass(frozen=True, slots=True)
class Signals:
    """Rules of detections, ready to run.

    Attributes:
        ruleset: asked of new rows. correlations: asked of the signals kept. timed: tables whose rules ask for site hours.
        span: µs for which signals are kept.
    """

    ruleset: rules.RuleSet
    correlations: tuple[rules.Correlation, ...]
    timed: frozenset[str]
    span: int

    @classmethod
    def of(cls, chosen: Iterable[SigmaDetection]) -> "Signals":
        """The rules of some detections."""
        listed = tuple(chosen)
        found = tuple(r for d in listed for r in d.rules)
        correlations = tuple(c for d in listed for c in d.correlations)
        timed = frozenset(v.table for r in found if r.when for v in r.variants)
        span = max([2 * AGAIN, *rules.keep(correlations).values()])
        return cls(rules.RuleSet.of(found), correlations, timed, span)

    def take(self, kept: pl.DataFrame, rows: Mapping[str, pl.DataFrame], fleet: Fleet, before: int) -> pl.DataFrame:
        """Signals of new rows, and those kept that still matter after the watermark `before` (µs), the last one given."""
        asked = {n: with_hours(f, fleet) if n in self.timed and f.height else f for n, f in rows.items()}
        fresh = self.ruleset.match(asked)
        both = pl.concat([kept, fresh], how="diagonal_relaxed") if fresh.height else kept
        return both.filter(pl.max_horizontal("at", "arrival") > before - self.span) if both.height else both

    def tell(self, kept: pl.DataFrame) -> pl.DataFrame:
        """Signals and what they make together: rule, terminal, event_id, at, arrival (µs), values (JSON), records."""
        alone = kept.with_columns(records=record()).select(_SHOWN)
        if not kept.height or not self.correlations:
            return alone
        made = rules.correlate(kept, self.correlations).filter(pl.col("state") == "confirmed")
        together = made.rename({"key": "event_id", "decided": "arrival"}).select(_SHOWN)
        return pl.concat([alone, together.cast({"records": pl.List(RECORD)})], how="vertical_relaxed")

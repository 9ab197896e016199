"""Signals: what rules say of the rows that came, and what signals make together; on their own they page nobody."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import polars as pl

from jackstop import rules
from jackstop.advisories import Indicator, Matcher
from jackstop.detections._claims import record, with_hours
from jackstop.detections._sigma import AGAIN, SigmaDetection
from jackstop.model.fleet import Fleet
from jackstop.model.tables import RECORD

KNOWN_BAD = "advisory"
"""What signals of indicators have in place of a rule's id."""

HEARD = "heard"
"""The table that rows of `take` name which are no signals."""

_SHOWN = ("rule", "terminal", "event_id", "at", "arrival", "values", "records")


@dataclass(frozen=True, slots=True)
class Signals:
    """Rules of detections, ready to run.

    Attributes:
        ruleset: asked of new rows. correlations: asked of the signals kept. timed: tables whose rules ask for site hours.
        span: µs for which signals are kept. listed: what advisories list, looked for in every row.
        awaited: tables whose silence matters, by the id of the rule whose hits must not be missing. latency: of the slowest
            source (µs). shared: sources that serve the whole fleet.
    """

    ruleset: rules.RuleSet
    correlations: tuple[rules.Correlation, ...]
    timed: frozenset[str]
    span: int
    listed: Matcher
    awaited: Mapping[str, frozenset[str]]
    latency: int
    shared: frozenset[str]

    @classmethod
    def of(
        cls,
        chosen: Iterable[SigmaDetection],
        indicators: Iterable[Indicator] = (),
        latency: int = 0,
        shared: Iterable[str] = (),
    ) -> "Signals":
        """The rules of some detections, and what advisories list."""
        listed = tuple(chosen)
        found = tuple(r for d in listed for r in d.rules)
        correlations = tuple(c for d in listed for c in d.correlations)
        timed = frozenset(v.table for r in found if r.when for v in r.variants)
        span = max([2 * AGAIN, *rules.keep(correlations).values()])
        absent = {r for c in correlations if c.absence for r in c.absence.absent}
        awaited = {r.about.id: frozenset(v.table for v in r.variants) for r in found if r.about.id in absent}
        listed_bad = Matcher.of(indicators)
        return cls(rules.RuleSet.of(found), correlations, timed, span, listed_bad, awaited, latency, frozenset(shared))

    def take(self, kept: pl.DataFrame, rows: Mapping[str, pl.DataFrame], fleet: Fleet, before: int) -> pl.DataFrame:
        """Signals of new rows, and those kept that still matter after the watermark `before` (µs), the last one given.

        Where no row is a signal, what was kept is given back as it is, the same frame.
        """
        if not any(f.height for f in rows.values()):
            return kept
        asked = {n: with_hours(f, fleet) if n in self.timed and f.height else f for n, f in rows.items()}
        fresh = [f for f in (self.ruleset.match(asked), self._known_bad(rows), *self._heard(rows)) if f.height]
        if not fresh:
            return kept
        both = pl.concat([kept, *fresh], how="diagonal_relaxed")
        return both.filter(pl.max_horizontal("at", "arrival") > before - self.span)

    def _known_bad(self, rows: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
        """Rows that hold an indicator, as signals."""
        if not self.listed.forms:
            return rules.empty()
        hits = self.listed.match(rows)
        if not hits.height:
            return rules.empty()
        known = [c for c in rules.empty().columns if c in hits.columns]
        named = hits.select(*known, rule=pl.lit(KNOWN_BAD), values=pl.format("{} {}", "kind", "value"))
        return named.unique(["event_id", "values"], keep="first", maintain_order=True)

    def _heard(self, rows: Mapping[str, pl.DataFrame]) -> Iterator[pl.DataFrame]:
        """That a source whose silence matters said something, kept beside the signals under the table `HEARD`."""
        everybody = pl.when(~pl.col("source").is_in(list(self.shared))).then("terminal")
        for rule, tables in self.awaited.items():
            for frame in (rows[t] for t in sorted(tables & rows.keys()) if rows[t].height):
                yield frame.select("at", "arrival", rule=pl.lit(rule), table=pl.lit(HEARD), terminal=everybody)

    def tell(self, kept: pl.DataFrame) -> pl.DataFrame:
        """Signals and what they make together: rule, terminal, event_id, at, arrival (µs), values (JSON), records."""
        hits = kept.filter(pl.col("table") != HEARD) if self.awaited else kept
        alone = hits.with_columns(records=record()).select(_SHOWN)
        if not hits.height or not self.correlations:
            return alone
        heard = kept.filter(pl.col("table") == HEARD) if self.awaited else None
        latency = dict.fromkeys(self.awaited, self.latency)
        made = rules.correlate(hits, self.correlations, latency=latency, heard=heard).filter(pl.col("state") == "confirmed")
        together = made.rename({"key": "event_id", "decided": "arrival"}).select(_SHOWN)
        return pl.concat([alone, together.cast({"records": pl.List(RECORD)})], how="vertical_relaxed")

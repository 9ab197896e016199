"""The straight path on one screen: readings → tables → engine → triage → alerts.

No I/O and no clock of its own: rows and time come in by `advance`.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import polars as pl

from jackstop import engine, triage
from jackstop.advisories import Indicator
from jackstop.ledger.streams import Stream
from jackstop.model.fleet import Fleet
from jackstop.model.results import Alert
from jackstop.model.settings import Settings
from jackstop.model.tables import Tables

_SETTLED = ("explained", "explained-by-visit")


@dataclass(slots=True)
class Run:
    """One replay, or one live run, under way.

    Attributes:
        setup, state: the engine's. desk: triage's. step: µs to whose multiples alerts are raised.
    """

    setup: engine.Setup
    state: engine.State
    desk: triage.Desk
    step: int

    @classmethod
    def begin(
        cls,
        fleet: Fleet,
        streams: Iterable[Stream],
        visits: pl.DataFrame,
        step: int,
        settings: Settings | None = None,
        chosen: Iterable[str] | None = None,
        indicators: Iterable[Indicator] = (),
    ) -> "Run":
        """A run before its first row: all detections unless some are chosen; `indicators` are looked for in every row."""
        setup = engine.Setup.of(fleet, streams, visits, settings, chosen, indicators)
        return cls(setup, engine.State.begin(setup), triage.Desk.of(fleet), step)

    def advance(self, tables: Tables, watermark: int) -> engine.Output:
        """Take rows in, bring everything up to a watermark (µs UTC), and fold what was found into alerts."""
        before = self.state.watermark
        self.state, output = engine.advance(self.setup, self.state, tables, watermark)
        self._fold(output, before)
        return output

    def close(self, host_end: int) -> engine.Output:
        """Let the time pass that open verdicts wait for, as no more rows will come.

        Counters are held against the movements to the last; what rests on a host that says no more (movements after
        `host_end`, µs UTC; silence; approvals without cash) stays pending.
        """
        before = self.state.watermark
        wait = (
            self.setup.settings.settle
            + self.setup.settings.completion
            + self.setup.settings.proof_wait
            + self.setup.context.latency
        )
        self.state, output = engine.advance(self.setup, self.state, Tables.of(), before + wait)
        kind, verdict = pl.col("kind"), pl.col("verdict")
        early = pl.col("time").to_physical() <= host_end
        sure = (kind == "balance") | (
            (kind == "episode") & (verdict.is_in(_SETTLED) | (early & (verdict != "insufficient-evidence")))
        )
        unsure = output.verdicts.filter(~sure).with_columns(
            verdict=pl.lit("pending").cast(output.verdicts.schema["verdict"]), reason=pl.lit("awaiting-sources")
        )
        open_ids = set(unsure["id"])
        found = tuple(f for f in output.findings if not open_ids.intersection(f.verdicts))
        closed = replace(output, findings=found, verdicts=pl.concat([output.verdicts.filter(sure), unsure]))
        self._fold(closed, before)
        return closed

    def _fold(self, output: engine.Output, before: int) -> None:
        triage.note_levels(self.desk, output.rows.get("units"), before)
        triage.fold(self.desk, output.findings, self.step, self.setup.settings)

    def pending(self) -> pl.DataFrame:
        """Verdict rows of the movements that are still open."""
        return engine.pending(self.setup, self.state)

    def alerts(self) -> tuple[Alert, ...]:
        """The alerts so far, in the order raised."""
        return triage.alerts(self.desk, self.setup.fleet.fleet.currency)

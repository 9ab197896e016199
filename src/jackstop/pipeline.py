"""The straight path on one screen: readings → tables → engine → triage → what a report is made from.

No I/O of its own: rows come in by `feed`, time by `advance`; `finish` gives verdicts, alerts and coverage.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

import polars as pl

from jackstop import engine, triage
from jackstop.ledger.streams import Stream
from jackstop.model.fleet import Fleet
from jackstop.model.results import VERDICTS, Alert, Finding
from jackstop.model.settings import Settings
from jackstop.model.tables import Tables


@dataclass(slots=True)
class Run:
    """One replay under way.

    Attributes:
        setup, state: the engine's. desk: triage's. step: µs to whose multiples alerts are raised.
        verdicts: frames given so far. findings: all so far.
    """

    setup: engine.Setup
    state: engine.State
    desk: triage.Desk
    step: int
    verdicts: list[pl.DataFrame] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    @classmethod
    def begin(
        cls, fleet: Fleet, streams: Iterable[Stream], visits: pl.DataFrame, step: int, settings: Settings | None = None
    ) -> "Run":
        """A replay before its first row."""
        setup = engine.Setup.of(fleet, streams, visits, settings)
        return cls(setup, engine.State.begin(setup), triage.Desk.of(fleet), step)

    def advance(self, tables: Tables, watermark: int) -> None:
        """Take rows in and bring everything up to a watermark (µs UTC)."""
        self.state, output = engine.advance(self.setup, self.state, tables, watermark)
        if output.verdicts.height:
            self.verdicts.append(output.verdicts)
        triage.note_levels(self.desk, output.levels)
        triage.fold(self.desk, output.findings, self.step, self.setup.settings)
        self.findings += output.findings

    def decided(self) -> pl.DataFrame:
        """All verdicts, each in its latest form with the instant it was first given, in the order given."""
        if not self.verdicts:
            return pl.DataFrame(schema=VERDICTS)
        given = pl.concat(self.verdicts)
        first = given.group_by("id", maintain_order=True).agg(first=pl.col("decided_at").min())
        latest = given.unique("id", keep="last", maintain_order=True).join(first, on="id", how="left", maintain_order="left")
        return latest.with_columns(decided_at=pl.col("first")).drop("first").sort("decided_at", "id")

    def alerts(self) -> tuple[Alert, ...]:
        """The alerts so far, in the order raised."""
        return triage.alerts(self.desk, self.setup.fleet.fleet.currency)

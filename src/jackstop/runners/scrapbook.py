"""What a report needs besides verdicts: the rows around each alert, cut out while they pass by.

Only the rows of the last hours are kept, and of those only what a timeline shows; memory does not grow with the log.
"""

from dataclasses import dataclass, field

import polars as pl

from jackstop.model.results import Alert, TimelineEntry
from jackstop.model.settings import HOUR, MINUTE
from jackstop.model.timeline import SCRAP, entry, movements, scraps
from jackstop.triage import Desk

BEFORE, AFTER = 2 * HOUR, 30 * MINUTE
"""µs of a terminal's past and future that an alert's timeline shows."""

PAST = 3 * HOUR + 2 * BEFORE
"""µs of all terminals' past that is kept: an alert may be raised hours after its first event."""

LONGEST = 400
"""Entries of one timeline at most; those nearest the alert's first event stay."""


@dataclass(slots=True)
class Scrapbook:
    """Rows worth showing: `recent` of all terminals, and `kept` of those with an open incident."""

    recent: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=SCRAP))
    kept: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=SCRAP))
    _closed: int = 0
    _before: int = -(2**62)

    def note(self, rows: dict[str, pl.DataFrame], desk: Desk, watermark: int) -> None:
        """Look through the rows of one step; keep those of terminals with an open incident."""
        fresh = pl.concat([self.recent, *(scraps(n, f) for n, f in rows.items() if f.height)])
        self.recent = fresh.filter(pl.col("at") > watermark - PAST)
        incidents = (*desk.closed[self._closed :], *desk.open.values())
        self._closed = len(desk.closed)
        active = {t for i in incidents if i.updated_at + AFTER >= self._before for t in i.terminals}
        self._before = watermark
        if active:
            shown = fresh.filter(pl.col("terminal").is_in(list(active)))
            self.kept = pl.concat([self.kept, shown]).unique(maintain_order=True)

    def timeline(self, alert: Alert, moved: pl.DataFrame) -> tuple[TimelineEntry, ...]:
        """An alert's story: the rows kept, and its terminal's movements with what became of them."""
        around = pl.col("at").is_between(alert.first_event - BEFORE, alert.updated_at + AFTER)
        rows = self.kept.filter(pl.col("terminal").is_in(alert.terminals) & around)
        both = pl.concat([rows, movements(moved)])
        near = both.with_columns(away=(pl.col("at") - alert.first_event).abs()).sort("away", "at", "lane").head(LONGEST)
        ordered = near.sort("at", "lane", "source", "record_offset")
        return tuple(entry(row) for row in ordered.iter_rows(named=True))

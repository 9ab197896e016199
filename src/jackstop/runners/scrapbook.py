"""What a report needs besides verdicts: the rows around each alert, cut out while they pass by.

Only the rows of the last hours are kept, and of those only what a timeline shows; memory does not grow with the log.
"""

from dataclasses import dataclass, field
from typing import Any

import polars as pl

from jackstop.model.results import Alert, RecordRef, TimelineEntry
from jackstop.model.settings import HOUR, MINUTE
from jackstop.triage import Desk

BEFORE, AFTER = 2 * HOUR, 30 * MINUTE
"""µs of a terminal's past and future that an alert's timeline shows."""

PAST = 3 * HOUR + 2 * BEFORE
"""µs of all terminals' past that is kept: an alert may be raised hours after its first event."""

LONGEST = 400
"""Entries of one timeline at most; those nearest the alert's first event stay."""

_CASH = ("status", "opened-by", "dispense-failed", "incomplete", "tested", "reset", "retracted", "rejected", "token-refused")
_HOST = ("reply", "advice", "partial", "reversal")
_BOOT = (1, 12, 13, 41, 104, 1006, 1074, 1102, 2003, 4616, 6005, 6006, 6008, 6416, 7045, 20001)
_FEEDS = ("gap", "restarted", "refused", "clock-step", "log-cleared")
_OPERATOR = ("power-up", "started")
SCRAP = {
    "terminal": pl.String,
    "at": pl.Int64,
    "lane": pl.String,
    "word": pl.String,
    "detail": pl.String,
    "amount": pl.Int64,
    "standing": pl.String,
    "source": pl.String,
    "record_offset": pl.Int64,
    "record_length": pl.Int32,
    "record_digest": pl.Binary,
}


@dataclass(slots=True)
class Scrapbook:
    """Rows worth showing: `recent` of all terminals, and `kept` of those with an open incident."""

    recent: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=SCRAP))
    kept: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=SCRAP))
    _closed: int = 0
    _before: int = -(2**62)

    def note(self, rows: dict[str, pl.DataFrame], desk: Desk, watermark: int) -> None:
        """Look through the rows of one step; keep those of terminals with an open incident."""
        fresh = pl.concat([self.recent, *(_scraps(n, f) for n, f in rows.items() if f.height)])
        self.recent = fresh.filter(pl.col("at") > watermark - PAST)
        incidents = (*desk.closed[self._closed :], *desk.open.values())
        self._closed = len(desk.closed)
        active = {t for i in incidents if i.updated_at + AFTER >= self._before for t in i.terminals}
        self._before = watermark
        if active:
            shown = fresh.filter(pl.col("terminal").is_in(list(active)))
            self.kept = pl.concat([self.kept, shown]).unique(maintain_order=True)

    def timeline(self, alert: Alert, movements: pl.DataFrame) -> tuple[TimelineEntry, ...]:
        """An alert's story: the rows kept, and its terminal's movements with what became of them."""
        around = pl.col("at").is_between(alert.first_event - BEFORE, alert.updated_at + AFTER)
        rows = self.kept.filter(pl.col("terminal").is_in(alert.terminals) & around)
        both = pl.concat([rows, _movements(movements)])
        near = both.with_columns(away=(pl.col("at") - alert.first_event).abs()).sort("away", "at", "lane").head(LONGEST)
        ordered = near.sort("at", "lane", "source", "record_offset")
        return tuple(_entry(row) for row in ordered.iter_rows(named=True))


def _scraps(name: str, frame: pl.DataFrame) -> pl.DataFrame:
    """A table's rows worth showing, in the schema `SCRAP`."""
    word, amount = pl.col("activity").cast(pl.String), pl.lit(None, pl.Int64)
    lane, keep = pl.lit({"cabinet": "door"}.get(name, name)), pl.lit(value=True)
    standing, detail = pl.lit(""), pl.lit("")
    match name:
        case "cash":
            keep = word.is_in(_CASH)
            amount, detail = pl.col("amount"), pl.coalesce(pl.col("state").cast(pl.String), "caller", "result_name", "detail")
        case "host":
            keep, amount, lane = word.is_in(_HOST), pl.col("amount"), pl.lit("host")
            said = pl.when("approved").then(pl.lit("approved")).when(~pl.col("approved")).then(pl.lit("declined"))
            standing, detail = said.otherwise(pl.lit("")), pl.coalesce("rrn", "tsn", "stan")
        case "cabinet":
            detail = pl.col("part").cast(pl.String)
        case "operator":
            lane = pl.when(word.is_in(_OPERATOR)).then(pl.lit("boot")).otherwise(pl.lit("operator"))
            detail = pl.col("detail")
        case "windows":
            keep, word, lane = pl.col("code").is_in(_BOOT), pl.format("windows-{}", "code"), pl.lit("boot")
            detail = pl.col("data").str.slice(0, 200)
        case "feeds":
            keep, lane, detail = word.is_in(_FEEDS), pl.lit("feed"), pl.col("detail")
        case _:
            return pl.DataFrame(schema=SCRAP)
    return _shaped(frame.filter(keep, pl.col("terminal").is_not_null()), lane, word, detail, amount, standing)


def _shaped(
    frame: pl.DataFrame, lane: pl.Expr, word: pl.Expr, detail: pl.Expr, amount: pl.Expr, standing: pl.Expr
) -> pl.DataFrame:
    """Rows in the schema `SCRAP`."""
    return frame.select(
        "terminal",
        "at",
        "source",
        "record_offset",
        "record_length",
        "record_digest",
        lane=lane,
        word=word,
        detail=detail.fill_null(""),
        amount=amount,
        standing=standing,
    ).select(list(SCRAP))


def _movements(verdicts: pl.DataFrame) -> pl.DataFrame:
    """Verdict rows as entries of the lane `cash`."""
    first = pl.col("records").list.first().struct
    return (
        verdicts.filter(pl.col("kind") != "authorisation")
        .select(
            terminal="terminal",
            at=pl.col("time").to_physical(),
            lane=pl.lit("cash"),
            word=pl.when(pl.col("kind") == "balance").then(pl.lit("balance")).otherwise(pl.lit("dispensed")),
            detail=pl.col("reason"),
            amount=pl.col("picked"),
            standing=pl.col("verdict").cast(pl.String),
            source=first.field("path"),
            record_offset=first.field("offset"),
            record_length=first.field("length"),
            record_digest=first.field("sha256").str.decode("hex"),
        )
        .cast(SCRAP)  # type: ignore[arg-type]
    )


def _entry(row: dict[str, Any]) -> TimelineEntry:
    digest: bytes | None = row["record_digest"]
    return TimelineEntry(
        time=row["at"],
        lane=row["lane"],
        word=row["word"],
        detail=row["detail"] or "",
        amount=row["amount"],
        standing=row["standing"] or "",
        record=RecordRef(row["source"], row["record_offset"], row["record_length"], digest.hex()) if digest else None,
    )

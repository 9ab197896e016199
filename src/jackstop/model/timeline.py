"""Which rows of the tables a timeline shows, and how: the lane, the word, and what the record adds."""

from collections.abc import Mapping
from typing import Any

import polars as pl

from jackstop.model.results import RecordRef, TimelineEntry

_OPERATOR = ("power-up", "started")

TOLD: Mapping[str, tuple[str, tuple[str | int, ...]] | None] = {
    "cash": (
        "activity",
        ("status", "opened-by", "dispense-failed", "incomplete", "tested", "reset", "retracted", "rejected", "token-refused"),
    ),
    "host": ("activity", ("reply", "advice", "partial", "reversal")),
    "cabinet": None,
    "operator": None,
    "windows": ("code", (1, 12, 13, 41, 104, 1006, 1074, 1102, 2003, 4616, 6005, 6006, 6008, 6416, 7045, 20001)),
    "feeds": ("activity", ("gap", "restarted", "refused", "clock-step", "log-cleared")),
}
"""The tables that have rows for a timeline, and which: those whose column holds one of the values; None is all."""

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
"""Columns of rows worth showing; `at` is µs by the host's clock, `amount` minor units."""


def scraps(name: str, frame: pl.DataFrame) -> pl.DataFrame:
    """A table's rows worth showing, in the schema `SCRAP`."""
    word, amount = pl.col("activity").cast(pl.String), pl.lit(None, pl.Int64)
    lane = pl.lit({"cabinet": "door"}.get(name, name))
    standing, detail = pl.lit(""), pl.lit("")
    match name:
        case "cash":
            amount, detail = pl.col("amount"), pl.coalesce(pl.col("state").cast(pl.String), "caller", "result_name", "detail")
        case "host":
            amount, lane = pl.col("amount"), pl.lit("host")
            said = pl.when("approved").then(pl.lit("approved")).when(~pl.col("approved")).then(pl.lit("declined"))
            standing, detail = said.otherwise(pl.lit("")), pl.coalesce("rrn", "tsn", "stan")
        case "cabinet":
            detail = pl.col("part").cast(pl.String)
        case "operator":
            lane = pl.when(word.is_in(_OPERATOR)).then(pl.lit("boot")).otherwise(pl.lit("operator"))
            detail = pl.col("detail")
        case "windows":
            word, lane = pl.format("windows-{}", "code"), pl.lit("boot")
            detail = pl.col("data").str.slice(0, 200)
        case "feeds":
            lane, detail = pl.lit("feed"), pl.col("detail")
        case _:
            return pl.DataFrame(schema=SCRAP)
    return _shaped(frame.filter(_chosen(name), pl.col("terminal").is_not_null()), lane, word, detail, amount, standing)


def _chosen(name: str) -> pl.Expr:
    chosen = TOLD[name]
    if chosen is None:
        return pl.lit(value=True)
    column, values = chosen
    shown = pl.col(column).cast(pl.String) if isinstance(values[0], str) else pl.col(column)
    return shown.is_in(values)


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


def movements(verdicts: pl.DataFrame) -> pl.DataFrame:
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


def entry(row: Mapping[str, Any]) -> TimelineEntry:
    """A row of the schema `SCRAP` as an entry of a timeline."""
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

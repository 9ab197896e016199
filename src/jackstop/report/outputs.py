"""Results as programs read them: `verdicts.jsonl`, `alerts.jsonl` and `coverage.json`, as the contract has them.

Times are ISO 8601 in UTC with as many digits as they need (none, three or six); money is minor units.
"""

from collections.abc import Iterable, Iterator

import orjson
import polars as pl

from jackstop.model import written
from jackstop.model.results import Alert, Finding, Glance, RecordRef, Report, SourceCoverage, WindowsChannel
from jackstop.report import texts

_PLAIN = ("explained_by", "gates_failed", "sources_missing")


def verdicts_jsonl(frame: pl.DataFrame) -> Iterator[str]:
    """A line of JSON, without its line end, for each row of a frame of `results.VERDICTS`, in its order."""
    if not frame.height:
        return
    english = {k.removeprefix("reason."): v for k, v in texts.of("en").entries.items() if k.startswith("reason.")}
    known = pl.col("reason").replace_strict(english, default=pl.col("reason"), return_dtype=pl.String)
    line = pl.struct(
        "id",
        "terminal",
        pl.col("kind").cast(pl.String),
        _stamp("time"),
        "currency",
        "picked",
        "presented",
        "retained",
        pl.col("verdict").cast(pl.String),
        known.alias("reason"),
        pl.col("reason").alias("reason_key"),
        *_PLAIN,
        pl.struct(offset_ms="offset_ms", uncertainty_ms="uncertainty_ms").alias("clock"),
        _stamp("decided_at"),
        "records",
    )
    text = line.struct.json_encode()
    for mark, escape in written.BREAKS.items():
        text = text.str.replace_all(mark, escape, literal=True)
    yield from frame.select(line=text)["line"]


def _stamp(column: str) -> pl.Expr:
    """A time in words of ISO 8601, as `stamp` writes it."""
    micro = pl.col(column).to_physical() % 1_000_000
    digits = (
        pl.when(micro == 0)
        .then(pl.lit(""))
        .when(micro % 1000 == 0)
        .then(pl.format(".{}", (micro // 1000).cast(pl.String).str.zfill(3)))
        .otherwise(pl.format(".{}", micro.cast(pl.String).str.zfill(6)))
    )
    return pl.format("{}{}Z", pl.col(column).dt.strftime("%Y-%m-%dT%H:%M:%S"), digits).alias(column)


def stamp(time: int | None) -> str | None:
    """µs UTC in words of ISO 8601: `2026-03-01T02:11:07.120Z`; None stays None, years end at 9999."""
    return None if time is None else written.stamp(time)


def alerts_jsonl(alerts: Iterable[Alert]) -> Iterator[str]:
    """A line of JSON, without its line end, for each alert, in the order given."""
    for alert in alerts:
        yield written.json(
            {
                "id": alert.id,
                "terminals": alert.terminals,
                "severity": alert.severity,
                "title": alert.title,
                "detections": alert.detections,
                "attack": alert.attack,
                "first_event": stamp(alert.first_event),
                "raised_at": stamp(alert.raised_at),
                "updated_at": stamp(alert.updated_at),
                "unexplained": alert.unexplained,
                "money_at_risk": alert.money_at_risk,
                "currency": alert.currency,
                "visits": alert.visits,
                "verdicts": alert.verdicts,
                "records": [_record(r) for r in alert.records],
                "findings": [_finding(f) for f in alert.findings],
                "cites": alert.cites,
                "paged_at": stamp(alert.paged_at),
                "withdrawn": alert.withdrawn,
            }
        )


def _record(record: RecordRef) -> dict[str, object]:
    return {"path": record.path, "offset": record.offset, "length": record.length, "sha256": record.sha256}


def _finding(finding: Finding) -> dict[str, object]:
    return {
        "id": finding.id,
        "detection": finding.detection,
        "terminal": finding.terminal,
        "severity": finding.severity,
        "time": stamp(finding.time),
        "decided_at": stamp(finding.decided_at),
        "amount": finding.amount,
        "detail": dict(finding.detail),
    }


def coverage_json(report: Report) -> str:
    """How each source of each terminal was read, and what could not have been detected for want of which table."""
    return written.json(
        {
            "fleet": report.fleet,
            "start": stamp(report.start),
            "end": stamp(report.end),
            "terminals": [_terminal(t) for t in report.terminals],
            "sources": [_source(s) for s in report.fleet_sources],
            "version": report.version,
        },
        orjson.OPT_INDENT_2,
    )


def _terminal(glance: Glance) -> dict[str, object]:
    spots = (spot.partition(":") for spot in glance.blind_spots)
    return {
        "terminal": glance.terminal,
        "movements": glance.movements,
        "by_verdict": glance.by_verdict,
        "sources": [_source(s) for s in glance.sources],
        "blind_spots": [{"detection": detection, "missing": table} for detection, _, table in spots],
        "windows": {
            "channels": [_channel(c) for c in glance.windows],
            "unheard": glance.unheard,
            "unproven": glance.unproven,
        },
    }


def _channel(channel: WindowsChannel) -> dict[str, object]:
    return {
        "channel": channel.channel,
        "first": stamp(channel.first),
        "last": stamp(channel.last),
        "events": channel.count,
        "never_seen": channel.never,
    }


def _source(source: SourceCoverage) -> dict[str, object]:
    return {
        "source": source.source,
        "format": source.format,
        "records": source.records,
        "understood": source.understood,
        "ignored": source.ignored,
        "refused": source.refused,
        "duplicates": source.duplicates,
        "rows": source.rows,
        "reasons": source.reasons,
        "first": stamp(source.first),
        "last": stamp(source.last),
        "gaps": [{"time": stamp(time), "missing": missing} for time, missing in source.gaps],
        "clock": {"offset_ms": source.offset_ms, "uncertainty_ms": source.uncertainty_ms},
    }

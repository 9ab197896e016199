"""All measures of a stretch of time, from hourly rows."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import polars as pl

from jackstop.kpi import control, levels
from jackstop.kpi.hourly import APPROVED, BLOCKED, CLOSED, HOURS, LEVEL, UNAPPROVED
from jackstop.kpi.intervals import wilson
from jackstop.model import money
from jackstop.model.fleet import Fleet
from jackstop.model.measures import Drift, Drop, Hour, Level, Measures, Share, Week
from jackstop.model.settings import HOUR

MOVED: dict[str, pl.DataType] = {
    "terminal": pl.String(),
    "hour": pl.Int64(),
    "dispenses": pl.Int64(),
    "dispensed": pl.Int64(),
    "transactions": pl.Int64(),
    "authorised": pl.Int64(),
    "unexplained": pl.Int64(),
}
"""Hours of verdicts: dispenses and money of episodes, transactions and money authorised, money nothing explains."""

_WEEK = 7 * 24 * HOUR


@dataclass(frozen=True, slots=True)
class Terms:
    """What the measures are tuned by, in notes of the fleet's smallest value.

    Attributes:
        allowance: notes a terminal-hour may leave unexplained. limit: CUSUM, in notes, that alarms.
        z: robust z of a fall of cash that is shown. most: entries shown at most.
    """

    allowance: float = 0.5
    limit: float = 5
    z: float = 6
    most: int = 20


def measures(
    moved: pl.DataFrame, hours: Iterable[pl.DataFrame], fleet: Fleet, span: tuple[int, int], terms: Terms | None = None
) -> Measures:
    """The measures of a fleet from `span[0]` to `span[1]` (µs UTC).

    Args:
        moved: a frame of `MOVED`. hours: frames of `HOURS`, each with all hours of the terminals in it.
    """
    tuned, currency = terms or Terms(), fleet.fleet.currency
    note = min((c.value for t in fleet.terminal for c in t.cassettes), default=money.minor(20, currency))
    allowance, limit = round(note * tuned.allowance), round(note * tuned.limit)
    grid = control.dense(moved, *span) if moved.height else moved
    counts, drops, profiled = pl.DataFrame(schema=HOURS), list[Drop](), 0
    for part in hours:
        counts = pl.concat([counts, part.filter(~pl.col("measure").str.starts_with(LEVEL))])
        known = levels.levels(part)
        fallen = levels.unlike(levels.falls(known, fleet), note)
        profiled += fallen.height
        drops = _louder([*drops, *_drops(fallen, known, tuned)], tuned)
    changes = {m: int(counts.filter(pl.col("measure") == m)["amount"].sum()) for m in (APPROVED, UNAPPROVED, BLOCKED)}
    whole = sum(changes.values())
    return Measures(
        currency=currency,
        zone=fleet.fleet.timezone,
        dispensed=int(moved["dispensed"].sum()),
        authorised=int(moved["authorised"].sum()),
        dispenses=int(moved["dispenses"].sum()),
        transactions=int(moved["transactions"].sum()),
        hours=_hours(grid),
        allowance=allowance,
        limit=limit,
        drifts=tuple(Drift(**r) for r in control.drifts(grid, allowance, limit).head(tuned.most).iter_rows(named=True)),
        weeks=_weeks(counts, fleet, span),
        approved=_share(changes[APPROVED], whole),
        unapproved=_share(changes[UNAPPROVED], whole),
        blocked=_share(changes[BLOCKED], whole),
        drops=tuple(drops),
        profiled=profiled,
    )


def _share(part: int, whole: int) -> Share:
    return Share(part, whole, *wilson(part, whole))


def _hours(grid: pl.DataFrame) -> tuple[Hour, ...]:
    """The whole fleet by hour."""
    if not grid.height:
        return ()
    summed = grid.group_by("hour").agg(pl.col("dispensed", "authorised", "unexplained").sum()).sort("hour")
    charted = summed.with_columns(ewma=control.ewma("unexplained"))
    return tuple(
        Hour(**r) for r in charted.select("hour", "dispensed", "authorised", "unexplained", "ewma").iter_rows(named=True)
    )


def _weeks(hours: pl.DataFrame, fleet: Fleet, span: tuple[int, int]) -> tuple[Week, ...]:
    """Cabinet events while sites were closed, by week of the fleet's time zone."""
    sites = [t for t in fleet.terminal if t.site is not None and (t.site.open != "00:00-24:00" or t.site.closed_days)]
    if not sites or span[1] <= span[0]:
        return ()
    zone = ZoneInfo(fleet.fleet.timezone)
    closed = hours.filter(pl.col("measure") == CLOSED)
    made = []
    for start, end in _mondays(*span, zone):
        events = int(closed.filter(pl.col("hour").is_between(start, end - 1))["amount"].sum())
        seen = min(end, span[1]) - max(start, span[0])
        made.append(Week(start, events, len(sites) * seen / _WEEK))
    return tuple(made)


def _mondays(start: int, end: int, zone: ZoneInfo) -> list[tuple[int, int]]:
    """Weeks that touch a stretch, each from its Monday 00:00 local time to the next (µs UTC)."""
    local = datetime.fromtimestamp(start / 1e6, UTC).astimezone(zone)
    monday = datetime(local.year, local.month, local.day, tzinfo=zone) - timedelta(days=local.weekday())
    found = []
    while (begin := round(monday.timestamp() * 1e6)) < end:
        monday = monday + timedelta(days=7)
        found.append((begin, round(monday.timestamp() * 1e6)))
    return found


def _louder(drops: list[Drop], terms: Terms) -> list[Drop]:
    """The falls that stand out most."""
    return sorted(drops, key=lambda d: (-d.z, d.terminal, d.hour))[: terms.most]


def _drops(fallen: pl.DataFrame, known: pl.DataFrame, terms: Terms) -> list[Drop]:
    """The falls that stand out, the loudest of each terminal with the level around it."""
    loud = fallen.filter(pl.col("z") >= terms.z).sort(["z", "terminal", "hour"], descending=[True, False, False]).head(terms.most)
    made, drawn = [], set[str]()
    for r in loud.iter_rows(named=True):
        around = known.filter(pl.col("terminal") == r["terminal"], (pl.col("hour") - r["hour"]).abs() <= _WEEK)
        line = () if r["terminal"] in drawn else tuple(Level(h, w) for h, w in around.select("hour", "worth").iter_rows())
        drawn.add(r["terminal"])
        made.append(Drop(r["terminal"], r["hour"], r["fell"], round(r["usual"]), round(r["z"], 1), line))
    return made

"""What passes by in an hour and is not kept otherwise, counted: cabinet events, changes of software, cash in the cassettes.

`count` is given the rows that became due in one step and gives small rows (`HOURS`). A store adds those of counts up and keeps
the latest of levels; what comes out does not depend on how the rows were cut into steps.
"""

from collections.abc import Mapping

import polars as pl

from jackstop.detections._claims import unpermitted, with_hours
from jackstop.model.fleet import Fleet
from jackstop.model.settings import HOUR

HOURS: dict[str, pl.DataType] = {
    "terminal": pl.String(),
    "hour": pl.Int64(),
    "measure": pl.String(),
    "at": pl.Int64(),
    "amount": pl.Int64(),
}
"""Columns: the terminal, its hour (µs UTC, floored), what is counted, when last (µs), and how many, or minor units."""

LEVEL = "level:"
"""Measures that begin so are cash in one unit: the latest of the hour counts, not the sum."""

CABINET, CLOSED = "cabinet", "cabinet-closed"
APPROVED, UNAPPROVED, BLOCKED = "change-approved", "change-unapproved", "change-blocked"

_INSTALLED = (("System", 7045), ("Security", 4697))
_BLOCKED = (
    ("Microsoft-Windows-AppLocker/EXE and DLL", 8004),
    ("Microsoft-Windows-AppLocker/MSI and Script", 8007),
    ("Microsoft-Windows-CodeIntegrity/Operational", 3077),
    ("Security", 6423),
)
"""Programs and devices kept out: AppLocker enforced, code integrity policy enforced, device installation forbidden.

Source: Microsoft's documentation of AppLocker events 8004 and 8007, WDAC 3077, Security 6423, 4697, System 7045.
"""
_EVENTS = ("opened", "tamper", "alarm")


def count(rows: Mapping[str, pl.DataFrame], fleet: Fleet, visits: pl.DataFrame) -> pl.DataFrame:
    """The rows of one step as a frame of `HOURS`, one for each terminal, hour and measure.

    Args:
        rows: `engine.Output.rows`: with their terminal resolved and `at` (µs, the host's clock).
        fleet: for opening hours. visits: a change of software while one permits it is approved.
    """
    parts = [
        _cabinet(rows.get("cabinet"), fleet),
        *_changes(rows.get("windows"), visits),
        _levels(rows.get("units")),
    ]
    known = [p for p in parts if p is not None and p.height]
    if not known:
        return pl.DataFrame(schema=HOURS)
    return pl.concat(known).select(list(HOURS)).cast(HOURS)  # type: ignore[arg-type]


def _summed(frame: pl.DataFrame, measure: pl.Expr) -> pl.DataFrame:
    """How many rows of each hour and measure."""
    return (
        frame.filter(pl.col("terminal").is_not_null())
        .group_by("terminal", hour=pl.col("at") // HOUR * HOUR, measure=measure)
        .agg(pl.col("at").max(), amount=pl.len().cast(pl.Int64))
        .select(list(HOURS))
        .sort("terminal", "hour", "measure")
    )


def _cabinet(frame: pl.DataFrame | None, fleet: Fleet) -> pl.DataFrame | None:
    if frame is None or not frame.height:
        return None
    seen = frame.filter(pl.col("activity").cast(pl.String).is_in(_EVENTS), pl.col("part").cast(pl.String).fill_null("") != "site")
    if not seen.height:
        return None
    placed = with_hours(seen, fleet)
    return _summed(placed, pl.when("closed").then(pl.lit(CLOSED)).otherwise(pl.lit(CABINET)))


def _changes(frame: pl.DataFrame | None, visits: pl.DataFrame) -> list[pl.DataFrame]:
    if frame is None or not frame.height:
        return []
    new, kept_out = frame.filter(_one_of(_INSTALLED)), frame.filter(_one_of(_BLOCKED))
    alone = unpermitted(new, visits, "software")
    permitted = new.join(alone.select("event_id").unique(), on="event_id", how="anti")
    listed = ((permitted, APPROVED), (alone, UNAPPROVED), (kept_out, BLOCKED))
    return [_summed(f, pl.lit(name)) for f, name in listed if f.height]


def _one_of(events: tuple[tuple[str, int], ...]) -> pl.Expr:
    return pl.any_horizontal((pl.col("channel") == channel) & (pl.col("code") == code) for channel, code in events)


def _levels(frame: pl.DataFrame | None) -> pl.DataFrame | None:
    """The last level of each cash unit in each hour."""
    if frame is None or not frame.height:
        return None
    bills = pl.col("kind").cast(pl.String).is_in(["bill", "recycling"]) & pl.col("basis").cast(pl.String).is_in(
        ["logical", "physical"]
    )
    known = frame.filter(bills, pl.col("count").is_not_null(), pl.col("value").is_not_null(), pl.col("terminal").is_not_null())
    if not known.height:
        return None
    return (
        known.sort("at", maintain_order=True)
        .group_by(
            "terminal",
            hour=pl.col("at") // HOUR * HOUR,
            measure=pl.lit(LEVEL) + pl.coalesce(pl.col("unit").cast(pl.String), "unit_id", pl.lit("?")),
        )
        .agg(pl.col("at").last(), amount=(pl.col("count") * pl.col("value")).last())
        .select(list(HOURS))
        .sort("terminal", "hour", "measure")
    )

"""The cash in a terminal by hour, and hours in which it fell unlike the terminal's own hours.

An hour's fall is held against the falls of the same hour and weekday; where there are too few of these, of the same hour of any
day; else there is no profile and no claim. Distances are robust: median and median absolute deviation, so that the abnormal
hour itself does not make itself normal.

Source: B. Iglewicz and D. Hoaglin, "How to Detect and Handle Outliers" (1993): modified z score, 0.6745 · (x − median) / MAD.
"""

import polars as pl

from jackstop.kpi.hourly import LEVEL
from jackstop.model.fleet import Fleet
from jackstop.model.settings import HOUR

WEEKS, DAYS = 8, 7
"""Hours a profile needs: of one weekday and hour, else of one hour of the day. Fewer make a spread that says nothing."""
_SCALE = 1.4826
"""From a median absolute deviation to a standard deviation of normal values."""


def levels(hours: pl.DataFrame) -> pl.DataFrame:
    """Cash of each terminal at the end of each hour from its first known one: terminal, hour, worth; units carried forward."""
    units = hours.filter(pl.col("measure").str.starts_with(LEVEL))
    if not units.height:
        return pl.DataFrame(schema={"terminal": pl.String, "hour": pl.Int64, "worth": pl.Int64})
    spans = units.group_by("terminal").agg(first=pl.col("hour").min(), last=pl.col("hour").max()).sort("terminal")
    grid = spans.select("terminal", hour=pl.int_ranges("first", pl.col("last") + 1, HOUR)).explode("hour")
    known = grid.join(units.select("terminal", "measure").unique(), on="terminal").join(
        units.select("terminal", "hour", "measure", "amount"), on=["terminal", "hour", "measure"], how="left"
    )
    filled = known.sort("terminal", "measure", "hour").with_columns(pl.col("amount").forward_fill().over("terminal", "measure"))
    whole = filled.group_by("terminal", "hour").agg(
        worth=pl.when(pl.col("amount").null_count() == 0).then(pl.col("amount").sum()), units=pl.len()
    )
    return whole.filter(pl.col("worth").is_not_null()).select("terminal", "hour", "worth").sort("terminal", "hour")


def falls(known: pl.DataFrame, fleet: Fleet) -> pl.DataFrame:
    """How much the cash of each terminal fell in each hour, 0 where it was loaded, with the hour's place in the week.

    Returns:
        terminal, hour, worth, fell, day (Monday 1), clock (hour of the day), both in the terminal's own time zone.
    """
    zones = {t.id: t.timezone or fleet.fleet.timezone for t in fleet.terminal}
    moved = known.with_columns(
        fell=(pl.col("worth").shift(1) - pl.col("worth")).over("terminal").clip(lower_bound=0),
    ).filter(pl.col("fell").is_not_null())
    parts = []
    for zone in sorted({zones.get(t, fleet.fleet.timezone) for t in moved["terminal"].unique()}):
        mine = moved.filter(
            pl.col("terminal").is_in([t for t in moved["terminal"].unique() if zones.get(t, fleet.fleet.timezone) == zone])
        )
        local = pl.from_epoch("hour", time_unit="us").dt.replace_time_zone("UTC").dt.convert_time_zone(zone)
        parts.append(mine.with_columns(day=local.dt.weekday(), clock=local.dt.hour()))
    empty = {**moved.schema, "day": pl.Int8(), "clock": pl.Int8()}
    return pl.concat(parts).sort("terminal", "hour") if parts else pl.DataFrame(schema=empty)


def unlike(fallen: pl.DataFrame, floor: int) -> pl.DataFrame:
    """Each hour with a profile against it: `usual` (median fall) and robust `z`; hours without a profile are left out.

    Args:
        fallen: as `falls` gives it. floor: minor units taken for the least spread (one note), so that idle hours do not shout.
    """
    scored = fallen
    for name, keys in (("slot", ("terminal", "day", "clock")), ("clock_of_day", ("terminal", "clock"))):
        median = pl.col("fell").median()
        scored = scored.with_columns(
            pl.col("fell").count().over(keys).alias(f"{name}_n"), median.over(keys).alias(f"{name}_median")
        ).with_columns((pl.col("fell") - pl.col(f"{name}_median")).abs().median().over(keys).alias(f"{name}_mad"))
    by_slot = pl.col("slot_n") >= WEEKS
    chosen = {
        what: pl.when(by_slot).then(pl.col(f"slot_{what}")).otherwise(pl.col(f"clock_of_day_{what}"))
        for what in ("n", "median", "mad")
    }
    spread = pl.max_horizontal(chosen["mad"] * _SCALE, pl.lit(float(max(floor, 1))))
    return (
        scored.with_columns(n=chosen["n"], usual=chosen["median"], z=(pl.col("fell") - chosen["median"]) / spread)
        .filter(pl.col("n") >= DAYS)
        .select("terminal", "hour", "worth", "fell", "usual", "z")
    )

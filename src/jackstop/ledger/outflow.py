"""Outflow: how much left each terminal's cassettes hour by hour, and hours in which far more left than is usual then.

Usual is the median of the same hour of the day on days of the same kind (working day or weekend, UTC) in the two weeks before;
how far an hour may stray is told by the median of the deviations (robust z), never less than a quarter of the usual and half
the terminal's median hour. Source: Leys et al. 2013, J. Exp. Soc. Psych. 49 (median absolute deviation, factor 1.4826).
"""

from dataclasses import dataclass, replace

import polars as pl

from jackstop.model.settings import HOUR

DAYS, LEAST_DAYS, FAR = 14, 4, 6.0
"""Days looked back, of which so many must be of the same kind; robust z from which an hour is far out."""

OPEN = {"terminal": pl.String, "basis": pl.String, "at": pl.Int64, "fall": pl.Int64}
HOURS = {"terminal": pl.String, "hour": pl.Int64, "amount": pl.Int64}
SINCE = {"terminal": pl.String, "since": pl.Int64}
_CITED = 5
_WEEKEND = (2, 3)
"""Days since 1970-01-01, a Thursday, modulo seven: Saturday and Sunday."""


@dataclass(frozen=True, slots=True)
class Outflow:
    """What is remembered: falls of hours not yet over, the sums of those that are, since when, and hours far out.

    `drains`: id, terminal, at (begin of the hour, µs), decided, arrival, amount, usual, score, currency, records.
    """

    open: pl.DataFrame
    hours: pl.DataFrame
    since: pl.DataFrame
    drains: pl.DataFrame

    @classmethod
    def empty(cls) -> "Outflow":
        """Nothing known."""
        return cls(pl.DataFrame(schema=OPEN), pl.DataFrame(schema=HOURS), pl.DataFrame(schema=SINCE), pl.DataFrame())


def note(known: Outflow, fallen: pl.DataFrame, lag: int, watermark: int, recall: int) -> Outflow:
    """The outflow with these falls (complete up to `watermark - lag`), and with the hours that are over by then judged.

    Args:
        known: state. fallen: from `balances.falls`, with exchanges marked as anchors; those count as nothing.
        lag: µs after which falls are complete. recall: µs for which hours far out are kept.
    """
    left = fallen.filter(~pl.col("anchor") & (pl.col("fall") > 0)) if fallen.height else fallen
    waiting = pl.concat([known.open, left], how="diagonal_relaxed") if left.height else known.open
    now = (watermark - lag) // HOUR
    over = pl.col("at") < now * HOUR
    done, rest = waiting.filter(over), waiting.filter(~over)
    if not done.height:
        return replace(known, open=rest)
    fresh = _hours(done)
    sums = pl.concat([known.hours, fresh.select(list(HOURS))]).group_by("terminal", "hour", maintain_order=True)
    hours = sums.agg(pl.col("amount").sum())
    first = fresh.group_by("terminal").agg(since=pl.col("hour").min())
    since = pl.concat([known.since, first]).group_by("terminal", maintain_order=True).agg(pl.col("since").min())
    found = _far_out(fresh, hours, since).with_columns(
        at=pl.col("hour") * HOUR, decided=pl.max_horizontal((pl.col("hour") + 1) * HOUR + lag, "arrival")
    )
    drains = pl.concat([known.drains, found], how="diagonal_relaxed") if known.drains.width else found
    hours = hours.filter(pl.col("hour") >= now - DAYS * 24)
    return Outflow(rest, hours, since, drains.filter(pl.col("decided") > watermark - recall))


def _hours(done: pl.DataFrame) -> pl.DataFrame:
    """Falls by terminal and hour: by the witness that counted most, with the records of its largest falls."""
    placed = done.with_columns(hour=pl.col("at") // HOUR)
    by_witness = placed.group_by("terminal", "hour", "basis", maintain_order=True).agg(
        amount=pl.col("fall").sum(),
        id=pl.col("id").sort_by("fall", "id").last(),
        arrival=pl.col("arrival").max(),
        currency=pl.col("currency").drop_nulls().first(),
        records=pl.col("records").sort_by("fall", "id").tail(_CITED).list.explode(keep_nulls=False, empty_as_null=False),
    )
    order = by_witness.sort("terminal", "hour", "amount", "basis")
    return order.unique(["terminal", "hour"], keep="last", maintain_order=True)


def _far_out(fresh: pl.DataFrame, hours: pl.DataFrame, since: pl.DataFrame) -> pl.DataFrame:
    """Hours with `usual` and `score` whose score is far out, each by the hours before it."""
    back = pl.DataFrame({"back": range(1, DAYS + 1)}, schema={"back": pl.Int64})
    earlier = (
        fresh.select("terminal", "hour")
        .join(back, how="cross")
        .with_columns(then=pl.col("hour") - 24 * pl.col("back"))
        .join(since, on="terminal")
        .filter((pl.col("then") >= pl.col("since")) & (_weekend("then") == _weekend("hour")))
        .join(hours.rename({"hour": "then"}), on=["terminal", "then"], how="left")
    )
    here = ["terminal", "hour"]
    usual = pl.col("amount").fill_null(0)
    told = earlier.group_by(here, maintain_order=True).agg(
        usual=usual.median(), stray=(usual - usual.median()).abs().median() * 1.4826, days=pl.len()
    )
    typical = _typical(fresh, hours)
    judged = fresh.join(told, on=here).join(typical, on=here, how="left").filter(pl.col("days") >= LEAST_DAYS)
    scale = pl.max_horizontal("stray", pl.col("usual") * 0.25, pl.col("typical") * 0.5, pl.lit(1.0))
    scored = judged.with_columns(score=(pl.col("amount") - pl.col("usual")) / scale)
    return scored.filter(pl.col("score") >= FAR).drop("days", "stray", "typical")


def _typical(fresh: pl.DataFrame, hours: pl.DataFrame) -> pl.DataFrame:
    """The median of the hours in which cash left a terminal, in the two weeks before each hour."""
    pairs = fresh.select("terminal", "hour").join(hours.rename({"hour": "then"}), on="terminal")
    before = pairs.filter((pl.col("then") < pl.col("hour")) & (pl.col("then") >= pl.col("hour") - DAYS * 24))
    return before.group_by("terminal", "hour", maintain_order=True).agg(typical=pl.col("amount").median())


def _weekend(hour: str) -> pl.Expr:
    return ((pl.col(hour) // 24) % 7).is_in(_WEEKEND)

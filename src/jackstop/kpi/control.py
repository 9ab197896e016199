"""Control charts over hours: what drifts slowly and would never stand out in one hour.

The money left unexplained in a terminal's hour is measured itself, not as a ratio: a quiet terminal's ratio leaps with one
withdrawal, its unexplained money does not.

Source: E. S. Page, Biometrika 41 (1954), one-sided CUSUM; S. W. Roberts, Technometrics 1 (1959), EWMA.
"""

import polars as pl

from jackstop.model.settings import HOUR

WEIGHT = 0.2
"""Weight of the newest hour in the EWMA."""


def dense(hourly: pl.DataFrame, start: int, end: int) -> pl.DataFrame:
    """Every hour of every terminal from `start` to `end` (µs UTC); amounts of hours that have no row are 0.

    Args:
        hourly: terminal, hour, and columns of amounts.
    """
    first, last = start // HOUR * HOUR, end // HOUR * HOUR
    hours = pl.DataFrame({"hour": pl.int_range(first, last + 1, HOUR, dtype=pl.Int64, eager=True)})
    grid = hourly.select("terminal").unique(maintain_order=True).join(hours, how="cross")
    amounts = [c for c in hourly.columns if c not in {"terminal", "hour"}]
    return (
        grid.join(hourly, on=["terminal", "hour"], how="left", maintain_order="left")
        .with_columns(pl.col(amounts).fill_null(0))
        .sort("terminal", "hour")
    )


def ewma(column: str, weight: float = WEIGHT) -> pl.Expr:
    """The exponentially weighted mean of a column in row order: `z = w·x + (1 − w)·z`, from the first value on."""
    return pl.col(column).cast(pl.Float64).ewm_mean(alpha=weight, adjust=False)


def cusum(column: str, allowance: int) -> pl.Expr:
    """The one-sided CUSUM of a column in row order: `S = max(0, S + x − allowance)`, from 0 on.

    Equal to the running sum of `x − allowance` above its own lowest point so far.
    """
    summed = (pl.col(column) - allowance).cum_sum()
    return summed - pl.min_horizontal(summed.cum_min(), pl.lit(0))


def drifts(grid: pl.DataFrame, allowance: int, limit: int) -> pl.DataFrame:
    """Terminals whose CUSUM of `unexplained` passed the limit: terminal, since (µs), cusum, unexplained; largest first.

    Args:
        grid: `dense` hours with `unexplained`. allowance: minor units an hour that count for nothing. limit: that alarms.
    """
    charted = grid.with_columns(cusum=cusum("unexplained", allowance).over("terminal"))
    over = pl.col("cusum") > limit
    return (
        charted.group_by("terminal")
        .agg(
            since=pl.col("hour").filter(over).min(),
            cusum=pl.col("cusum").max(),
            unexplained=pl.col("unexplained").sum(),
        )
        .filter(pl.col("since").is_not_null())
        .sort(["cusum", "terminal"], descending=[True, False])
    )

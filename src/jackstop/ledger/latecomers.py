"""Latecomers: approvals that arrive after a movement's deadline, while the movement still waits for a sign of life of its host.

A host feed that was cut off delivers what it held back when it returns. A movement that the application calls approved waits
for that (decision 0004), so such an approval explains it after all, from the instant it arrived. In a replay nothing
arrives late, so this changes nothing there.
"""

import polars as pl

from jackstop.ledger import reconcile
from jackstop.model.settings import Settings

FOUND = {"id": pl.UInt64, "approval": pl.UInt64, "arrived": pl.Int64}
_WAITS = ("host-dark", "capacity-used", "no-authorisation")


def find(judged: pl.DataFrame, decisions: pl.DataFrame, settings: Settings, before: int) -> pl.DataFrame:
    """Movements not yet told that a late approval explains: id, approval, arrived (µs).

    Args:
        judged: episodes with their verdicts. decisions: authorisations with `counts_as`. before: the last watermark: what was
            decided by then is told.
    """
    believed = pl.col("app_approved").fill_null(value=False) | pl.col("session").is_not_null()
    waits = believed & pl.col("reason").is_in(_WAITS) & (pl.col("decided") > before) & pl.col("approval").is_null()
    late = decisions.filter(pl.col("approved") & pl.col("counts_as") & (pl.col("arrival") > pl.col("at")))
    open_ = judged.filter(waits)
    if not open_.height or not late.height or int(late["arrival"].max()) <= int(open_["deadline"].min()):  # type: ignore[arg-type]
        return pl.DataFrame(schema=FOUND)
    used = judged.filter(pl.col("approval").is_not_null()).group_by("approval").agg(used=pl.col("amount").sum())
    left = late.join(used, left_on="id", right_on="approval", how="left").with_columns(
        amount=pl.col("amount") - pl.col("used").fill_null(0)
    )
    asked = open_.drop("approval", "candidates", "margin", "cut").with_columns(deadline=pl.lit(2**62, pl.Int64))
    nothing = pl.DataFrame(schema=reconcile.TAKEN)
    matched = reconcile.match(asked, left.drop("used"), nothing, settings).filter(pl.col("approval").is_not_null())
    arrivals = late.select(approval="id", arrived="arrival")
    return matched.select("id", "approval").join(arrivals, on="approval", how="inner").select(list(FOUND)).cast(FOUND)  # type: ignore[arg-type]


def explained(matched: pl.DataFrame, late: pl.DataFrame) -> pl.DataFrame:
    """Matched episodes with the late approvals that explain them; their deadline is its arrival."""
    joined = matched.join(late.rename({"approval": "_late"}), on="id", how="left", maintain_order="left")
    return joined.with_columns(approval=pl.coalesce("approval", "_late"), deadline=pl.max_horizontal("deadline", "arrived")).drop(
        "_late", "arrived"
    )

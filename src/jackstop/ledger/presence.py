"""What else was going on at a terminal when notes moved: the application's belief, visits, the host's signs of life."""

import numpy as np
import polars as pl
from numba import njit
from numpy.typing import NDArray

from jackstop.model.settings import Settings

Ints = NDArray[np.int64]

LIFE = {"group": pl.String, "at": pl.Int64, "mean": pl.Int64}
_TEST_PERMIT = "test-dispense"


def application(cash: pl.DataFrame) -> pl.DataFrame:
    """The replies the application says it received: terminal, at, tsn, rrn, app_amount, app_counts, app_approved."""
    said = pl.col("activity") == "reply-received"
    declined = pl.col("detail").str.contains("declin", literal=True).fill_null(value=False)
    return (
        cash.filter(said)
        .select(
            "terminal",
            "at",
            app_at="at",
            app_id="event_id",
            app_tsn="tsn",
            app_rrn="rrn",
            app_amount="amount",
            app_counts="counts",
            app_approved=~declined,
        )
        .sort("at", "app_id")
    )


def with_application(episodes: pl.DataFrame, replies: pl.DataFrame, settings: Settings) -> pl.DataFrame:
    """Episodes with the reply the application acted on; of several episodes after one reply only the first has it."""
    joined = (
        episodes.with_columns(_until=pl.col("at") + pl.lit(1_000_000))
        .sort("_until", "id")
        .join_asof(
            replies,
            left_on="_until",
            right_on="at",
            by="terminal",
            tolerance=settings.late,
            check_sortedness=False,
            suffix="_reply",
        )
        .drop("_until", "at_reply")
    )
    first = pl.col("app_id").is_first_distinct() | pl.col("app_id").is_null()
    by_layer = joined.with_columns(_first=first.over("layer"))
    columns = [c for c in by_layer.columns if c.startswith("app_")]
    return by_layer.with_columns(pl.when("_first").then(pl.col(c)).alias(c) for c in columns).drop("_first")


def with_visit(episodes: pl.DataFrame, visits: pl.DataFrame) -> pl.DataFrame:
    """Episodes with the work order that permits test dispenses at that time, if any (`test_order`)."""
    permitted = visits.filter(pl.col("permits").list.contains(_TEST_PERMIT)).select(
        "terminal", test_order="work_order", _from=pl.col("time").to_physical(), _to=pl.col("until").to_physical()
    )
    if not permitted.height or not episodes.height:
        return episodes.with_columns(test_order=pl.lit(None, pl.String))
    inside = (
        episodes.select("id", "terminal", "at", "again")
        .join(permitted, on="terminal")
        .filter(pl.col("at").is_between("_from", "_to") | (pl.col("at") + pl.col("again")).is_between("_from", "_to"))
        .unique("id", keep="first", maintain_order=True)
    )
    return episodes.join(inside.select("id", "test_order"), on="id", how="left", maintain_order="left")


@njit(cache=True)
def _means(group: Ints, at: Ints, last: Ints, mean: Ints) -> Ints:  # pragma: no cover - compiled
    """Running mean gap (weight one tenth) of each group after each row; state per group is updated in place."""
    out = np.empty(len(at), np.int64)
    for i in range(len(at)):
        g = group[i]
        if last[g] != 0:
            gap = at[i] - last[g]
            mean[g] = gap if mean[g] == 0 else mean[g] + (gap - mean[g]) // 10
        last[g] = at[i]
        out[i] = mean[g]
    return out


def learn_life(life: pl.DataFrame, host: pl.DataFrame) -> pl.DataFrame:
    """The host feeds' signs of life with these rows (group, at; complete and later than any known)."""
    if not host.height:
        return life
    fresh = host.select("group", "at").sort("at", "group")
    groups = fresh["group"].unique(maintain_order=True)
    known = pl.DataFrame({"group": groups}).join(
        life.group_by("group").agg(pl.col("at").last(), pl.col("mean").last()), on="group", how="left", maintain_order="left"
    )
    last = known["at"].fill_null(0).to_numpy().copy()
    mean = known["mean"].fill_null(0).to_numpy().copy()
    codes = fresh["group"].replace_strict(groups, range(len(groups)), return_dtype=pl.Int64).to_numpy()
    means = _means(codes, fresh["at"].to_numpy(), last, mean)
    return pl.concat([life, fresh.with_columns(mean=pl.Series(means, dtype=pl.Int64))])


def with_life(episodes: pl.DataFrame, life: pl.DataFrame, groups: pl.DataFrame, settings: Settings) -> pl.DataFrame:
    """Episodes with `dark` (the host feed had been silent too long) and `alive` (first sign of life after, µs or null).

    Args:
        episodes: with terminal, at, hi.
        life: group, at, mean, sorted by at.
        groups: terminal → group; a terminal without one is judged by all feeds together.
        settings: `dark_floor`, `dark_factor`.
    """
    everyone = life.select(pl.lit("").alias("group"), "at", "mean")
    track = pl.concat([life, everyone]).sort("at")
    placed = episodes.join(groups, on="terminal", how="left", maintain_order="left").with_columns(pl.col("group").fill_null(""))
    before = placed.sort("hi").join_asof(
        track.rename({"at": "life_at", "mean": "life_mean"}),
        left_on="hi",
        right_on="life_at",
        by="group",
        check_sortedness=False,
    )
    after = before.sort("at").join_asof(
        track.select("group", alive="at"), left_on="at", right_on="alive", by="group", strategy="forward", check_sortedness=False
    )
    tolerance = pl.max_horizontal(pl.lit(settings.dark_floor, pl.Int64), pl.col("life_mean") * settings.dark_factor)
    silent = (pl.col("at") - pl.col("life_at")) > tolerance
    return after.with_columns(dark=silent.fill_null(value=True)).drop("life_at", "life_mean", "group")

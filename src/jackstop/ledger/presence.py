"""What else was going on at a terminal when notes moved: the application's belief, visits, the host's signs of life."""

from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from numba import njit
from numpy.typing import NDArray

from jackstop.model.settings import Settings

Ints = NDArray[np.int64]

LIFE = {"group": pl.String, "at": pl.Int64, "mean": pl.Int64}
WAITING = {"terminal": pl.String, "group": pl.String, "at": pl.Int64, "event_id": pl.UInt64}
GROUPS = {"terminal": pl.String, "group": pl.String}
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
    theirs = visits.filter(pl.col("terminal").is_in(episodes["terminal"].unique().implode())) if visits.height else visits
    if not theirs.height:
        return episodes.with_columns(test_order=pl.lit(None, pl.String))
    permitted = theirs.filter(pl.col("permits").list.contains(_TEST_PERMIT)).select(
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


@dataclass(frozen=True, slots=True)
class Life:
    """The host feeds' signs of life.

    Attributes:
        waiting: host rows that others may still come before. track: signs with each feed's mean gap, sorted by `at`.
        groups: terminal, group: the host feed each terminal's messages come by.
    """

    waiting: pl.DataFrame
    track: pl.DataFrame
    groups: pl.DataFrame

    @classmethod
    def unknown(cls) -> "Life":
        """No sign of any feed."""
        return cls(*(pl.DataFrame(schema=s) for s in (WAITING, LIFE, GROUPS)))

    def told(self, host: pl.DataFrame | None, start: int, end: int) -> "Life":
        """Life with more host rows (terminal, group, `at`), of which those with `at` in (start, end] (µs) are complete now.

        Rows at or before `start` come too late to tell of their feed's life.
        """
        waiting = self.waiting
        if host is not None and host.height:
            fresh = host.select(list(WAITING)).filter(pl.col("at") > start)
            waiting = pl.concat([waiting, fresh.cast(WAITING)])  # type: ignore[arg-type]
        complete = waiting["at"] <= end
        if not complete.any():
            return self if waiting is self.waiting else replace(self, waiting=waiting)
        done = waiting.filter(complete)
        return Life(waiting.filter(~complete), _tracked(self.track, done), _grouped(self.groups, done))

    def forget(self, before: int) -> "Life":
        """Life without signs up to an instant (µs), but for the last of each feed."""
        last = pl.int_range(pl.len()).eq(pl.len() - 1).over("group")
        return replace(self, track=self.track.filter((pl.col("at") > before) | last).rechunk())

    @property
    def oldest(self) -> int:
        """The first sign kept (µs), far off where there is none."""
        return int(self.track["at"][0]) if self.track.height else 2**62


def _grouped(groups: pl.DataFrame, done: pl.DataFrame) -> pl.DataFrame:
    """The feeds by which terminals' messages come, by the last rows that are complete."""
    last = done.sort("at", "event_id").unique("terminal", keep="last", maintain_order=True).select(list(GROUPS))
    news = last.join(groups, on=["terminal", "group"], how="anti")
    return pl.concat([groups.join(news, on="terminal", how="anti"), news]) if news.height else groups


def _tracked(track: pl.DataFrame, done: pl.DataFrame) -> pl.DataFrame:
    """The track with rows that are complete and later than any in it."""
    fresh = done.select("group", "at").sort("at", "group")
    groups = fresh["group"].unique(maintain_order=True)
    known = pl.DataFrame({"group": groups}).join(
        track.filter(pl.col("group").is_in(groups.implode())).group_by("group").agg(pl.col("at", "mean").last()),
        on="group",
        how="left",
        maintain_order="left",
    )
    last = known["at"].fill_null(0).to_numpy().copy()
    mean = known["mean"].fill_null(0).to_numpy().copy()
    codes = fresh["group"].replace_strict(groups, range(len(groups)), return_dtype=pl.Int64).to_numpy()
    means = _means(codes, fresh["at"].to_numpy(), last, mean)
    return pl.concat([track, fresh.with_columns(mean=pl.Series(means, dtype=pl.Int64))])


def with_life(episodes: pl.DataFrame, life: Life, settings: Settings) -> pl.DataFrame:
    """Episodes with `dark` (the host feed had been silent too long) and `alive` (first sign of life after, µs or null).

    A terminal of which no feed is known is judged by all feeds together. What an approval explains needs neither, and so
    they are null where every episode has one.

    Args:
        episodes: with terminal, at, hi, approval.
        settings: `dark_floor`, `dark_factor`.
    """
    if not episodes["approval"].null_count():
        return episodes.with_columns(dark=pl.lit(None, pl.Boolean), alive=pl.lit(None, pl.Int64))
    placed = episodes.join(life.groups, on="terminal", how="left", maintain_order="left").with_columns(
        pl.col("group").fill_null("")
    )
    track = _of_groups(life.track, placed["group"].unique())
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


def _of_groups(track: pl.DataFrame, groups: pl.Series) -> pl.DataFrame:
    """The signs of some feeds; the group without a name is all feeds together."""
    own = track.filter(pl.col("group").is_in(groups.implode()))
    if "" not in groups:
        return own
    everyone = track.filter(pl.col("group") != "").with_columns(group=pl.lit(""))
    return pl.concat([own, everyone]).sort("at", maintain_order=True)

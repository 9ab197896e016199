"""Clocks: steps found where a source's stamps fall back, offsets estimated from dispenses and the replies they follow.

Nothing here alters a stamp. Rows get two columns: `at`, the instant by the host's clock (µs), and `spread` (µs).
An estimate used for a row rests only on pairs old enough to have been complete when the row was made, so results do
not depend on how the input is cut into batches.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl
from numba import njit
from numpy.typing import NDArray

from jackstop.model.settings import Settings

Ints = NDArray[np.int64]

PAIRS = {"terminal": pl.String, "clock": pl.String, "anchor": pl.Int64, "delta": pl.Int64}
TRACK = {
    "terminal": pl.String,
    "clock": pl.String,
    "since": pl.Int64,
    "offset": pl.Int64,
    "spread": pl.Int64,
    "pairs": pl.Int32,
    "epoch": pl.Int32,
}
STEPS = {"source": pl.String, "last": pl.Int64, "stepped": pl.Int64, "before": pl.Int64}
SETS = {"terminal": pl.String, "set_at": pl.Int64, "epoch": pl.Int32}
DAY = 86_400_000_000
SILENT = 7 * DAY
"""µs after whose last stamp a source's steps are forgotten: names of sources can go on being new for ever."""


@njit(cache=True)
def _steps(source: Ints, time: Ints, state: Any, threshold: int) -> Ints:  # pragma: no cover - compiled # noqa: ANN401
    """Accumulated backward steps per row, in reading order; the state's columns are per source and updated in place.

    A stamp more than a day ahead that the next ones do not follow is a stray (damage, a forged line), not a step: the
    time before it is remembered, and a return to that time changes nothing.
    """
    last, stepped, before = state
    out = np.zeros(len(time), np.int64)
    for i in range(len(time)):
        s = source[i]
        jump = time[i] - last[s]
        returned = before[s] != 0 and -threshold <= time[i] - before[s] < DAY
        if last[s] != 0 and jump > DAY and before[s] == 0:
            before[s] = last[s]
        elif last[s] != 0 and jump < -threshold and not returned:
            stepped[s] -= jump
        elif stepped[s] != 0 and jump > threshold and abs(jump - stepped[s]) < stepped[s] // 10 + 120_000_000:
            stepped[s] = 0
        if returned or (before[s] != 0 and time[i] - before[s] < 0):
            before[s] = 0
        last[s] = time[i]
        out[i] = stepped[s]
    return out


@njit(cache=True)
def _track(group: Ints, delta: Ints, window: int, floor: int, cap: int) -> Any:  # noqa: ANN401  # pragma: no cover - compiled
    """Median and scaled median absolute deviation of each group's last `window` deltas, after each of them."""
    n = len(delta)
    offset, spread, count = np.zeros(n, np.int64), np.zeros(n, np.int64), np.zeros(n, np.int32)
    start = 0
    for i in range(n):
        if i == 0 or group[i] != group[i - 1]:
            start = i
        first = max(start, i - window + 1)
        recent = delta[first : i + 1]
        middle = int(np.median(recent))
        offset[i] = middle
        spread[i] = min(cap, max(floor, int(1.4826 * np.median(np.abs(recent - middle)))))
        count[i] = i - start + 1
    return offset, spread, count


@dataclass(frozen=True, slots=True)
class Clocks:
    """What is known of all clocks.

    Attributes:
        pairs, track: recent pairs, and the estimates made from them. steps: open steps per source.
        sets: when a terminal's clock was told to have been set (µs by the new clock); estimates from before are not
        trusted after it: the clock counts as unknown until new pairs come.
    """

    pairs: pl.DataFrame
    track: pl.DataFrame
    steps: pl.DataFrame
    sets: pl.DataFrame

    @classmethod
    def unknown(cls) -> "Clocks":
        """Nothing known yet."""
        return cls(*(pl.DataFrame(schema=s) for s in (PAIRS, TRACK, STEPS, SETS)))

    def step(self, rows: pl.DataFrame, settings: Settings) -> tuple[pl.DataFrame, "Clocks"]:
        """How far each row's clock had been set back by then, as column `stepped` (µs).

        Args:
            rows: source (one of each terminal, where a source has several) and time of rows a terminal's clock stamped, in
                reading order of each source.
            settings: `step`.
        """
        if not rows.height:
            return rows.with_columns(stepped=pl.lit(0, pl.Int64)), self
        sources = rows["source"].unique(maintain_order=True)
        mine = self.steps["source"].is_in(sources.implode())
        known = (
            pl.DataFrame({"source": sources})
            .join(self.steps.filter(mine), on="source", how="left", maintain_order="left")
            .fill_null(0)
        )
        codes = np.zeros(rows.height, np.int64)
        if len(sources) > 1:
            codes = rows["source"].replace_strict(sources, range(len(sources)), return_dtype=pl.Int64).to_numpy()
        columns = tuple(known[c].to_numpy().copy() for c in ("last", "stepped", "before"))
        moved = _steps(codes, rows["time"].to_physical().to_numpy(), columns, settings.step)
        now = pl.DataFrame({"source": sources, "last": columns[0], "stepped": columns[1], "before": columns[2]})
        state = pl.concat([self.steps.filter(~mine), now])
        return rows.with_columns(stepped=pl.Series(moved, dtype=pl.Int64)), replace(self, steps=state)

    def told(self, feeds: pl.DataFrame, settings: Settings) -> "Clocks":
        """Clocks that know of the steps that rows of `feeds` tell of (terminal, before, after in µs)."""
        large = (pl.col("after") - pl.col("before")).abs() > settings.told
        fresh = feeds.filter((pl.col("activity") == "clock-step") & large).select("terminal", set_at="after")
        if not fresh.height:
            return self
        known = pl.concat([self.sets.select("terminal", "set_at"), fresh]).unique().sort("terminal", "set_at")
        epoch = pl.int_range(1, pl.len() + 1, dtype=pl.Int32).over("terminal")
        return replace(self, sets=known.with_columns(epoch=epoch))

    def _epoch(self, frame: pl.DataFrame, at: str) -> pl.DataFrame:
        """The frame, sorted by `at`, with `epoch`: how often the terminal's clock had been set by then."""
        ordered = frame.sort(at, maintain_order=True)
        if not self.sets.height:
            return ordered.with_columns(epoch=pl.lit(0, pl.Int32))
        told = self.sets.filter(pl.col("terminal").is_in(ordered["terminal"].unique().implode())).sort("set_at")
        joined = ordered.join_asof(told, left_on=at, right_on="set_at", by="terminal", check_sortedness=False)
        return joined.drop("set_at").with_columns(pl.col("epoch").fill_null(0))

    def learn(self, anchors: pl.DataFrame, replies: pl.DataFrame, span: tuple[int, int], settings: Settings) -> "Clocks":
        """Clocks with the pairs that the dispenses of a span make.

        Args:
            anchors: terminal, clock, when (step-corrected µs), amount: orders to dispense.
            replies: terminal, when, amount: approvals.
                Pairs that scatter widely are chance ones (a clock off by more than `pairing`): such an estimate counts none.
            span: pairs are made for anchors in (after, up to]; both frames reach twice `pairing` beyond it.
            settings: `pairing`, `pairs` and the bounds of the spread.
        """
        if not anchors.height or not replies.height:
            return self
        pairs = _mutual(anchors, replies, settings).filter((pl.col("anchor") > span[0]) & (pl.col("anchor") <= span[1]))
        if not pairs.height:
            return self
        lag = 2 * settings.pairing
        mine = self.pairs["terminal"].is_in(pairs["terminal"].unique().implode())
        together = self._epoch(pl.concat([self.pairs.filter(mine), pairs.select(list(PAIRS))]), "anchor").sort(
            "terminal", "clock", "epoch", "anchor", maintain_order=True
        )
        group = together.select(g=pl.struct("terminal", "clock", "epoch").rle_id().cast(pl.Int64))["g"].to_numpy()
        offset, spread, count = _track(
            group, together["delta"].to_numpy(), settings.pairs, settings.spread_floor, settings.spread_cap
        )
        fresh = together.select(
            "terminal",
            "clock",
            since=pl.col("anchor") + lag,
            offset=pl.Series(offset) - settings.nominal,
            spread=pl.Series(spread),
            pairs=pl.when(pl.Series(spread) < settings.spread_cap).then(pl.Series(count, dtype=pl.Int32)).otherwise(0),
            epoch="epoch",
        )
        news = pairs.select("terminal", "clock", since=pl.col("anchor") + lag)
        fresh = fresh.join(news, on=["terminal", "clock", "since"], how="semi")
        track = pl.concat([self.track, fresh]).sort("terminal", "clock", "since", maintain_order=True)
        kept = together.group_by("terminal", "clock", maintain_order=True).tail(settings.pairs)
        return replace(self, pairs=pl.concat([self.pairs.filter(~mine), kept.select(list(PAIRS))]), track=track)

    def apply(self, frame: pl.DataFrame, lag: int, settings: Settings) -> pl.DataFrame:
        """Rows with `at`, `offset`, `spread` and `known` (whether the clock was known).

        Args:
            frame: rows with terminal, clock, `when` (step-corrected µs) and `ref`: the instant whose estimate serves the row.
            lag: µs an estimate must be older than its row.
            settings: `known_after`, `spread_floor`.

        Rows of the host's clock are taken as they are. A clock not known itself borrows what is known of its terminal's
        others: trace, journal and Windows are stamped by one PC.
        """
        host = pl.col("clock") == "host"
        theirs = pl.col("terminal").is_in(frame["terminal"].unique().implode())
        reliable = self.track.filter(theirs & (pl.col("pairs") >= settings.known_after))
        if not reliable.height:
            floor = pl.lit(settings.spread_floor, pl.Int64)
            return frame.with_columns(at="when", offset=pl.lit(0, pl.Int64), spread=floor, known=host)
        joined = self._estimated(frame, reliable, lag)
        return joined.with_columns(
            at=pl.col("when") - pl.col("offset").fill_null(0),
            spread=pl.col("estimated").fill_null(settings.spread_floor),
            known=host | pl.col("trusted").fill_null(value=False),
            offset=pl.col("offset").fill_null(0),
        ).drop("estimated", "since", "trusted", "_row")

    def _estimated(self, frame: pl.DataFrame, reliable: pl.DataFrame, lag: int) -> pl.DataFrame:
        """Rows with the estimate that serves each: `offset`, `estimated` (spread), `trusted` (not from before a step)."""
        host = pl.col("clock") == "host"
        since = pl.col("since") + lag
        own = reliable.select("terminal", "clock", since=since, own="offset", own_spread="spread", own_epoch="epoch").sort(
            "since"
        )
        anyone = reliable.select("terminal", since=since, shared="offset", shared_spread="spread", shared_epoch="epoch").sort(
            "since"
        )
        return (
            self._epoch(frame.with_row_index("_row"), "ref")
            .join_asof(own, left_on="ref", right_on="since", by=["terminal", "clock"], check_sortedness=False)
            .drop("since")
            .join_asof(anyone, left_on="ref", right_on="since", by="terminal", check_sortedness=False)
            .sort("_row")
            .with_columns(
                offset=pl.when(~host).then(pl.coalesce("own", "shared")),
                estimated=pl.when(~host).then(pl.coalesce("own_spread", "shared_spread")),
                trusted=pl.coalesce("own_epoch", "shared_epoch") == pl.col("epoch"),
            )
            .drop("own", "own_spread", "own_epoch", "shared", "shared_spread", "shared_epoch", "epoch")
        )

    def forget(self, before: int) -> "Clocks":
        """Clocks without estimates that a later one replaced before this instant (µs), and sources silent for a week then."""
        next_since = pl.col("since").shift(-1).over("terminal", "clock")
        newer = self.sets.sort("terminal", "set_at").filter(
            (pl.col("set_at") >= before) | (pl.col("set_at") == pl.col("set_at").max().over("terminal"))
        )
        track = self.track.filter(next_since.is_null() | (next_since >= before)).rechunk()
        steps = self.steps.filter(pl.col("last") + pl.col("stepped") >= before - SILENT).rechunk()
        return replace(self, track=track, sets=newer, steps=steps)

    def latest(self) -> pl.DataFrame:
        """The last estimate of each clock: terminal, clock, offset, spread, pairs."""
        return self.track.group_by("terminal", "clock", maintain_order=True).last()


def _mutual(anchors: pl.DataFrame, replies: pl.DataFrame, settings: Settings) -> pl.DataFrame:
    """Dispenses and replies of the same amount that have each other and nobody else within the pairing window.

    Where customers ask for equal amounts one after the other, the nearest reply may be the neighbour's: no pair is made.
    """
    group = ["terminal", "clock", "amount"]
    left = anchors.select("terminal", "clock", "amount", anchor="when").unique().sort(*group, "anchor")
    right = replies.select("terminal", "amount", reply="when").unique().sort("terminal", "amount", "reply")
    apart = pl.col("reply") - pl.col("reply").shift(1).over("terminal", "amount")
    right = right.filter((apart > settings.view_fold).fill_null(value=True))
    near = settings.pairing

    def alone(column: str, of: list[str]) -> tuple[pl.Expr, pl.Expr]:
        return pl.col(column).shift(1).over(of).alias("before"), pl.col(column).shift(-1).over(of).alias("behind")

    right = right.with_columns(*alone("reply", ["terminal", "amount"]))
    there = left.with_columns(*(e.name.prefix("own_") for e in alone("anchor", group))).sort("anchor")
    joined = there.join_asof(
        right.sort("reply"),
        left_on="anchor",
        right_on="reply",
        by=["terminal", "amount"],
        strategy="nearest",
        tolerance=near,
        check_sortedness=False,
    ).filter(pl.col("reply").is_not_null())
    lonely = [(pl.col(a) - pl.col(b)).abs() > near for a, b in _OTHERS]
    both = joined.filter(pl.all_horizontal(e.fill_null(value=True) for e in lonely))
    return both.with_columns(delta=pl.col("anchor") - pl.col("reply")).sort("anchor", "terminal", "clock", "amount")


_OTHERS = (("before", "anchor"), ("behind", "anchor"), ("own_before", "reply"), ("own_behind", "reply"))

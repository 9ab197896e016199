"""Clocks: steps found where a source's stamps fall back, offsets estimated from dispenses and the replies they follow.

Nothing here alters a stamp. Rows get two columns: `at`, the instant by the host's clock (µs), and `spread` (µs).
An estimate used for a row rests only on pairs old enough to have been complete when the row was made, so results do
not depend on how the input is cut into batches.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numba import njit
from numpy.typing import NDArray

from jackstop.model.settings import Settings

Ints = NDArray[np.int64]

PAIRS = {"terminal": pl.String, "clock": pl.String, "anchor": pl.Int64, "delta": pl.Int64}
TRACK = {"terminal": pl.String, "clock": pl.String, "since": pl.Int64, "offset": pl.Int64, "spread": pl.Int64, "pairs": pl.Int32}
STEPS = {"source": pl.String, "last": pl.Int64, "stepped": pl.Int64, "before": pl.Int64}
DAY = 86_400_000_000


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
    """What is known of all clocks: recent pairs, the estimates made from them, and open steps per source."""

    pairs: pl.DataFrame
    track: pl.DataFrame
    steps: pl.DataFrame

    @classmethod
    def unknown(cls) -> "Clocks":
        """Nothing known yet."""
        return cls(pl.DataFrame(schema=PAIRS), pl.DataFrame(schema=TRACK), pl.DataFrame(schema=STEPS))

    def step(self, rows: pl.DataFrame, settings: Settings) -> tuple[pl.DataFrame, "Clocks"]:
        """How far each row's clock had been set back by then, as column `stepped` (µs).

        Args:
            rows: source and time of rows a terminal's clock stamped, in reading order of each source.
            settings: `step`.
        """
        if not rows.height:
            return rows.with_columns(stepped=pl.lit(0, pl.Int64)), self
        sources = rows["source"].unique(maintain_order=True)
        known = pl.DataFrame({"source": sources}).join(self.steps, on="source", how="left", maintain_order="left").fill_null(0)
        codes = rows["source"].replace_strict(sources, range(len(sources)), return_dtype=pl.Int64).to_numpy()
        columns = tuple(known[c].to_numpy().copy() for c in ("last", "stepped", "before"))
        moved = _steps(codes, rows["time"].to_physical().to_numpy(), columns, settings.step)
        rest = self.steps.join(known.select("source"), on="source", how="anti")
        state = pl.concat([rest, known.with_columns(last=columns[0], stepped=columns[1], before=columns[2])])
        return rows.with_columns(stepped=pl.Series(moved, dtype=pl.Int64)), Clocks(self.pairs, self.track, state)

    def learn(self, anchors: pl.DataFrame, replies: pl.DataFrame, span: tuple[int, int], settings: Settings) -> "Clocks":
        """Clocks with the pairs that the dispenses of a span make.

        Args:
            anchors: terminal, clock, when (step-corrected µs), amount: orders to dispense.
            replies: terminal, when, amount: approvals.
            span: pairs are made for anchors in (after, up to]; both frames reach twice `pairing` beyond it.
            settings: `pairing`, `pairs` and the bounds of the spread.
        """
        if not anchors.height or not replies.height:
            return self
        pairs = _mutual(anchors, replies, settings).filter((pl.col("anchor") > span[0]) & (pl.col("anchor") <= span[1]))
        if not pairs.height:
            return self
        lag = 2 * settings.pairing
        together = pl.concat([self.pairs, pairs.select(list(PAIRS))]).sort("terminal", "clock", "anchor", maintain_order=True)
        group = together.select(g=pl.struct("terminal", "clock").rle_id().cast(pl.Int64))["g"].to_numpy()
        offset, spread, count = _track(
            group, together["delta"].to_numpy(), settings.pairs, settings.spread_floor, settings.spread_cap
        )
        fresh = together.select(
            "terminal",
            "clock",
            since=pl.col("anchor") + lag,
            offset=pl.Series(offset) - settings.nominal,
            spread=pl.Series(spread),
            pairs=pl.Series(count, dtype=pl.Int32),
        )
        news = pairs.select("terminal", "clock", since=pl.col("anchor") + lag)
        fresh = fresh.join(news, on=["terminal", "clock", "since"], how="semi")
        track = pl.concat([self.track, fresh]).sort("terminal", "clock", "since", maintain_order=True)
        kept = together.group_by("terminal", "clock", maintain_order=True).tail(settings.pairs)
        return Clocks(kept.select(list(PAIRS)), track, self.steps)

    def apply(self, frame: pl.DataFrame, lag: int, settings: Settings) -> pl.DataFrame:
        """Rows with `at`, `offset`, `spread` and `known` (whether the clock was known).

        Args:
            frame: rows with terminal, clock and `when` (step-corrected µs).
            lag: µs an estimate must be older than its row.
            settings: `known_after`, `spread_floor`.

        Rows of the host's clock are taken as they are. A clock not known itself borrows what is known of its terminal's
        others: trace, journal and Windows are stamped by one PC.
        """
        floor = pl.lit(settings.spread_floor, pl.Int64)
        host = pl.col("clock") == "host"
        reliable = self.track.filter(pl.col("pairs") >= settings.known_after)
        if not reliable.height:
            return frame.with_columns(at="when", offset=pl.lit(0, pl.Int64), spread=floor, known=host)
        since = pl.col("since") + lag
        own = reliable.select("terminal", "clock", since=since, own="offset", own_spread="spread").sort("since")
        anyone = reliable.select("terminal", since=since, shared="offset", shared_spread="spread").sort("since")
        joined = (
            frame.with_row_index("_row")
            .sort("when")
            .join_asof(own, left_on="when", right_on="since", by=["terminal", "clock"], check_sortedness=False)
            .drop("since")
            .join_asof(anyone, left_on="when", right_on="since", by="terminal", check_sortedness=False)
            .sort("_row")
            .with_columns(
                offset=pl.when(~host).then(pl.coalesce("own", "shared")),
                estimated=pl.when(~host).then(pl.coalesce("own_spread", "shared_spread")),
            )
            .drop("own", "own_spread", "shared", "shared_spread")
        )
        return joined.with_columns(
            at=pl.col("when") - pl.col("offset").fill_null(0),
            spread=pl.col("estimated").fill_null(settings.spread_floor),
            known=host | pl.col("offset").is_not_null(),
            offset=pl.col("offset").fill_null(0),
        ).drop("estimated", "since", "_row")

    def forget(self, before: int) -> "Clocks":
        """Clocks without estimates that a later one replaced before this instant (µs)."""
        next_since = pl.col("since").shift(-1).over("terminal", "clock")
        return Clocks(self.pairs, self.track.filter(next_since.is_null() | (next_since >= before)), self.steps)

    def latest(self) -> pl.DataFrame:
        """The last estimate of each clock: terminal, clock, offset, spread, pairs."""
        return self.track.group_by("terminal", "clock", maintain_order=True).last()


def _mutual(anchors: pl.DataFrame, replies: pl.DataFrame, settings: Settings) -> pl.DataFrame:
    """Dispenses and replies of the same amount that are each other's nearest within the pairing window."""
    left = anchors.select("terminal", "clock", "amount", anchor="when").unique().sort("anchor")
    right = replies.select("terminal", "amount", reply="when").unique().sort("reply")
    there = left.join_asof(
        right,
        left_on="anchor",
        right_on="reply",
        by=["terminal", "amount"],
        strategy="nearest",
        tolerance=settings.pairing,
        check_sortedness=False,
    ).filter(pl.col("reply").is_not_null())
    asked = there.select("terminal", "clock", "amount", "reply").unique().sort("reply")
    back = asked.join_asof(
        left.with_columns(nearest="anchor"),
        left_on="reply",
        right_on="anchor",
        by=["terminal", "clock", "amount"],
        strategy="nearest",
        check_sortedness=False,
    )
    both = there.join(
        back.select("terminal", "clock", "amount", "reply", anchor="nearest"),
        on=["terminal", "clock", "amount", "reply", "anchor"],
        how="semi",
    )
    return both.with_columns(delta=pl.col("anchor") - pl.col("reply")).sort("anchor", "terminal", "clock", "amount")

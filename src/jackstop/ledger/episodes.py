"""Cash episodes: one movement of notes at one terminal, from the order to the notes' end, by a state machine.

States: ordered → picked → presented → taken, retracted or rejected (XFS 3.x CDM; formats.md §9.3.1). An episode keeps
three amounts apart: picked from the cassettes, presented to the customer, retained by the customer.
"""

from typing import Any

import numpy as np
import polars as pl
from numba import njit
from numpy.typing import NDArray

from jackstop.model.settings import HOUR, Settings
from jackstop.model.vocabulary import QUALITY

Ints = NDArray[np.int64]

ORDERED, PICKED, PRESENTED, ENDED = 0, 1, 2, 3
STEPS = (
    "dispense-requested",
    "dispensed",
    "dispense-failed",
    "incomplete",
    "presented",
    "taken",
    "retracted",
    "rejected",
    "reset",
)
REQUESTED, DISPENSED, FAILED, INCOMPLETE, SHOWN, TAKEN, RETRACTED, REJECTED, RESET = range(9)
_NEVER = np.int64(2**62)
_TWICE = QUALITY["time-ambiguous"][0]
_EXPOSED = (-321, -322)
"""Results of a present that failed with notes within reach (WFS_ERR_CDM_PRERRORITEMS, PRERRORUNKNOWN)."""


@njit(cache=True)
def _goes_on(act: int, stage: int, same: bool, since: int, completion: int, closing: int) -> bool:  # pragma: no cover - compiled
    """Whether an event belongs to the open episode that is `since` µs old and at `stage`."""
    if act == REQUESTED:
        return same and stage == ORDERED
    if act in (DISPENSED, FAILED, INCOMPLETE):
        return (stage == ORDERED and since <= completion) or (same and since <= completion)
    if act == SHOWN:
        return stage <= PRESENTED and since <= closing
    return since <= closing


@njit(cache=True)
def _next_stage(act: int, stage: int) -> int:  # pragma: no cover - compiled
    """The stage after an event."""
    if act == REQUESTED:
        return ORDERED
    if act == DISPENSED:
        return max(stage, PICKED)
    if act in (FAILED, INCOMPLETE):
        return stage
    if act == SHOWN:
        return PRESENTED
    return ENDED


@njit(cache=True)
def _walk(group: Ints, act: Ints, at: Ints, request: Ints, completion: int, closing: int) -> Any:  # noqa: ANN401  # pragma: no cover - compiled
    """The episode of each row (-1: none), and for each episode the one it was stacked upon (-1: none).

    Rows are sorted by group (terminal and layer), then time. An order while the last episode's notes wait in the stacker
    is stacked upon it: the next present shows both.
    """
    n = len(act)
    episode, below = np.full(n, -1, np.int64), np.full(n, -1, np.int64)
    current, stage, start, asked, count = -1, ENDED, 0, -1, 0
    for i in range(n):
        if i == 0 or group[i] != group[i - 1]:
            current, stage, start, asked = -1, ENDED, 0, -1
        a = act[i]
        same = asked >= 0 and request[i] == asked
        if current >= 0 and _goes_on(a, stage, same, at[i] - start, completion, closing):
            episode[i] = current
            stage = _next_stage(a, stage)
        elif a <= SHOWN:
            stacked = current if current >= 0 and stage == PICKED and a != SHOWN and at[i] - start <= closing else -1
            current, start, asked = count, at[i], request[i]
            count += 1
            episode[i], below[current] = current, stacked
            stage = _next_stage(a, ORDERED)
    return episode, below[:count]


def asked(cash: pl.DataFrame, settings: Settings) -> pl.DataFrame:
    """Cash rows where the application's own, if they tell no amount, take that of the request or reply they follow.

    Journals print what was asked and that notes were stacked, not what they were worth (formats.md §4.1).
    """
    told = (
        (pl.col("layer") == "application") & pl.col("activity").is_in(["request-sent", "reply-received"]) & (pl.col("amount") > 0)
    )
    requests = cash.filter(told).select("terminal", asked_at="at", asked="amount").sort("asked_at")
    if not requests.height:
        return cash
    silent = (
        (pl.col("layer") == "application")
        & pl.col("activity").is_in(["dispense-requested", "dispensed"])
        & pl.col("amount").is_null()
    )
    joined = (
        cash.with_row_index("_row")
        .sort("at")
        .join_asof(requests, left_on="at", right_on="asked_at", by="terminal", tolerance=settings.late, check_sortedness=False)
        .sort("_row")
    )
    return joined.with_columns(amount=pl.when(silent).then("asked").otherwise("amount")).drop("_row", "asked", "asked_at")


def walk(cash: pl.DataFrame, settings: Settings) -> pl.DataFrame:
    """Rows that move notes, each with `episode` (number within this frame) and `below`, sorted by terminal, layer, time.

    Args:
        cash: rows with `at` (µs), the table's columns, and `amount` filled where it can be.
    """
    succeeded = pl.col("result").is_null() | (pl.col("result") == 0) | pl.col("activity").is_in(["dispense-failed", "incomplete"])
    exposed = (pl.col("activity") == "presented") & pl.col("result").is_in(_EXPOSED)
    moving = (
        cash.filter(pl.col("activity").is_in(STEPS) & (succeeded | exposed))
        .sort("terminal", "layer", "at", "source", "record_offset", "event_id")
        .with_columns(
            step=pl.col("activity").cast(pl.String).replace_strict(list(STEPS), range(len(STEPS)), return_dtype=pl.Int64),
            group=pl.struct("terminal", "layer").rle_id().cast(pl.Int64),
        )
    )
    episode, below = _walk(
        moving["group"].to_numpy(),
        moving["step"].to_numpy(),
        moving["at"].to_numpy(),
        moving["request_id"].fill_null(-1).to_numpy(),
        settings.completion,
        settings.closing,
    )
    marked = moving.with_columns(episode=pl.Series(episode)).filter(pl.col("episode") >= 0)
    return marked.with_columns(below=pl.Series(below, dtype=pl.Int64).gather(marked["episode"]))


def _first(column: str, *acts: int) -> pl.Expr:
    return pl.col(column).filter(pl.col("step").is_in(acts)).first()


def _last(column: str, *acts: int) -> pl.Expr:
    return pl.col(column).filter(pl.col("step").is_in(acts) & pl.col(column).is_not_null()).last()


def build(rows: pl.DataFrame) -> pl.DataFrame:
    """Episodes from rows marked by `walk`: one each, in the order of terminal, layer and time.

    Returns:
        id (of the row that opened it), terminal, layer, source, clock, at, when, offset, spread, known, arrival, currency,
        requested, picked_said, failed, completed (µs or null), presented, taken, retracted, rejected (µs or null),
        presented_said, retracted_said, again (µs by which it may be later: its local time exists twice), caller, session,
        token, token_amount, token_none, result, below (id).
    """
    step, first, last = pl.col("step"), _first, _last
    episodes = rows.group_by("episode", maintain_order=True).agg(
        *(
            pl.col(c).first()
            for c in ("terminal", "layer", "source", "clock", "at", "when", "offset", "spread", "known", "arrival", "below")
        ),
        pl.col("event_id").first().alias("id"),
        pl.col("currency").drop_nulls().first(),
        requested=last("amount", REQUESTED),
        picked_said=last("amount", DISPENSED, FAILED, INCOMPLETE),
        failed=step.eq(FAILED).any() & ~step.eq(DISPENSED).any(),
        completed=first("at", DISPENSED, FAILED),
        presented=first("at", SHOWN),
        taken=first("at", TAKEN),
        retracted=first("at", RETRACTED),
        rejected=first("at", REJECTED, RESET),
        presented_said=last("amount", SHOWN),
        retracted_said=last("amount", RETRACTED),
        again=later().max(),
        caller=pl.col("caller").drop_nulls().first(),
        session=pl.col("session").drop_nulls().first(),
        token=pl.col("token").drop_nulls().first(),
        token_amount=pl.col("token_amount").drop_nulls().first(),
        token_none=(pl.col("detail").str.contains("token=none", literal=True) & step.eq(DISPENSED)).any(),
        result=last("result", DISPENSED, FAILED),
        ended=pl.col("at").max(),
        seen=pl.col("arrival").max(),
        records=pl.struct("source", "record_offset", "record_length", "record_digest").unique(maintain_order=True),
    )
    return _stack(episodes)


def later() -> pl.Expr:
    """By how much (µs) a row may be later than it says: the hour that is gone through twice when summer time ends."""
    return pl.when((pl.col("quality") & _TWICE) > 0).then(HOUR).otherwise(0).cast(pl.Int64)


def _stack(episodes: pl.DataFrame) -> pl.DataFrame:
    """Episodes whose notes lay under another's when it was presented share its outcome."""
    above = episodes.filter(pl.col("below") >= 0).select(
        episode=pl.col("below"), up_presented="presented", up_taken="taken", up_retracted="retracted", up_rejected="rejected"
    )
    if not above.height:
        return episodes
    joined = episodes.join(above.unique("episode", keep="last"), on="episode", how="left", maintain_order="left")
    outcome = [pl.coalesce(c, f"up_{c}").alias(c) for c in ("presented", "taken", "retracted", "rejected")]
    return joined.with_columns(outcome).drop("up_presented", "up_taken", "up_retracted", "up_rejected")


def value(episodes: pl.DataFrame, until: pl.Expr | None = None) -> pl.DataFrame:
    """Episodes with `amount` (for matching), `picked`, `shown` and `kept`, in minor units.

    A failed order counts what it says it picked (nothing if it says nothing and nothing was shown: then it uses up no
    authorisation, for the application tries again); otherwise what was
    picked, else what was ordered. `kept` is what was shown less what was drawn back or rejected.

    Args:
        episodes: from `build`.
        until: outcomes after this instant (µs, an expression) are taken as not yet known; None for all.
    """
    known = {c: pl.col(c) if until is None else pl.when(pl.col(c) <= until).then(pl.col(c)) for c in _OUTCOMES}
    ordered = pl.coalesce("picked_said", "requested", "presented_said").fill_null(0)
    silent_failure = pl.col("failed") & pl.col("picked_said").is_null() & pl.col("presented").is_null()
    picked = pl.when(silent_failure).then(0).otherwise(ordered)
    shown = (
        pl.when(known["presented"].is_not_null())
        .then(pl.coalesce("presented_said", picked))
        .otherwise(pl.when(known["taken"].is_not_null()).then(picked).otherwise(0))
    )
    back = (
        pl.when(known["retracted"].is_not_null() | (known["rejected"].is_not_null() & known["taken"].is_null()))
        .then(pl.coalesce("retracted_said", shown))
        .otherwise(0)
    )
    return episodes.with_columns(
        amount=pl.when(silent_failure).then(0).otherwise(pl.max_horizontal(picked, pl.col("requested").fill_null(0))),
        picked=picked,
        shown=shown,
    ).with_columns(kept=pl.max_horizontal(shown - back, 0))


_OUTCOMES = ("presented", "taken", "retracted", "rejected")


def primary(episodes: pl.DataFrame, settings: Settings) -> pl.DataFrame:
    """Episodes without those the application tells of and the device tells of too.

    The device's account of a movement begins at most half a minute before the application's and at most `early` after; by
    the corrected clocks, or by the stamps themselves, for one PC stamps both. An application's stamp that could mean two
    instants is looked for at both.
    """
    device = episodes.filter(pl.col("layer") == "device")
    if not device.height:
        return episodes
    alone = episodes.filter(pl.col("layer") == "application")
    if not alone.height:
        return device
    for clock, said in (("at", pl.col("at")), ("when", pl.col("when")), ("at", pl.col("at") + pl.col("again"))):
        told = device.select("terminal", device_at=clock).sort("device_at")
        placed = (
            alone.with_columns(_limit=said + settings.early)
            .sort("_limit")
            .join_asof(told, left_on="_limit", right_on="device_at", by="terminal", check_sortedness=False)
        )
        apart = pl.col("device_at").is_null() | (pl.col("device_at") < said - settings.completion // 2)
        alone = placed.filter(apart).select(episodes.columns)
    return pl.concat([device, alone])

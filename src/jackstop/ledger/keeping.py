"""Keeping: what a step leaves for later ones, and what no later one can need."""

import polars as pl

from jackstop.ledger import agenda, episodes, reversals
from jackstop.ledger.judging import Judged, Terms
from jackstop.ledger.shelves import Frames, Shelves
from jackstop.model.settings import HOUR, MINUTE

SLACK, RARE_SLACK = 10 * MINUTE, HOUR
"""µs by which rows, and rare rows, may be older than they need be kept before a terminal's are sorted out."""

ANCHORS = ("dispense-requested", "dispensed")
"""Activities of cash rows from which clocks may learn."""

_RARE = ("status", "security-level", "token-refused", "opened-by")
Names = tuple[str, ...] | None
"""Terminals; None for all."""


def remember(shelves: Shelves, held: Frames, judged: Judged, watermark: int, touched: Names) -> tuple[Shelves, pl.DataFrame]:
    """The shelves with verdicts whose deadline has passed standing, and the explained episodes known of these terminals."""
    known = held.get("settled", _UNSETTLED)
    if judged.late.height and "taken" in held:
        held = {**held, "taken": held["taken"].join(judged.late, left_on="episode", right_on="id", how="anti")}
        shelves = shelves.instead("taken", touched, held["taken"])
    due = judged.movements.filter(pl.col("deadline") <= watermark)
    if not due.height:
        return shelves, known
    new = ~due["id"].is_in(held["taken"]["episode"].implode()) if "taken" in held else due["id"].is_not_null()
    if new.any():
        shelves = shelves.put("taken", due.filter(new).select("terminal", "approval", "amount", "at", "cut", episode="id"))
    settled = _settled(due, judged.decisions)
    news = settled.join(known, on=list(reversals.SETTLED), how="anti", nulls_equal=True)
    if not news.height:
        return shelves, known
    settled = pl.concat([known.join(news, on="episode", how="anti"), news])
    return shelves.instead("settled", touched, settled), settled


_UNSETTLED = pl.DataFrame(schema=reversals.SETTLED)


def _settled(due: pl.DataFrame, decisions: pl.DataFrame) -> pl.DataFrame:
    """Explained episodes as they are remembered for late reversals."""
    keys = decisions.select("key", "rrn", "stan", "auth_code", approval="id")
    explained = due.filter(pl.col("approval").is_not_null()).join(keys, on="approval", how="inner")
    named = explained.with_columns(episode="id", authorised="auth_amount", kept="kept_final")
    return named.select(list(reversals.SETTLED))


def sweep(
    shelves: Shelves, held: Frames, walked: pl.DataFrame, terms: Terms, watermark: int, touched: Names
) -> tuple[Shelves, list[pl.DataFrame]]:
    """The shelves without what no later verdict of these terminals can need, and the instants to sort them out again.

    It is done where rows are older than need be by `SLACK`: so it costs little, and no result depends on when it is.
    """
    near = watermark - terms.settings.keep - _doubt(held.get("cash"))
    far = watermark - terms.settings.recall
    ages = {
        "cash": (near, SLACK),
        "host": (near, SLACK),
        "units": (near, SLACK),
        "taken": (near, SLACK),
        "operator": (far, RARE_SLACK),
        "cabinet": (far, RARE_SLACK),
        "feeds": (far, RARE_SLACK),
        "settled": (watermark - terms.settings.remember, RARE_SLACK),
    }
    parts: list[pl.DataFrame] = []
    first = agenda.NEVER
    few = touched is not None and len(touched) <= _FEW
    for name, (limit, slack) in ages.items():
        frame = held.get(name)
        if frame is None:
            continue
        oldest = agenda.earliest(frame["at"])
        if oldest <= limit - slack:
            kept = _kept(name, frame, walked, limit, far)
            if kept.height < frame.height:
                shelves, frame = shelves.instead(name, touched, kept), kept
        young = frame["at"] if oldest > limit else frame["at"].filter(frame["at"] > limit)
        if few:
            first = min(first, agenda.earliest(young) + watermark - limit + slack)
        else:
            late = pl.when(pl.col("at") > limit).then(pl.col("at") + (watermark - limit + slack))
            parts += agenda.instants(frame, watermark, late)
    if few and first < agenda.NEVER:
        parts.append(pl.DataFrame({"terminal": touched, "due": first}, schema={"terminal": pl.String, "due": pl.Int64}))
    return shelves, parts


_FEW = 8
"""Terminals for which one instant is found for all together: the first of any."""


def _kept(name: str, frame: pl.DataFrame, walked: pl.DataFrame, limit: int, far: int) -> pl.DataFrame:
    """The rows of a table that are still needed."""
    young = pl.col("at") > limit
    if name == "cash":
        return _kept_cash(frame, walked, limit, far)
    if name == "units":
        return frame.filter(young | (pl.col("at") == pl.col("at").max().over("terminal", "basis", "unit", "unit_id")))
    return frame.filter(young)


def _doubt(cash: pl.DataFrame | None) -> int:
    """By how much (µs) movements in the window may be later than they say."""
    return 0 if cash is None else int(cash.select(episodes.later().max()).item())


def _kept_cash(cash: pl.DataFrame, walked: pl.DataFrame, near: int, far: int) -> pl.DataFrame:
    """Cash rows after `near`, none of an episode that began before it, and the rare rows of the last day."""
    rare = pl.col("activity").is_in(_RARE)
    kept = cash.filter((pl.col("at") > near) | (rare & (pl.col("at") > far)))
    if not walked.height:
        return kept
    starts = walked.select("event_id", start=pl.col("at").min().over("episode"))
    return kept.join(starts.filter(pl.col("start") <= near), on="event_id", how="anti")

"""A door stays open past the visit that permits it, or longer than any work takes (mission M4)."""

import polars as pl

from jackstop.detections._cases import Case, door
from jackstop.detections._claims import GRACE, Detection, Text, View, claims, none
from jackstop.model.settings import MINUTE

META = Detection(
    title=Text("A door stays open", "扉の閉め忘れ・長時間開放"),
    why=Text(
        "A door or lid was opened and not closed by the end of the visit, or within three quarters of an hour without one.",
        "開扉後、作業予定の終了まで、または予定なしで45分以内に閉扉されていません。",
    ),
    first_step=Text("Call the crew or the site: is somebody still there?", "作業員または現地に、まだ作業中か確認してください。"),
    level="low",
    needs=("cabinet",),
    attack=("T1200",),
    gaps="A contact that never reports closing looks open for ever. It is no stage of a chain: late crews are common.",
)


NORM = 45 * MINUTE
"""µs a door may stand open without a visit."""

PERMITS = ["open-cabinet", "open-safe", "exchange"]


def detect(view: View) -> pl.DataFrame:
    """The opening a part's closing is due for, once that is overdue by what rows of its source may be late."""
    cabinet = view.table("cabinet")
    if cabinet is None:
        return none()
    moves = cabinet.filter(pl.col("activity").is_in(["opened", "closed"]) & (pl.col("part") != "site"))
    order = moves.sort("terminal", "part", "at", "event_id").with_columns(open=pl.col("activity") == "opened")
    first = pl.col("open") & ~pl.col("open").shift(1).over("terminal", "part").fill_null(value=False)
    began = order.filter(first).sort("at", "event_id")
    closings = order.filter(~pl.col("open")).select("terminal", "part", shut="at", shut_seen="arrival").sort("shut")
    ended = began.join_asof(
        closings, left_on="at", right_on="shut", by=["terminal", "part"], strategy="forward", check_sortedness=False
    )
    due = _due(ended, view.visits).with_columns(decided=pl.max_horizontal("arrival", pl.col("due") + pl.col("latency")))
    late = pl.col("shut").is_null() | (pl.col("shut") > pl.col("due")) | (pl.col("shut_seen") > pl.col("decided"))
    return claims(due.filter(late), "low", decided="decided", detail=pl.col("part").cast(pl.String))


def _due(began: pl.DataFrame, visits: pl.DataFrame) -> pl.DataFrame:
    """Openings with `due`: the end of the last visit around them that permits opening, else the norm (µs)."""
    allowed = visits.filter(pl.col("permits").list.set_intersection(PERMITS).list.len() > 0).select(
        "terminal", _from=pl.col("time").to_physical() - GRACE, _to=pl.col("until").to_physical() + GRACE
    )
    around = began.select("event_id", "terminal", "at").join(allowed, on="terminal")
    ends = around.filter(pl.col("at").is_between("_from", "_to")).group_by("event_id").agg(due=pl.col("_to").max())
    joined = began.join(ends, on="event_id", how="left", maintain_order="left")
    return joined.with_columns(due=pl.coalesce("due", pl.col("at") + NORM))


TESTS = (
    Case("a door is opened and never closed", (door(60),), fires=True),
    Case("it is closed after an hour", (door(60), door(3660, "closed")), fires=True),
    Case(
        "it is closed after the visit's end", (door(60), door(3600, "closed")), fires=True, visits=((0, 900, ("open-cabinet",)),)
    ),
    Case("it is closed within the visit", (door(60), door(3600, "closed")), fires=False, visits=((0, 4000, ("open-cabinet",)),)),
    Case(
        "it chatters and is closed in the end",
        (door(60), door(62), door(64, "closed"), door(66), door(70, "closed")),
        fires=False,
    ),
    Case("the panel is missing", (door(60),), fires=False, missing=("cef",)),
)

"""Urgency: the first instant at which a new row can make something certain at its terminal.

Each is a lower bound, from what verdicts and detections say of when they can be given; until then the terminal need not be
looked at again. Where a table's rows bear on claims made at once, its rows are looked at when they arrive.
"""

from collections.abc import Callable

import polars as pl

from jackstop.ledger import episodes
from jackstop.ledger.judging import Terms
from jackstop.ledger.keeping import ANCHORS
from jackstop.ledger.shelves import Frames

_AT_ONCE = ("status", "security-level", "token-refused", "opened-by")
"""Activities of cash rows that detections claim by themselves."""

_TELLING = tuple(s for s in episodes.STEPS if s not in {"taken", "retracted"})
_TOUCHED = ("missing", "manipulated")


def instants(rows: Frames, agenda: pl.DataFrame, terms: Terms) -> list[pl.DataFrame]:
    """By table: terminal, due (µs), pair (µs, when the terminal's clock may learn from it).

    Args:
        rows: of this step, with `at` and `arrival`. agenda: as it was before them.
    """
    parts = []
    for name, bound in _BOUNDS.items():
        frame = rows.get(name)
        if frame is not None and frame.height:
            parts.append(bound(frame, agenda, terms))
    return parts


def _cash(rows: pl.DataFrame, agenda: pl.DataFrame, terms: Terms) -> pl.DataFrame:
    """Rows that tell an order's outcome are looked at when they can end the wait for it, an order when its verdict can be due.

    What comes after only tells what became of the notes. Of a terminal that is watched all are looked at as they arrive.
    """
    activity, at = pl.col("activity"), pl.col("at")
    watched = agenda["terminal"].filter(agenda["watched"])
    at_once = activity.is_in(_AT_ONCE) | pl.col("caller").is_not_null() | pl.col("terminal").is_in(watched.implode())
    ordered = at + terms.settings.early + pl.col("latency")
    moved = pl.when(activity == "dispense-requested").then(ordered).otherwise(at + pl.col("latency"))
    bound = pl.when(activity.is_in(_TELLING)).then(moved).otherwise(at + terms.settings.keep)
    pair = pl.when(activity.is_in(ANCHORS)).then(pl.col("when") + terms.reach)
    first = pl.when(at_once).then(pl.min_horizontal("arrival", bound)).otherwise(bound)
    return rows.select("terminal", due=pl.min_horizontal(first, pair), pair=pair)


def _host(rows: pl.DataFrame, agenda: pl.DataFrame, terms: Terms) -> pl.DataFrame:
    """Answers matter to movements at these movements' own deadlines; approvals by themselves when no cash has moved by then.

    Those that come late may explain a movement that waits, at a terminal where one does; reversals tell by themselves.
    """
    restless = agenda["terminal"].filter(agenda["restless"])
    late = (pl.col("arrival") > pl.col("at") + pl.col("latency")) & pl.col("terminal").is_in(restless.implode())
    at_once = pl.col("activity").is_in(["reversal", "partial"]) | late
    approved = pl.col("activity").is_in(["reply", "advice"]) & pl.col("approved").fill_null(value=False)
    idle = pl.when(approved).then(pl.max_horizontal(pl.col("at") + terms.settings.settle, "arrival"))
    swept = pl.col("at") + terms.settings.keep
    return _due(rows, pl.when(at_once).then("arrival").otherwise(pl.min_horizontal(idle, swept)))


def _units(rows: pl.DataFrame, _: pl.DataFrame, terms: Terms) -> pl.DataFrame:
    """Counters are held against movements after the lag; a unit that was touched is told of at once."""
    counted = pl.col("at") + terms.lag
    touched = pl.col("status").is_in(_TOUCHED).fill_null(value=False)
    return _due(rows, pl.when(touched).then(pl.min_horizontal("arrival", counted)).otherwise(counted))


def _rare(rows: pl.DataFrame, _: pl.DataFrame, __: Terms) -> pl.DataFrame:
    """Doors, maintenance and feeds are looked at as they arrive."""
    return _due(rows, pl.col("arrival"))


def _due(rows: pl.DataFrame, instant: pl.Expr) -> pl.DataFrame:
    return rows.select("terminal", due=instant, pair=pl.lit(None, pl.Int64))


_BOUNDS: dict[str, Callable[[pl.DataFrame, pl.DataFrame, Terms], pl.DataFrame]] = {
    "cash": _cash,
    "host": _host,
    "units": _units,
    "operator": _rare,
    "cabinet": _rare,
    "feeds": _rare,
}

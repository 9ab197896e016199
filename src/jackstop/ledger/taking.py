"""Taking in: rows as they came become rows with a time by the host's clock, and clocks learn from what is complete."""

from collections.abc import Iterable
from dataclasses import replace

import polars as pl

from jackstop.ledger import agenda, episodes, intake
from jackstop.ledger.book import Book
from jackstop.ledger.clock import Clocks
from jackstop.ledger.intake import Context, Intake
from jackstop.ledger.shelves import Frames
from jackstop.model.settings import MINUTE
from jackstop.model.tables import Tables

FORGET = 10 * MINUTE
"""µs between two looks for what clocks can forget; no result depends on it."""

_FIRST = -(2**61)


def take_in(known: Intake, book: Book, tables: Tables, context: Context, before: int, watermark: int) -> tuple[Intake, Frames]:
    """Rows due, dated and with amounts; clocks learn from the movements that are complete.

    Args:
        known: what intake remembers. book: the ledger's memory, these rows not yet on its shelves.
        before, watermark: the last watermark and this one (µs).
    """
    settings = context.settings
    admitted, due = intake.admit(known, tables, context, watermark)
    due, history = intake.worth(due, admitted.history)
    clocks = admitted.clocks.told(due["feeds"], settings) if "feeds" in due else admitted.clocks
    clocks = _learn(clocks, book, due, context, (before, watermark))
    if watermark // FORGET > before // FORGET:
        clocks = clocks.forget(watermark - settings.recall)
    if not due:
        return replace(admitted, clocks=clocks), due
    marks = intake.begun(due, admitted.marks)
    dated = intake.date(due, clocks, context, before, marks)
    latest = intake.latest(admitted.marks, marks) if "cash" in due else admitted.marks
    return replace(admitted, clocks=clocks, history=history, marks=latest), dated


def _learn(clocks: Clocks, book: Book, due: Frames, context: Context, since: tuple[int, int]) -> Clocks:
    """Clocks with the pairs of orders and approvals that are complete by now."""
    settings = context.settings
    reach = 2 * settings.pairing + context.latency
    span = (max(since[0], _FIRST) - reach, since[1] - reach)
    names = agenda.pairing(book.agenda, since[1])
    fresh = due.get("cash")
    if fresh is not None:
        names += fresh.filter(pl.col("when").is_between(*span, closed="right"))["terminal"].unique().to_list()
    cash, host = (_both(n, names, book, due) if names else None for n in ("cash", "host"))
    if cash is None or host is None:
        return clocks
    cash = episodes.asked(cash.with_columns(at="when"), settings)
    ordered = cash.filter(pl.col("activity").is_in(["dispense-requested", "dispensed"]) & pl.col("amount").is_not_null())
    follows = pl.col("when") - pl.col("when").shift(1).over("terminal", "clock")
    answer = (pl.col("activity") == "dispensed") & (follows <= settings.completion).fill_null(value=False)
    anchors = ordered.sort("terminal", "clock", "when", "event_id").filter(~answer)
    approved = host.filter(pl.col("activity").is_in(["reply", "advice"]) & pl.col("approved").fill_null(value=False))
    return clocks.learn(anchors, approved, span, settings)


def _both(name: str, terminals: Iterable[str], book: Book, due: Frames) -> pl.DataFrame | None:
    """Rows of a table of some terminals: those kept, and those due now."""
    listed = list(terminals)
    fresh = due.get(name)
    mine = None if fresh is None else fresh.filter(pl.col("terminal").is_in(listed))
    frames = [f for f in (book.shelves.of(name, dict.fromkeys(listed)), mine) if f is not None and f.height]
    return pl.concat(frames, how="diagonal_relaxed") if frames else None

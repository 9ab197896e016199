"""Intake: rows as readers gave them become rows the ledger can use: known terminal, corrected time, arrival, amounts."""

from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from jackstop.ledger import identity, values
from jackstop.ledger.clock import Clocks
from jackstop.ledger.identity import Directory
from jackstop.ledger.shelves import Frames
from jackstop.ledger.streams import Placed
from jackstop.model.settings import Settings
from jackstop.model.tables import Tables

MARKS = {"terminal": pl.String, "clock": pl.String, "mark": pl.Int64}


@dataclass(frozen=True, slots=True)
class Intake:
    """What intake remembers: rows not yet due, clocks, denominations, the names nobody answers to, each clock's last order."""

    waiting: Frames
    clocks: Clocks
    history: pl.DataFrame
    strangers: pl.DataFrame
    marks: pl.DataFrame


@dataclass(frozen=True, slots=True)
class Context:
    """What does not change while rows are taken in: names, streams by their source, settings, latency."""

    directory: Directory
    streams: Placed
    settings: Settings
    latency: int


def admit(state: Intake, tables: Tables, context: Context, watermark: int) -> tuple[Intake, Frames]:
    """Known rows whose time has come (up to `skew` past the watermark), with `when`, and the state without them."""
    if not state.waiting and not tables.height:
        return state, {}
    placed, clocks, strangers = _placed(tables, state.clocks, context)
    due: Frames = {}
    later: Frames = {}
    limit = watermark + context.settings.skew
    for name in sorted({*state.waiting, *placed}):
        both = [f for f in (state.waiting.get(name), placed.get(name)) if f is not None]
        rows = pl.concat(both, how="diagonal_relaxed") if len(both) > 1 else both[0]
        ripe = rows["when"] <= limit
        if ripe.all():
            due[name] = rows
        elif ripe.any():
            due[name], later[name] = rows.filter(ripe), rows.filter(~ripe)
        else:
            later[name] = rows
    later, far = _bounded(later, watermark + context.settings.ahead) if watermark > -_FAR else (later, [])
    lost = identity.together(state.strangers, pl.concat([strangers, *far]))
    return replace(state, waiting=later, clocks=clocks, strangers=lost), due


_FAR = 2**61


def _bounded(later: Frames, limit: int) -> tuple[Frames, list[pl.DataFrame]]:
    """Rows that wait, but for those stamped after a limit (µs), and a count of these as rows that nobody answers to.

    Whoever writes the logs could otherwise fill our memory with rows of years to come.
    """
    kept, far = {}, []
    for name, frame in later.items():
        ahead = frame["when"] > limit
        if ahead.any():
            lost = frame.filter(ahead).select("source", "naming", "terminal", table=pl.lit(name), id=pl.lit(None, pl.String))
            far.append(identity.nobody(lost))
        near = frame.filter(~ahead) if ahead.any() else frame
        if near.height:
            kept[name] = near
    return kept, far


def _placed(tables: Tables, clocks: Clocks, context: Context) -> tuple[Frames, Clocks, pl.DataFrame]:
    """Rows of known terminals with `clock`, `latency`, `group` and `when`; and a count of the others.

    What is asked of every row is asked of the rows of all tables at once: a step has few rows and many tables.
    """
    filled = [(n, f) for n, f in tables.items() if f.height]
    if not filled:
        return {}, clocks, identity.NOBODY
    rows = pl.concat([f.select(*_ASKED, table=pl.lit(n)) for n, f in filled])
    known = context.directory.look_up(rows)
    streams = context.streams.of(rows["source"])
    rows = rows.with_columns(known).join(streams, on="source", how="left", maintain_order="left")
    rows = rows.with_columns(pl.col("clock").fill_null("host"), pl.col("latency").fill_null(0), pl.col("group").fill_null(""))
    stepped, clocks = _stepped(rows, clocks, context)
    rows = rows.with_columns(when=pl.col("time").to_physical() + stepped)
    out: Frames = {}
    start = 0
    for name, frame in filled:
        mine = rows.slice(start, frame.height)
        start += frame.height
        joined = frame.with_columns(mine["id"].alias("terminal"), *(mine[c] for c in ("clock", "latency", "group", "when")))
        named = mine["id"].is_not_null()
        if not named.all():
            joined = joined.filter(named)
        if joined.height:
            out[name] = joined
    return out, clocks, identity.nobody(rows)


_ASKED = ("source", "naming", "terminal", "time", "record_offset")


def _stepped(rows: pl.DataFrame, clocks: Clocks, context: Context) -> tuple[pl.Series, Clocks]:
    """By how much (µs) each row's clock had been set back by then."""
    timed = (pl.col("clock") != "host") & (pl.col("time").to_physical() > 0) & (pl.col("table") != "feeds")
    source = pl.concat_str("source", pl.col("id").fill_null(""), separator="\n")
    own = rows.with_row_index("_row").filter(timed & pl.col("id").is_not_null())
    moved = np.zeros(rows.height, np.int64)
    if own.height:
        ordered = own.select("_row", "time", "record_offset", source=source).sort("source", "record_offset", maintain_order=True)
        told, clocks = clocks.step(ordered, context.settings)
        moved[told["_row"].to_numpy()] = told["stepped"].to_numpy()
    return pl.Series(moved), clocks


def worth(due: Frames, history: pl.DataFrame) -> tuple[Frames, pl.DataFrame]:
    """Rows with amounts filled from counts, and the denominations with what these rows say of them."""
    out = dict(due)
    if "units" in due:
        history = values.learn(history, due["units"].with_columns(at="when"))
    by_layer = pl.when(pl.col("layer") == "device").then(pl.lit("unit")).otherwise(pl.lit("type"))
    for name, by in (("cash", by_layer), ("host", pl.lit("type"))):
        if name in due:
            out[name] = values.amounts(due[name].with_columns(at="when"), history, by)
    return out, history


def begun(due: Frames, marks: pl.DataFrame) -> pl.DataFrame:
    """Where movements begin by their own clocks (terminal, clock, mark in µs): orders in traces, sessions in journals.

    Returns:
        Of the terminals of these rows only.
    """
    if not due:
        return marks.clear()
    names = pl.concat([f["terminal"] for f in due.values()]).unique()
    known = marks.filter(pl.col("terminal").is_in(names.implode()))
    cash = due.get("cash")
    if cash is None:
        return known
    order = (pl.col("clock") == "trace") & (pl.col("activity") == "dispense-requested")
    session = (pl.col("clock") == "journal") & (pl.col("activity") == "session-start")
    fresh = cash.filter(order | session)
    if not fresh.height:
        return known
    return pl.concat([known, fresh.select("terminal", "clock", mark="when").cast(MARKS)]).sort("mark")  # type: ignore[arg-type]


def latest(marks: pl.DataFrame, fresh: pl.DataFrame) -> pl.DataFrame:
    """The last mark of each clock. `fresh`: from `begun`."""
    newest = fresh.group_by("terminal", "clock", maintain_order=True).agg(pl.col("mark").max())
    news = newest.join(marks, on=list(MARKS), how="anti")
    return pl.concat([marks.join(news, on=["terminal", "clock"], how="anti"), news]) if news.height else marks


def date(due: Frames, clocks: Clocks, context: Context, before: int, marks: pl.DataFrame) -> Frames:
    """Rows with `at`, `offset`, `spread`, `known` and `arrival`; a row that comes too late arrives just after `before`.

    All rows of one movement are dated by one estimate, the one known at its beginning, or they would be torn apart.
    """
    if not due:
        return {}
    lag = context.latency + context.settings.skew
    rows = pl.concat([f.select("terminal", "clock", "when", "latency", "observed") for f in due.values()])
    marked = (
        rows.with_row_index("_nth")
        .sort("when")
        .join_asof(marks, left_on="when", right_on="mark", by=["terminal", "clock"], check_sortedness=False)
        .sort("_nth")
    )
    near = pl.col("when") - pl.col("mark") <= context.settings.closing
    referred = marked.with_columns(ref=pl.when(near).then("mark").otherwise("when"))
    said = pl.col("observed").to_physical()
    arrival = pl.max_horizontal(pl.coalesce(said, pl.col("at") + pl.col("latency")), pl.lit(before + 1))
    placed = clocks.apply(referred, lag, context.settings).with_columns(arrival=arrival)
    dated: Frames = {}
    start = 0
    for name, frame in due.items():
        mine = placed.slice(start, frame.height)
        start += frame.height
        dated[name] = frame.with_columns(mine[c] for c in ("at", "offset", "spread", "known", "arrival"))
    return dated

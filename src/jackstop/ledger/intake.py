"""Intake: rows as readers gave them become rows the ledger can use: known terminal, corrected time, arrival, amounts."""

from dataclasses import dataclass, replace

import polars as pl

from jackstop.ledger import values
from jackstop.ledger.clock import Clocks
from jackstop.ledger.identity import Directory
from jackstop.model.settings import Settings
from jackstop.model.tables import Tables

_ADDED = ("clock", "latency", "group", "when", "at", "offset", "spread", "known", "arrival")
Frames = dict[str, pl.DataFrame]
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
    """What does not change while rows are taken in: names, streams (source, clock, latency, group), settings, latency."""

    directory: Directory
    streams: pl.DataFrame
    settings: Settings
    latency: int


def admit(state: Intake, tables: Tables, context: Context, watermark: int) -> tuple[Intake, Frames]:
    """Known rows whose time has come (up to `skew` past the watermark), with `when`, and the state without them."""
    resolved, strangers = context.directory.resolve(tables)
    stepped, clocks = _step(resolved, state.clocks, context)
    due: Frames = {}
    later: Frames = {}
    limit = watermark + context.settings.skew
    for name in sorted({*state.waiting, *stepped}):
        both = [f for f in (state.waiting.get(name), stepped.get(name)) if f is not None and f.height]
        if not both:
            continue
        rows = pl.concat(both, how="diagonal_relaxed") if len(both) > 1 else both[0]
        ripe = pl.col("when") <= limit
        due[name], later[name] = rows.filter(ripe), rows.filter(~ripe)
    lost = pl.concat([state.strangers, strangers]).group_by("source", "naming", "terminal", "table").agg(pl.col("rows").sum())
    return replace(
        state, waiting={n: f for n, f in later.items() if f.height}, clocks=clocks, strangers=lost.cast(state.strangers.schema)
    ), due


def _step(tables: Tables, clocks: Clocks, context: Context) -> tuple[Frames, Clocks]:
    """Rows with their stream's clock and latency, and `when`: the stamp with the source's backward steps undone."""
    placed = {
        name: frame.join(context.streams, on="source", how="left", maintain_order="left").with_columns(
            pl.col("clock").fill_null("host"), pl.col("latency").fill_null(0), pl.col("group").fill_null("")
        )
        for name, frame in tables.items()
        if frame.height
    }
    own = [
        frame.with_row_index("_row")
        .filter((pl.col("clock") != "host") & (pl.col("time").to_physical() > 0))
        .select(
            "time",
            "record_offset",
            "_row",
            source=pl.concat_str("source", pl.col("terminal").fill_null(""), separator="\n"),
            table=pl.lit(name),
        )
        for name, frame in placed.items()
        if name != "feeds"
    ]
    ordered = pl.concat(own).sort("source", "record_offset", maintain_order=True) if own else pl.DataFrame()
    if not ordered.height:
        return {n: f.with_columns(when=pl.col("time").to_physical()) for n, f in placed.items()}, clocks
    moved, clocks = clocks.step(ordered, context.settings)
    done: Frames = {}
    for name, frame in placed.items():
        stepped = moved.filter(pl.col("table") == name).select("_row", "stepped")
        joined = frame.with_row_index("_row").join(stepped, on="_row", how="left", maintain_order="left")
        when = pl.col("time").to_physical() + pl.col("stepped").fill_null(0)
        done[name] = joined.with_columns(when=when).drop("_row", "stepped")
    return done, clocks


def worth(due: Frames, history: pl.DataFrame) -> tuple[Frames, pl.DataFrame]:
    """Rows with amounts filled from counts, and the denominations with what these rows say of them."""
    out = dict(due)
    if "units" in due:
        history = values.learn(history, due["units"].with_columns(at="when"))
    by_layer = pl.when(pl.col("layer") == "device").then(pl.lit("unit")).otherwise(pl.lit("type"))
    for name, by in (("cash", by_layer), ("host", pl.lit("type"))):
        if name in due and due[name].height:
            out[name] = values.amounts(due[name].with_columns(at="when"), history, by)
    return out, history


def begun(due: Frames, marks: pl.DataFrame) -> pl.DataFrame:
    """Where movements begin by their own clocks (terminal, clock, mark in µs): orders in traces, sessions in journals."""
    cash = due.get("cash")
    if cash is None or not cash.height:
        return marks
    order = (pl.col("clock") == "trace") & (pl.col("activity") == "dispense-requested")
    session = (pl.col("clock") == "journal") & (pl.col("activity") == "session-start")
    fresh = cash.filter(order | session).select("terminal", "clock", mark="when")
    return pl.concat([marks, fresh.cast(MARKS)]).sort("mark")  # type: ignore[arg-type]


def latest(marks: pl.DataFrame) -> pl.DataFrame:
    """The last mark of each clock."""
    return marks.group_by("terminal", "clock", maintain_order=True).agg(pl.col("mark").max())


def date(due: Frames, clocks: Clocks, context: Context, before: int, marks: pl.DataFrame) -> Frames:
    """Rows with `at`, `offset`, `spread`, `known` and `arrival`; a row that comes too late arrives just after `before`.

    All rows of one movement are dated by one estimate, the one known at its beginning, or they would be torn apart.
    """
    lag = context.latency + context.settings.skew
    dated: Frames = {}
    for name, frame in due.items():
        marked = (
            frame.with_row_index("_nth")
            .sort("when")
            .join_asof(marks, left_on="when", right_on="mark", by=["terminal", "clock"], check_sortedness=False)
            .sort("_nth")
        )
        near = pl.col("when") - pl.col("mark") <= context.settings.closing
        referred = marked.with_columns(ref=pl.when(near).then("mark").otherwise("when")).drop("_nth", "mark")
        placed = clocks.apply(referred, lag, context.settings).drop("ref")
        said = pl.col("observed").to_physical()
        arrival = pl.max_horizontal(pl.coalesce(said, pl.col("at") + pl.col("latency")), pl.lit(before + 1))
        dated[name] = placed.with_columns(arrival=arrival)
    return dated

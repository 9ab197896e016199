"""The book: open episodes, authorisations and counters between two watermarks, and what each step settles.

State is small frames: rows of the last `keep` minutes, the verdicts given in them, the last counters. Every result has
the instant it could be given (`decided`), a function of the data alone; a step gives those the watermark has reached.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import polars as pl

from jackstop.ledger import (
    authorisations,
    balances,
    drift,
    episodes,
    latecomers,
    outflow,
    presence,
    reconcile,
    reversals,
    verdicts,
)
from jackstop.ledger.intake import Frames
from jackstop.model.settings import Settings
from jackstop.model.tables import ALL

TAKEN = {"episode": pl.UInt64, "approval": pl.UInt64, "amount": pl.Int64, "at": pl.Int64}
GIVEN = {"id": pl.UInt64, "decided": pl.Int64, "kept": pl.Int64, "shown": pl.Int64}
_POOL = ("cash", "host", "units", "operator", "cabinet", "windows", "feeds")
_SHORT = ("cash", "host", "units")
_RARE = ("status", "security-level", "token-refused", "opened-by")


@dataclass(frozen=True, slots=True)
class Book:
    """The ledger's memory.

    Attributes:
        pool: rows still needed, by table, with the columns intake adds.
        taken: approvals used by verdicts given. given: results given, and with which amounts.
        settled: explained episodes remembered for late reversals.
        life: signs of life of the host feeds. host_since: terminal, since: first row of view `host`.
        groups: terminal, group: the host feed each terminal's messages come by.
        last, residue: counters and what they leave unexplained. losses: falls found, for as long as `recall`.
        outflow: what left hour by hour. drift: what nothing explains, hour by hour.
    """

    pool: Frames
    taken: pl.DataFrame
    given: pl.DataFrame
    settled: pl.DataFrame
    life: pl.DataFrame
    host_since: pl.DataFrame
    groups: pl.DataFrame
    last: pl.DataFrame
    residue: pl.DataFrame
    losses: pl.DataFrame
    outflow: outflow.Outflow
    drift: drift.Drift

    @classmethod
    def empty(cls) -> "Book":
        """Nothing known yet."""

        def of(schema: Mapping[str, type[pl.DataType]]) -> pl.DataFrame:
            return pl.DataFrame(schema=schema)

        return cls(
            {},
            of(TAKEN),
            of(GIVEN),
            of(reversals.SETTLED),
            of(presence.LIFE),
            of({"terminal": pl.String, "since": pl.Int64}),
            of({"terminal": pl.String, "group": pl.String}),
            of(balances.LAST),
            of(balances.RESIDUE),
            pl.DataFrame(),
            outflow.Outflow.empty(),
            drift.Drift.empty(),
        )


@dataclass(frozen=True, slots=True)
class Terms:
    """What a step is given besides rows: settings, visits, what sources terminals have, the fleet-wide latency."""

    settings: Settings
    visits: pl.DataFrame
    sources: pl.DataFrame
    latency: int
    history: pl.DataFrame


@dataclass(frozen=True, slots=True)
class Settled:
    """What the book knows after a step, for verdicts and detections.

    Attributes:
        movements: judged episodes of the window (all; `decided` says when each verdict holds).
        idle: approvals for which no cash moved. losses: falls of counters nothing explains.
        undone: reversals that took back what the customer kept.
        drains: hours in which far more left than is usual (see `outflow`). risen: hours in which what nothing explains rose
            over the limit (see `drift`).
        rows: the tables' rows within their look-back, those of this step included.
    """

    movements: pl.DataFrame
    idle: pl.DataFrame
    losses: pl.DataFrame
    undone: pl.DataFrame
    rows: Frames
    drains: pl.DataFrame
    risen: pl.DataFrame


def settle(book: Book, rows: Frames, terms: Terms, before: int, watermark: int) -> tuple[Book, Settled]:
    """Take rows in and judge everything in the window, as known at the watermark."""
    book = _take_in(book, rows, terms, before, watermark)
    cash = episodes.asked(book.pool.get("cash", _blank("cash")), terms.settings)
    host = book.pool.get("host", _blank("host"))
    walked = episodes.walk(cash, terms.settings) if cash.height else cash
    moved = _movements(walked, cash, terms)
    decisions = authorisations.authority(authorisations.build(host, terms.settings), book.host_since, terms.settings)
    judged, late = _judge(book, moved, decisions, terms, before)
    book = replace(book, taken=book.taken.join(late, left_on="episode", right_on="id", how="anti")) if late.height else book
    idle = verdicts.idle(decisions, judged, terms.sources.select("terminal", "latency"), terms.latency, terms.settings)
    book = _remember(book, judged, decisions, watermark)
    book = _balance(book, judged, idle, terms, before, watermark)
    undone = reversals.held_against(host.filter(pl.col("activity").is_in(["reversal", "partial"])), book.settled)
    paying = idle.filter(pl.col("terminal").is_in(cash["terminal"].unique().implode()))
    book = replace(book, drift=drift.note(book.drift, judged, terms.settings, before, watermark))
    settled = Settled(judged, paying, book.losses, undone, book.pool, book.outflow.drains, book.drift.risen)
    return _prune(book, walked, terms.settings, watermark), settled


def _blank(name: str) -> pl.DataFrame:
    extra = {c: pl.Int64 for c in ("latency", "when", "at", "offset", "spread", "arrival")}
    own = next(t.schema for t in ALL if t.name == name)
    return pl.DataFrame(schema={**own, **extra, "known": pl.Boolean, "clock": pl.String, "group": pl.String})


def _take_in(book: Book, rows: Frames, terms: Terms, before: int, watermark: int) -> Book:
    """The pool with new rows, and what host rows say of the feeds' life and reach."""
    pool = dict(book.pool)
    for name, frame in rows.items():
        if name in _POOL and frame.height:
            pool[name] = pl.concat([pool[name], frame], how="diagonal_relaxed") if name in pool else frame
    host = pool.get("host")
    if host is None:
        return replace(book, pool=pool)
    complete = pl.col("at").is_between(before - terms.latency, watermark - terms.latency, closed="right")
    life = presence.learn_life(book.life, host.filter(complete))
    first = host.filter(pl.col("view") == "host").group_by("terminal").agg(since=pl.col("at").min())
    since = pl.concat([book.host_since, first]).group_by("terminal").agg(pl.col("since").min())
    groups = host.filter(complete).sort("at", "event_id").group_by("terminal", maintain_order=True).agg(pl.col("group").last())
    old = book.groups.join(groups, on="terminal", how="anti")
    return replace(book, pool=pool, life=life, host_since=since, groups=pl.concat([old, groups]))


def _movements(walked: pl.DataFrame, cash: pl.DataFrame, terms: Terms) -> pl.DataFrame:
    """Episodes of the window with their amounts, keys and windows; empty where nothing moved."""
    if not walked.height:
        walked = episodes.walk(_blank("cash"), terms.settings)
    built = episodes.primary(episodes.value(episodes.build(walked)), terms.settings)
    placed = presence.with_application(built, presence.application(cash), terms.settings)
    visited = presence.with_visit(placed, terms.visits)
    flags = terms.sources.select("terminal", "has_host", "has_journal")
    known = visited.join(flags, on="terminal", how="left", maintain_order="left").with_columns(
        pl.col("has_host", "has_journal").fill_null(value=False)
    )
    return reconcile.windows(known, terms.sources.select("terminal", "latency"), terms.latency, terms.settings)


def _judge(
    book: Book, moved: pl.DataFrame, decisions: pl.DataFrame, terms: Terms, before: int
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Episodes matched and judged, with their amounts as known at the verdict; and those a late approval explains."""
    matched = reconcile.match(moved, decisions, book.taken, terms.settings)
    alive = presence.with_life(matched, book.life, book.groups, terms.settings)
    final = alive.rename({"shown": "shown_final", "kept": "kept_final"})
    valued = episodes.value(final, until=pl.col("base"))
    judged = verdicts.judge(valued, decisions, terms.settings)
    late = latecomers.find(judged, decisions, terms.settings, before)
    if late.height:
        judged = verdicts.judge(latecomers.explained(valued, late), decisions, terms.settings)
    return judged.with_columns(closes=pl.col("at") + terms.settings.closing).sort("decided", "id"), late


def _remember(book: Book, judged: pl.DataFrame, decisions: pl.DataFrame, watermark: int) -> Book:
    """The book with the verdicts whose deadline has passed standing, and explained episodes kept for late reversals."""
    due = judged.filter(pl.col("deadline") <= watermark)
    fresh = due.join(book.taken, left_on="id", right_on="episode", how="anti").select(
        episode="id", approval="approval", amount="amount", at="at"
    )
    keys = decisions.select("key", "rrn", "stan", "auth_code", approval="id")
    settled = (
        due.filter(pl.col("approval").is_not_null())
        .join(keys, on="approval", how="inner")
        .select(
            "terminal",
            "at",
            "amount",
            "taken",
            "closes",
            "deadline",
            "currency",
            "key",
            "rrn",
            "stan",
            "auth_code",
            episode="id",
            authorised="auth_amount",
            kept="kept_final",
        )
        .select(list(reversals.SETTLED))
    )
    older = book.settled.join(settled, on="episode", how="anti")
    return replace(book, taken=pl.concat([book.taken, fresh]), settled=pl.concat([older, settled]))


def _balance(book: Book, judged: pl.DataFrame, idle: pl.DataFrame, terms: Terms, before: int, watermark: int) -> Book:
    """The book with the counters' falls up to `settle` before the watermark held against the movements."""
    units = book.pool.get("units")
    lag = terms.settings.settle + terms.settings.completion + terms.latency
    start, end = before - lag, watermark - lag
    if units is None:
        return book
    span = pl.col("at").is_between(start, end, closed="right")
    fallen, last = balances.falls(units.filter(span), book.last, terms.history)
    operator = book.pool.get("operator", _blank("operator"))
    fallen = balances.excuse(fallen, balances.permitted(terms.visits, operator, terms.settings))
    flow = outflow.note(book.outflow, fallen, lag, watermark, terms.settings.recall)
    shifted = (pl.col("at") - balances.EARLIER).is_between(start, end, closed="right")
    picks = pl.concat(
        [
            judged.filter(shifted & (pl.col("picked") > 0)).select("terminal", "at", amount="picked"),
            idle.filter(shifted & ~pl.col("undone")).select("terminal", "at", "amount"),
        ]
    ).sort("at", "terminal", "amount")
    missing, residue = balances.losses(fallen, picks, book.residue)
    found = missing.with_columns(decided=pl.max_horizontal(pl.col("at") + lag, "arrival"))
    losses = pl.concat([book.losses, found], how="diagonal_relaxed") if book.losses.width else found
    return replace(book, last=last, residue=residue, losses=losses, outflow=flow)


def _prune(book: Book, walked: pl.DataFrame, settings: Settings, watermark: int) -> Book:
    """The book without what no later verdict can need."""
    near, far = watermark - settings.keep - _doubt(book.pool.get("cash")), watermark - settings.recall
    pool = {n: f.filter(pl.col("at") > far) for n, f in book.pool.items() if n not in _SHORT}
    if "host" in book.pool:
        pool["host"] = book.pool["host"].filter(pl.col("at") > near)
    if "units" in book.pool:
        newest = pl.col("at") == pl.col("at").max().over("terminal", "basis", "unit", "unit_id")
        pool["units"] = book.pool["units"].filter((pl.col("at") > near) | newest)
    if "cash" in book.pool:
        pool["cash"] = _prune_cash(book.pool["cash"], walked, near, far)
    life = book.life.filter((pl.col("at") > near) | pl.int_range(pl.len()).eq(pl.len() - 1).over("group"))
    return replace(
        book,
        pool=pool,
        life=life,
        taken=book.taken.filter(pl.col("at") > near),
        given=book.given.filter(pl.col("decided") > far),
        settled=book.settled.filter(pl.col("at") > watermark - settings.remember),
        losses=book.losses.filter(pl.col("at") > far) if book.losses.width else book.losses,
    )


def _doubt(cash: pl.DataFrame | None) -> int:
    """By how much (µs) movements in the window may be later than they say."""
    return 0 if cash is None or not cash.height else int(cash.select(episodes.later().max()).item())


def _prune_cash(cash: pl.DataFrame, walked: pl.DataFrame, near: int, far: int) -> pl.DataFrame:
    """Cash rows after `near`, none of an episode that began before it, and the rare rows of the last day."""
    rare = pl.col("activity").is_in(_RARE)
    kept = cash.filter((pl.col("at") > near) | (rare & (pl.col("at") > far)))
    if not walked.height:
        return kept
    starts = walked.select("event_id", start=pl.col("at").min().over("episode"))
    return kept.join(starts.filter(pl.col("start") <= near), on="event_id", how="anti")

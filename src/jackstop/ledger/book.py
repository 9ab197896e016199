"""The book: open episodes, authorisations and counters between two watermarks, and what each step settles.

State is small frames: rows of the last `keep` minutes, the verdicts given in them, the last counters. Every result has
the instant it could be given (`decided`), a function of the data alone; a step gives those the watermark has reached. It looks
only at terminals that rows came for or whose instant has come (see `agenda`): of the others nothing new can be said.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache

import polars as pl

from jackstop.ledger import agenda, balances, drift, judging, keeping, outflow, presence, reversals, urgency, values
from jackstop.ledger.judging import POOL, Judged, Terms, blank
from jackstop.ledger.keeping import ANCHORS
from jackstop.ledger.shelves import Frames, Shelves
from jackstop.model.settings import HOUR, Settings
from jackstop.model.tables import BY_NAME

_HELD = (*POOL, "taken", "settled")

Names = tuple[str, ...] | None
"""Terminals; None for all."""


_SOURCES = {"terminal": pl.String, "latency": pl.Int64, "has_host": pl.Boolean, "has_journal": pl.Boolean}
_UNDECLARED = BY_NAME["visits"].empty(), pl.DataFrame(schema=_SOURCES)


@dataclass(frozen=True, slots=True)
class Book:
    """The ledger's memory.

    Attributes:
        shelves: by terminal: rows still needed, by table, with the columns intake adds; `taken`, approvals used by verdicts
            given; `settled`, explained episodes remembered for late reversals; `last` and `residue`, counters and what they
            leave unexplained.
        host_since, cash_since: when each terminal's first row of view `host` was, and its first cash row arrived (µs).
        agenda: by terminal, the next instant at which something can become certain.
        life: signs of life of the host feeds.
        losses: falls of counters found, for as long as `recall`. outflow: what left hour by hour. drift: what nothing
            explains, hour by hour.
        visits, sources: as they were declared when the last step was taken.
    """

    shelves: Shelves
    host_since: Mapping[str, int]
    cash_since: Mapping[str, int]
    agenda: pl.DataFrame
    life: presence.Life
    losses: pl.DataFrame
    outflow: outflow.Outflow
    drift: drift.Drift
    visits: pl.DataFrame
    sources: pl.DataFrame

    @classmethod
    def empty(cls, terminals: int = 0) -> "Book":
        """Nothing known yet; made for about so many terminals."""
        hours = outflow.Outflow.empty(), drift.Drift.empty()
        return cls(
            Shelves.empty(terminals), {}, {}, agenda.empty(), presence.Life.unknown(), pl.DataFrame(), *hours, *_UNDECLARED
        )


@dataclass(frozen=True, slots=True)
class Settled:
    """What the book knows after a step of the terminals it looked at, for verdicts and detections.

    Attributes:
        touched: the terminals looked at; None for all. The frames below are of these, but for losses, drains and risen.
        movements: judged episodes of the window (all; `decided` says when each verdict holds).
        idle: approvals for which no cash moved. undone: reversals that took back what the customer kept.
        rows: the tables' rows within their look-back, those of this step included.
        losses: falls of counters nothing explains. drains: hours in which far more left than is usual (see `outflow`).
            risen: hours in which what nothing explains rose over the limit (see `drift`). Of these, what was not given yet.
        instants: when something at these terminals can become certain. pairs: when their clocks may learn. marked: those
            of which a verdict waits for a sign of life, and those to be watched. All three are for the agenda (see `noted`).
    """

    touched: Names
    movements: pl.DataFrame
    idle: pl.DataFrame
    undone: pl.DataFrame
    rows: Frames
    losses: pl.DataFrame
    drains: pl.DataFrame
    risen: pl.DataFrame
    instants: tuple[pl.DataFrame, ...] = ()
    pairs: tuple[pl.DataFrame, ...] = ()
    marked: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())

    @property
    def hourly(self) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
        """Losses, drains and risen."""
        return self.losses, self.drains, self.risen

    @property
    def looked(self) -> bool:
        """Whether any terminal was looked at."""
        return self.touched is None or bool(self.touched)


def settle(book: Book, rows: Frames, terms: Terms, before: int, watermark: int) -> tuple[Book, Settled]:
    """Take rows in and judge the terminals of which something can be said at the watermark."""
    life = book.life.told(rows.get("host"), before - terms.latency, watermark - terms.latency)
    shelves, host = _taken_in(book.shelves, rows), rows.get("host")
    book = replace(
        book,
        host_since=_began(book.host_since, None if host is None else host.filter(pl.col("view") == "host"), "at"),
        cash_since=_began(book.cash_since, rows.get("cash"), "arrival"),
    )
    planned = agenda.sooner(book.agenda, urgency.instants(rows, book.agenda, terms))
    named = {*agenda.due(planned, watermark, alive=life.track is not book.life.track), *_redeclared(book, terms)}
    touched = None if 2 * len(named) > terms.sources.height else tuple(sorted(named))
    book = replace(book, shelves=shelves, agenda=planned, life=life, visits=terms.visits, sources=terms.sources)
    if touched is None or touched:
        book, settled = _looked_at(book, terms, before, watermark, touched)
    else:
        book, settled = _by_hour(book, None, _untouched().movements, terms, before, watermark), _untouched()
    losses, drains, risen = (_untold(f, before) for f in (book.losses, book.outflow.drains, book.drift.risen))
    book = replace(book, life=_recent(life, terms, watermark))
    return book, replace(settled, losses=losses, drains=drains, risen=risen)


def noted(book: Book, settled: Settled, claimed: Iterable[pl.DataFrame]) -> Book:
    """The book with the agenda of the terminals looked at.

    Args:
        claimed: instants of what detections claim (see `agenda.instants`).
    """
    if not settled.looked:
        return book
    parts = (*settled.instants, *claimed)
    return replace(book, agenda=agenda.entered(book.agenda, settled.touched, parts, settled.pairs, *settled.marked))


def window(book: Book, terms: Terms, watermark: int) -> pl.DataFrame:
    """Every terminal's movements of the window, judged as of now."""
    return judging.judge(_held(book.shelves, None), book.life, book.host_since, terms, watermark).movements


def _held(shelves: Shelves, touched: Names) -> Frames:
    return {n: f for n in _HELD if (f := shelves.of(n, touched)) is not None}


def _untold(frame: pl.DataFrame, before: int) -> pl.DataFrame:
    """What was not decided by the last watermark."""
    if not frame.height:
        return frame
    news = frame["decided"] > before
    return frame.filter(news) if news.any() else frame.clear()


def _recent(life: presence.Life, terms: Terms, watermark: int) -> presence.Life:
    """Life without signs older than any movement in the window can ask for."""
    limit = watermark - terms.settings.keep - HOUR
    return life.forget(limit) if life.oldest < limit - keeping.SLACK else life


def _redeclared(book: Book, terms: Terms) -> set[str]:
    """Terminals whose visits or sources are declared otherwise than at the last step: their verdicts may be due earlier now."""
    named: set[str] = set()
    if terms.visits is not book.visits and not terms.visits.equals(book.visits):
        before, now = set(book.visits["event_id"]), set(terms.visits["event_id"])
        for frame, gone in ((book.visits, before - now), (terms.visits, now - before)):
            named.update(frame.filter(pl.col("event_id").is_in(list(gone)))["terminal"])
    if terms.sources is not book.sources and book.sources.height:
        named.update(terms.sources.join(book.sources, on=terms.sources.columns, how="anti")["terminal"])
    return named


def _taken_in(shelves: Shelves, rows: Frames) -> Shelves:
    """The shelves with new rows."""
    for name, frame in rows.items():
        if name in POOL:
            shelves = shelves.put(name, frame)
    return shelves


def _began(since: Mapping[str, int], rows: pl.DataFrame | None, column: str) -> Mapping[str, int]:
    """Since when a table of each terminal is known, with more rows of it; the same mapping where they tell nothing new."""
    if rows is None or not rows.height:
        return since
    names = rows["terminal"].unique()
    first = rows[column].min()
    if since and all(n in since and since[n] <= first for n in names):  # type: ignore[operator]
        return since
    found = dict(rows.group_by("terminal").agg(pl.col(column).min()).iter_rows())
    return {**since, **{n: min(at, since.get(n, at)) for n, at in found.items()}}


def _looked_at(book: Book, terms: Terms, before: int, watermark: int, touched: Names) -> tuple[Book, Settled]:
    """Judge some terminals, and keep of it what later steps need."""
    held = _held(book.shelves, touched)
    judged = judging.judge(held, book.life, book.host_since, terms, before)
    shelves, kept = keeping.remember(book.shelves, held, judged, watermark, touched)
    book, fallen = _balanced(replace(book, shelves=shelves), held, judged, terms, (before, watermark), touched)
    book = _by_hour(book, fallen, judged.movements, terms, before, watermark)
    undoing = _taken_back(held)
    undone = reversals.held_against(undoing, kept)
    shelves, ages = keeping.sweep(book.shelves, held | {"settled": kept}, judged.walked, terms, watermark, touched)
    pairs = agenda.instants(_anchors(held.get("cash")), watermark, pl.col("when") + terms.reach)
    waits = (pl.col("deadline") <= watermark) & (pl.col("decided") > watermark)
    settled = Settled(
        touched,
        judged.movements,
        judging.paying(judged.idle, book.cash_since),
        undone,
        {n: held[n] for n in POOL if n in held},
        *_untouched().hourly,
        (*ages, *_instants(held, judged, undone, terms, watermark)),
        tuple(pairs),
        (_names(judged.movements.filter(waits)), _watched(held, undoing)),
    )
    return replace(book, shelves=shelves), settled


def _names(frame: pl.DataFrame) -> tuple[str, ...]:
    return tuple(frame["terminal"].unique()) if frame.height else ()


def _watched(held: Frames, undoing: pl.DataFrame) -> tuple[str, ...]:
    """Terminals with doors, maintenance or reversals known: what their dispensers do bears on these at once."""
    frames = (undoing, *(held[n] for n in ("cabinet", "operator") if n in held))
    return tuple({t for f in frames for t in _names(f)})


def _taken_back(held: Frames) -> pl.DataFrame:
    """Host rows that take something back."""
    host = held.get("host", blank("host"))
    return host.filter(pl.col("activity").is_in(["reversal", "partial"]))


def _balanced(
    book: Book, held: Frames, judged: Judged, terms: Terms, span: tuple[int, int], touched: Names
) -> tuple[Book, pl.DataFrame | None]:
    """The book with the counters' falls up to `lag` before the watermark held against the movements, and these falls.

    What comes later than that counts when it comes.
    """
    units = _due(held.get("units", blank("units")), _counted(terms), span)
    picks = _picks(judged, terms, span)
    if not units.height and picks is None:
        return book, None
    picks = _NO_PICKS if picks is None else picks
    shelves = book.shelves
    fallen, last = balances.falls(units, _or(shelves.of("last", touched), balances.LAST), terms.history)
    if fallen.height:
        shelves = shelves.instead("last", touched, last)
        allowed = balances.permitted(terms.visits, held.get("operator", blank("operator")), terms.settings)
        fallen = balances.excuse(fallen, allowed)
    missing, residue = balances.losses(fallen, picks, _or(shelves.of("residue", touched), balances.RESIDUE))
    shelves = shelves.instead("residue", touched, residue)
    losses = book.losses
    if missing.height:
        found = missing.with_columns(decided=pl.max_horizontal(pl.col("at") + terms.lag, "arrival"))
        old = losses.filter(pl.col("at") > span[1] - terms.settings.recall) if losses.width else losses
        losses = pl.concat([old, found], how="diagonal_relaxed") if old.width else found
    return replace(book, shelves=shelves, losses=losses), fallen


def _picks(judged: Judged, terms: Terms, span: tuple[int, int]) -> pl.DataFrame | None:
    """What movements, and approvals no movement is known of, took out: terminal, at, amount; None where there are none."""
    moved, idle = (_due(f, _picked(terms), span) for f in (judged.movements, judged.idle))
    moved = _not_counted(moved, judged.decisions, terms)
    if not moved.height and not idle.height:
        return None
    moved = moved.filter(pl.col("picked") > 0).select("terminal", "at", amount="picked")
    idle = idle.filter(~pl.col("undone")).select("terminal", "at", "amount")
    return pl.concat([moved, idle]).sort("at", "terminal", "amount")


def _not_counted(moved: pl.DataFrame, decisions: pl.DataFrame, terms: Terms) -> pl.DataFrame:
    """Movements without those that came so late that their approval has counted by itself, as one without cash."""
    late = pl.col("arrival") > pl.col("at") - balances.EARLIER + terms.lag
    if not moved.height or not moved.select(late.any()).item():
        return moved
    as_late = decisions.filter(late)["id"]
    return moved.filter(~late | pl.col("approval").is_in(as_late.implode()).fill_null(value=False))


def _due(frame: pl.DataFrame, instant: pl.Expr, span: tuple[int, int]) -> pl.DataFrame:
    """Rows whose instant (µs) lies in a span, its end included."""
    return frame.filter(instant.is_between(*span, closed="right")) if frame.height else frame


def _counted(terms: Terms) -> pl.Expr:
    """From when a counter is held against the movements (µs)."""
    return pl.max_horizontal(pl.col("at") + terms.lag, "arrival")


def _picked(terms: Terms) -> pl.Expr:
    """From when a movement, or an approval of which none is known, counts against counters (µs)."""
    return pl.max_horizontal(pl.col("at") - balances.EARLIER + terms.lag, "arrival")


_NO_PICKS = pl.DataFrame(schema={"terminal": pl.String, "at": pl.Int64, "amount": pl.Int64})


def _or(frame: pl.DataFrame | None, schema: Mapping[str, type[pl.DataType]]) -> pl.DataFrame:
    return pl.DataFrame(schema=schema) if frame is None else frame


def _by_hour(book: Book, fallen: pl.DataFrame | None, moved: pl.DataFrame, terms: Terms, before: int, watermark: int) -> Book:
    """The book with what falls and movements add to their hours, and with the hours that are over."""
    flow, drifted = book.outflow, book.drift
    over = (watermark - terms.lag) // HOUR > (before - terms.lag) // HOUR and flow.open.height
    if over or (fallen is not None and fallen.height):
        flow = outflow.note(flow, balances.NOTHING if fallen is None else fallen, terms.lag, watermark, terms.settings.recall)
    fresh = moved
    if moved.height:
        fresh = moved.filter(pl.col("decided").is_between(before, watermark, closed="right"), pl.col("picked") > 0)
    if fresh.height or (watermark // HOUR > before // HOUR and drifted.open.height):
        drifted = drift.note(drifted, fresh, terms.settings, watermark)
    return replace(book, outflow=flow, drift=drifted)


def _anchors(cash: pl.DataFrame | None) -> pl.DataFrame | None:
    """Cash rows from which clocks may learn."""
    return None if cash is None else cash.filter(pl.col("activity").is_in(ANCHORS))


def _instants(held: Frames, judged: Judged, undone: pl.DataFrame, terms: Terms, watermark: int) -> list[pl.DataFrame]:
    """When something can become certain of what is held."""
    decided, picked = pl.col("decided"), _picked(terms)
    final = pl.max_horizontal(decided, pl.col("closes") + pl.col("latency"))
    return [
        *agenda.instants(judged.movements, watermark, pl.col("deadline"), decided, final, picked),
        *agenda.instants(judged.idle, watermark, decided, picked),
        *agenda.instants(held.get("units"), watermark, _counted(terms)),
        *agenda.instants(undone, watermark, decided),
    ]


@cache
def _untouched() -> Settled:
    """What is known where no terminal was looked at."""
    terms = Terms(Settings(), *_UNDECLARED, 0, pl.DataFrame(schema=values.HISTORY))
    judged = judging.judge({}, presence.Life.unknown(), {}, terms, 0)
    undone = reversals.held_against(blank("host"), pl.DataFrame(schema=reversals.SETTLED))
    return Settled((), judged.movements, judged.idle, undone, {}, pl.DataFrame(), pl.DataFrame(), pl.DataFrame())

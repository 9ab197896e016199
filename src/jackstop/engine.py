"""The engine: `advance(state, tables, watermark)` gives the next state and what has become certain since the last.

Guarantees. Time enters only as the watermark. Each verdict and finding has the instant from which it could be given, a
function of the rows alone; a call gives those in (previous watermark, watermark]. So the result does not depend on how
rows are cut into calls, nor on the order in which sources deliver.  `snapshot` and
`restore` turn a state into bytes and back.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import msgspec
import polars as pl

from jackstop import detections, rules
from jackstop.advisories import Indicator
from jackstop.detections import Signals, View
from jackstop.ledger import agenda, disks, identity, intake, packing, streams, taking, values, verdicts
from jackstop.ledger import book as ledger
from jackstop.ledger.clock import Clocks
from jackstop.ledger.judging import Terms
from jackstop.ledger.shelves import Frames
from jackstop.ledger.streams import Stream
from jackstop.model.fleet import Fleet
from jackstop.model.results import VERDICTS, Finding, RecordRef
from jackstop.model.settings import Settings
from jackstop.model.tables import Tables

BEGINNING = -(2**62)


@dataclass(frozen=True, slots=True)
class Setup:
    """What stays the same: the fleet, its streams and visits, the settings, and which detections run."""

    fleet: Fleet
    streams: tuple[Stream, ...]
    visits: pl.DataFrame
    settings: Settings
    detections: tuple[str, ...]
    context: intake.Context
    sources: pl.DataFrame
    signals: Signals

    @classmethod
    def of(
        cls,
        fleet: Fleet,
        known: Iterable[Stream],
        visits: pl.DataFrame,
        settings: Settings | None = None,
        chosen: Iterable[str] | None = None,
        indicators: Iterable[Indicator] = (),
    ) -> "Setup":
        """A set-up; all detections, default settings and no indicators of advisories unless told otherwise."""
        listed, tuned = tuple(known), settings or Settings()
        latency = max((s.latency for s in listed if s.is_host or s.clock in {"trace", "journal"}), default=0)
        context = intake.Context(identity.Directory.of(fleet), streams.Placed.of_all(listed), tuned, latency)
        by_terminal = streams.by_terminal(listed, [t.id for t in fleet.terminal])
        names = detections.names() if chosen is None else tuple(chosen)
        shared = [s.name for s in listed if s.terminal is None]
        signals = detections.signals(names, indicators, max((s.latency for s in listed), default=0), shared)
        return cls(fleet, listed, visits, tuned, names, context, by_terminal, signals)

    def with_streams(self, known: Iterable[Stream]) -> "Setup":
        """The set-up with other streams: feeds may be declared while a service runs. No rule is made anew."""
        listed = tuple(known)
        latency = max((s.latency for s in listed if s.is_host or s.clock in {"trace", "journal"}), default=0)
        return replace(
            self,
            streams=listed,
            context=replace(self.context, streams=streams.Placed.of_all(listed), latency=latency),
            sources=streams.by_terminal(listed, [t.id for t in self.fleet.terminal]),
            signals=replace(
                self.signals,
                latency=max((s.latency for s in listed), default=0),
                shared=frozenset(s.name for s in listed if s.terminal is None),
            ),
        )

    def with_visits(self, visits: pl.DataFrame) -> "Setup":
        """The set-up with other visits: they may be announced while a service runs."""
        return replace(self, visits=visits)


@dataclass(frozen=True, slots=True)
class State:
    """Everything the engine remembers.

    Attributes:
        watermark: how far time has come (µs UTC). intake, book: the ledger's. disks: the disks known; changed: of the last
            day. signals: recent hits of rules; told: what they say together.
    """

    watermark: int
    intake: intake.Intake
    book: ledger.Book
    disks: pl.DataFrame
    changed: pl.DataFrame
    signals: pl.DataFrame
    told: pl.DataFrame

    @classmethod
    def begin(cls, setup: Setup) -> "State":
        """The state before the first row."""
        nothing = identity.NOBODY, pl.DataFrame(schema=intake.MARKS)
        first = intake.Intake({}, Clocks.unknown(), values.declared(setup.fleet), *nothing)
        book = ledger.Book.empty(len(setup.fleet.terminal))
        told = setup.signals.tell(rules.empty())
        return cls(BEGINNING, first, book, pl.DataFrame(schema=disks.KNOWN), pl.DataFrame(), rules.empty(), told)


@dataclass(frozen=True, slots=True)
class Output:
    """What one step gave.

    Attributes:
        findings: in the order decided. verdicts: rows of `results.VERDICTS`; a later row of the same id replaces the earlier.
        rows: the tables' rows that became due, with their terminal resolved and `at` (µs, the host's clock).
    """

    findings: tuple[Finding, ...]
    verdicts: pl.DataFrame
    rows: Frames


def advance(setup: Setup, state: State, tables: Tables, watermark: int) -> tuple[State, Output]:
    """Take rows in and give what has become certain by the watermark (µs UTC).

    Rows should reach `settings.skew` past the watermark, and may reach further: those wait. The rows of one source come
    in that source's own order (clock steps are found in it); sources among each other in any.

    Raises:
        ValueError: the watermark goes back.
    """
    if watermark < state.watermark:
        raise ValueError(f"watermark {watermark} is before {state.watermark}: time does not go back")
    before = state.watermark
    taken, rows = taking.take_in(state.intake, state.book, tables, setup.context, before, watermark)
    known, changed = _disks(state, rows, setup.settings, watermark)
    signals = setup.signals.take(state.signals, rows, setup.fleet, before)
    told = state.told if signals is state.signals else setup.signals.tell(signals)
    book, settled = ledger.settle(state.book, rows, _terms(setup, taken.history), before, watermark)
    now = State(watermark, taken, book, known, changed, signals, told)
    view = _view(setup, now, settled, state)
    if view is None:
        return now, Output((), _NO_VERDICTS, rows)
    findings, waiting = _findings(setup, view, before, watermark)
    given = _verdicts(settled, before, watermark)
    return replace(now, book=ledger.noted(book, settled, waiting)), Output(findings, given, rows)


def _view(setup: Setup, now: State, settled: ledger.Settled, last: State) -> View | None:
    """What detections look at in this step; None where nothing of it is new."""
    signals = now.told if now.told is not last.told or _new(now.told, last, now) else now.told.clear()
    changed = now.changed if _new(now.changed, last, now) else now.changed.clear()
    if not settled.looked and not any(f.height for f in (signals, changed, *settled.hourly)):
        return None
    return View(
        settled.rows,
        settled.movements,
        settled.idle,
        settled.losses,
        settled.undone,
        changed,
        setup.visits,
        setup.fleet,
        setup.settings,
        signals,
        settled.drains,
        settled.risen,
    )


def _new(frame: pl.DataFrame, last: State, now: State) -> bool:
    """Whether any row arrives between two watermarks."""
    return bool(frame.height) and bool(frame["arrival"].is_between(last.watermark, now.watermark, closed="right").any())


def _terms(setup: Setup, history: pl.DataFrame) -> Terms:
    return Terms(setup.settings, setup.visits, setup.sources, setup.context.latency, history)


def pending(setup: Setup, state: State) -> pl.DataFrame:
    """Verdict rows `pending` of the movements seen by now whose verdict is yet to come."""
    movements = ledger.window(state.book, _terms(setup, state.intake.history), state.watermark)
    open_ones = movements.filter(pl.col("decided") > state.watermark).with_columns(
        verdict=pl.lit("pending"),
        reason=pl.lit("awaiting-sources"),
        approval=pl.lit(None, pl.UInt64),
        order=pl.lit(None, pl.String),
        gate=pl.lit(None, pl.String),
        missing=pl.lit(None, pl.String),
        decided=pl.lit(state.watermark, pl.Int64),
    )
    return verdicts.rows(open_ones, "episode").cast(VERDICTS)  # type: ignore[arg-type]


def _disks(state: State, rows: Frames, settings: Settings, watermark: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Disks known, and the changes of the last day."""
    shown = disks.seen(rows["windows"]) if "windows" in rows and rows["windows"].height else None
    if shown is None or not shown.height:
        return state.disks, state.changed
    known, changed = disks.learn(state.disks, shown)
    together = pl.concat([state.changed, changed], how="diagonal_relaxed") if state.changed.width else changed
    return known, together.filter(pl.col("at") > watermark - settings.recall)


def _findings(setup: Setup, view: View, before: int, watermark: int) -> tuple[tuple[Finding, ...], list[pl.DataFrame]]:
    """What the detections claim that could be claimed since the last watermark, in a fixed order; and when more can be."""
    fresh = pl.col("decided").is_between(before, watermark, closed="right")
    found: list[Finding] = []
    waiting: list[pl.DataFrame] = []
    for name in setup.detections:
        claimed = detections.find(name).detect(view)
        if not claimed.height:
            continue
        waiting += agenda.instants(claimed, watermark, pl.col("decided"))
        found += [_finding(name, row) for row in claimed.filter(fresh).iter_rows(named=True)]
    return tuple(sorted(found, key=lambda f: (f.decided_at, f.terminal, f.detection, f.id))), waiting


def _finding(name: str, row: Mapping[str, object]) -> Finding:
    claim = msgspec.convert(row, _Claim)
    seed = f"{name}|{claim.terminal}|{claim.key}".encode()
    refs = [RecordRef(r.source, r.record_offset, r.record_length, r.record_digest.hex()) for r in claim.records if r is not None]
    return Finding(
        hashlib.sha256(seed).hexdigest()[:16],
        name,
        claim.terminal,
        claim.severity,
        claim.at,
        claim.decided,
        (("detail", claim.detail),) if claim.detail else (),
        claim.amount or 0,
        claim.currency or "",
        tuple(sorted(set(refs), key=lambda r: (r.path, r.offset))),
        (),
        tuple(v for v in claim.verdicts if v is not None),
    )


class _Ref(msgspec.Struct):
    source: str
    record_offset: int
    record_length: int
    record_digest: bytes


class _Claim(msgspec.Struct):
    """A row of `detections.CLAIMS`."""

    key: int
    terminal: str
    at: int
    decided: int
    severity: str
    detail: str
    amount: int | None = None
    currency: str | None = None
    records: list[_Ref | None] = []
    verdicts: list[str | None] = []


def _verdicts(settled: ledger.Settled, before: int, watermark: int) -> pl.DataFrame:
    """Verdict rows that hold since the last watermark, and earlier ones whose amounts have become final."""
    if not settled.looked and not settled.losses.height:
        return _NO_VERDICTS

    def fresh(column: str) -> pl.Expr:
        return pl.col(column).is_between(before, watermark, closed="right")

    moved = settled.movements.with_columns(
        order=pl.when(pl.col("verdict") == "explained-by-visit").then("test_order"),
        final=pl.max_horizontal("decided", pl.col("closes") + pl.col("latency")),
    )
    ended = moved.filter(fresh("final")).with_columns(shown="shown_final", kept="kept_final")
    parts = [(moved.filter(fresh("decided")), "episode"), (ended, "episode")]
    if settled.undone.height:
        parts.append((_reversed(settled, fresh("decided"), moved), "episode"))
    idle = settled.idle.filter(fresh("decided"))
    if idle.height:
        parts.append((_as_movement(idle, "amount"), "authorisation"))
    if settled.losses.height:
        lost = settled.losses.filter(fresh("decided")).with_columns(
            verdict=pl.lit("unexplained"), reason=pl.lit("counters-fell"), spread=pl.lit(None, pl.Int64)
        )
        parts.append((_as_movement(lost, "loss", moved=True), "balance"))
    given = [verdicts.rows(frame, kind) for frame, kind in parts if frame.height]
    return pl.concat(given).cast(VERDICTS) if given else _NO_VERDICTS  # type: ignore[arg-type]


_NO_VERDICTS = pl.DataFrame(schema=VERDICTS)


def _reversed(settled: ledger.Settled, fresh: pl.Expr, moved: pl.DataFrame) -> pl.DataFrame:
    """Explained episodes that a reversal contradicts after all, where they are still in the window."""
    undone = settled.undone.filter(fresh).select(id="episode", said="decided", proof="records").unique("id")
    return moved.join(undone, on="id", how="inner").with_columns(
        verdict=pl.lit("contradicted"),
        reason=pl.lit("reversed-after-taken"),
        decided="said",
        shown="shown_final",
        kept="kept_final",
        records=pl.concat_list("records", "proof"),
    )


def _as_movement(frame: pl.DataFrame, amount: str, *, moved: bool = False) -> pl.DataFrame:
    """Idle approvals and losses with the columns verdict rows are made from."""
    worth = pl.col(amount) if moved else pl.lit(0, pl.Int64)
    nothing = pl.lit(None, pl.String)
    return frame.with_columns(
        picked=worth,
        shown=worth,
        kept=worth,
        approval=pl.lit(None, pl.UInt64) if moved else pl.col("id"),
        order=nothing,
        gate=nothing,
        missing=nothing,
        offset=pl.lit(None, pl.Int64),
        spread=pl.lit(None, pl.Int64),
        auth_records=pl.lit(None, pl.List(detections.RECORD)),
    )


def snapshot(state: State) -> bytes:
    """The state as bytes (MessagePack of Arrow IPC frames), to be given to `restore`."""
    return msgspec.msgpack.encode(packing.pack(state))


def restore(data: bytes, setup: Setup) -> State:
    """The state a snapshot was made of.

    Raises:
        msgspec.DecodeError: the bytes are not a snapshot.
    """
    packed = msgspec.msgpack.decode(data)
    state = State.begin(setup)
    unpacked = packing.unpack(state, packed)
    if not isinstance(unpacked, State):
        raise msgspec.DecodeError("not a snapshot of an engine state")
    return unpacked

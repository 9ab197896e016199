"""The live loop: frames of the spool → rows → engine → triage → store, a step for each tick or a few of them.

Guarantee. What it decides is a function of the spool's frames. A step's results are written in one transaction with the
frame they rest on; a checkpoint (everything remembered, and the place in the spool) now and then, made beside the steps that
follow (`saving`). After a crash the loop goes on from the last checkpoint; steps up to the last one written are taken again and
written no more, for they end where that one ended, and what they gave does not depend on where time was cut between. So each
result is there once.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import msgspec
import polars as pl

from jackstop import engine, kpi, triage
from jackstop.advisories import Indicator
from jackstop.model.fleet import Fleet
from jackstop.model.results import PAGING, Alert
from jackstop.model.settings import SECOND, Settings
from jackstop.model.tables import Tables
from jackstop.pipeline import Run
from jackstop.policy.facts import SEEN, facts
from jackstop.runners import hindsight, memory
from jackstop.runners.feeding import Feeds
from jackstop.runners.pace import Pace
from jackstop.runners.rebuild import rebuild, waiting
from jackstop.runners.saving import Made, Saving
from jackstop.spool import Frame, Kind, Position
from jackstop.store.live import Checkpoint, Decided, Fact, HistoryFile, Live

TARGET = 20_000
"""Rows after which a step is taken though more frames wait."""

SPAN = 5 * SECOND
"""µs of ticks that one step takes at most while frames wait."""

SHARE = 20
"""A checkpoint is not made before so many times as long as the last one took have passed."""

LARGE = 4 << 20
"""Bytes of the engine's state from which on it is kept beside the database."""

_FOREIGN = (memory.Unknown, msgspec.DecodeError, TypeError, LookupError, pl.exceptions.PolarsError)
"""What restoring a state raises that another version wrote, or that is damaged."""


class Follower(Protocol):
    """The role of the spool's reader."""

    def take(self, most_bytes: int = 8 << 20) -> list[Frame]:
        """Frames that are there, possibly none."""


class History(Protocol):
    """The role of what keeps rows."""

    def keep(self, rows: Mapping[str, pl.DataFrame]) -> None:
        """Keep the rows of a step (`engine.Output.rows`) in memory."""

    def seal(self) -> Callable[[int], Sequence[HistoryFile]]:
        """Part what was kept from what will be; gives what writes it as files named after a frame of the spool, by any thread."""

    def rows(self, table: str, terminal: Sequence[str] | None, begin: int, end: int, limit: int) -> pl.DataFrame:
        """Rows of a table with `at` from `begin` to before `end` (µs UTC), of some terminals or all."""

    def verdicts(self, terminal: str, begin: int, end: int, limit: int) -> pl.DataFrame:
        """The verdicts that stand of a terminal's movements in that time (`results.VERDICTS`)."""


class States(Protocol):
    """The role of what keeps large states beside the database: see `store.states.States`."""

    def put(self, seq: int, state: bytes) -> str:
        """Write the state of a checkpoint, by any thread; gives its name."""

    def get(self, name: str) -> bytes:
        """The state of that name; LookupError where there is none."""

    def tidy(self, *kept: str) -> None:
        """Remove all but these."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What the loop is told: the fleet, its visits as announced, indicators, settings, which detections run.

    `every`: µs between checkpoints at the least. `clock`: wall clock (µs), for what is written, never for what is decided.
    `pace`: makes the pace from what a checkpoint kept of it. `strikes`: spans of frames (first, last seq) that broke the
    loop before: their bytes are left out.
    """

    fleet: Fleet
    visits: pl.DataFrame
    pace: Callable[[bytes], Pace]
    clock: Callable[[], int]
    indicators: tuple[Indicator, ...] = ()
    settings: Settings = field(default_factory=Settings)
    chosen: tuple[str, ...] | None = None
    every: int = 15 * SECOND
    strikes: tuple[tuple[int, int], ...] = ()


@dataclass(slots=True)
class Standing:
    """How the loop fares: frames, rows and steps so far, time it came to, the last frame, and what the last step cost (s)."""

    seq: int = 0
    received: int = 0
    watermark: int = engine.BEGINNING
    steps: int = 0
    rows: int = 0
    cost: float = 0.0
    checkpoint: int = 0


class Loop:
    """The loop, begun anew or from a checkpoint.

    Args:
        terms: what it is told. live, history: where results go. follow: gives a follower of the spool from a position on.
        states: where large states go; without it, into the checkpoint itself.

    Attributes:
        standing: how it fares. at_work: first and last frame of the step at hand. rebuilt: why the checkpoint's state could not
            be used and was made anew from the history; empty where it could.

    Raises:
        StoreError: the store cannot be read. memory.Unknown: not even its place in the spool can be read.
    """

    def __init__(
        self,
        terms: Terms,
        live: Live,
        history: History,
        follow: Callable[[Position | None], Follower],
        states: States | None = None,
    ) -> None:
        self._terms, self._live, self._history, self._states = terms, live, history, states
        self._feeds = Feeds()
        self._run = Run.begin(terms.fleet, (), terms.visits, SECOND, terms.settings, terms.chosen, terms.indicators)
        self._committed = live.committed()
        self._kept_lateness, self._again, self._place = b"", "", ""
        kept = live.checkpoint()
        self._pace = self._restore(kept) if kept is not None else terms.pace(b"")
        self._follower = follow(Position(kept.segment, kept.offset) if kept is not None else None)
        self._waiting: list[Frame] = []
        self._begun: int | None = None
        self._lateness = hindsight.Lateness(self._kept_lateness)
        self._saving, self._seen = Saving(), dict[str, int]()
        self._saved_at, self._save_cost, self._urgent = terms.clock(), 0, False
        self._next = Position(kept.segment, kept.offset) if kept is not None else Position(1, 0)
        self.at_work, self.rebuilt = (0, 0), self._again
        self.standing = Standing(seq=kept.seq if kept is not None else 0, watermark=self._run.state.watermark)

    def turn(self) -> int:
        """Deal with the frames that are there; gives how many there were.

        Raises:
            StoreError: results cannot be written. Nothing of the step was; the loop must begin anew from its checkpoint.
        """
        frames = self._follower.take()
        ticks = [i for i, f in enumerate(frames) if f.kind is Kind.TICK]
        last = ticks[-1] if ticks else -1
        for i, frame in enumerate(frames):
            self._waiting.append(frame)
            if frame.kind is Kind.TICK and (i == last or self._ripe(frame)):
                self._step()
        return len(frames)

    def save(self) -> None:
        """Make a checkpoint now.

        Raises:
            StoreError: it cannot be written.
        """
        self._write(None, at_once=True)

    def close(self) -> None:
        """Wait for what is being made beside; no turn may follow."""
        self._saving.close()

    def _ripe(self, tick: Frame) -> bool:
        """Whether a step ends at a tick behind which more frames wait."""
        if tick.seq == self._committed:
            return True
        first = self._begun if self._begun is not None else tick.received
        self._begun = first
        return tick.received - first >= SPAN or sum(len(f.data) for f in self._waiting) >= 256 * TARGET

    def _step(self) -> None:
        """Take the frames that wait, up to the tick that is their last."""
        tick, began = self._waiting[-1], self._terms.clock()
        self.at_work = (self._waiting[0].seq, tick.seq)
        tables = self._feeds.decode(self._kept())
        self._waiting, self._begun = [], None
        if self._feeds.changed:
            self._run.setup = self._run.setup.with_streams(self._feeds.streams())
        if tables.visits.height:
            self._run.setup = self._run.setup.with_visits(_announced(self._run.setup.visits, tables.visits, self._terms.fleet))
        self._pace.note(tables)
        self._pace.tick(tick.received)
        before, was = dict(self._run.desk.open), self._run.state.watermark
        output = self._run.advance(tables, max(self._pace.watermark, was))
        self._history.keep(output.rows)
        self._next = tick.next
        self._note(tick, tables)
        self._lateness.note(output.rows, was, tick.received)
        told = triage.changed(self._run.desk, before, self._terms.fleet.fleet.currency)
        self._urgent = self._urgent or any(a.severity in PAGING for a in told)
        triage.tidy(self._run.desk, self._run.state.watermark, self._terms.settings)
        ripe = self._lateness.ripe(tick.received)
        self._write(self._decided(tick, output, told), at_once=bool(ripe))
        if ripe:
            self._look_back(tick, ripe)
        self.standing.cost = (self._terms.clock() - began) / SECOND

    def _look_back(self, tick: Frame, ripe: Mapping[str, tuple[int, int]]) -> None:
        """Judge movements again for which rows came late; verdicts are revised, alerts told anew."""
        before, now = dict(self._run.desk.open), self._run.state.watermark
        again = hindsight.judge(self._run.setup, self._run.state, ripe, self._history.rows)
        stored = [self._stored(a.spans) for a in again]
        gone = (i for a, s in zip(again, stored, strict=True) for i in hindsight.absorbed(a, s)["id"])
        settled = frozenset([*(i for a in again for i in a.explained), *gone])
        ended = [i for i in triage.withdraw(self._run.desk, settled, now) if self._run.desk.open.get(i.place) is not i]
        triage.fold(self._run.desk, hindsight.late_findings(again, self._run.desk, now), SECOND, self._terms.settings)
        currency = self._terms.fleet.fleet.currency
        told = (*triage.changed(self._run.desk, before, currency), *triage.shown(ended, currency))
        rows = pl.concat([hindsight.revised(a, s) for a, s in zip(again, stored, strict=True)])
        self._live.revise(rows, told if tick.seq >= self._committed else (), self._terms.clock())

    def _stored(self, spans: Mapping[str, tuple[int, int]]) -> pl.DataFrame:
        """The verdicts that stand around late rows."""
        wide = hindsight.AROUND
        return pl.concat([self._history.verdicts(t, b - wide, e + wide, hindsight.MOST) for t, (b, e) in spans.items()])

    def _kept(self) -> list[Frame]:
        """The frames that wait, without the bytes that broke the loop before: of those it is known that they were refused."""
        spans = [s for s in self._terms.strikes if s[0] <= self._waiting[-1].seq and s[1] >= self._waiting[0].seq]
        if not spans:
            return self._waiting
        return [_refused(f) if any(a <= f.seq <= b for a, b in spans) else f for f in self._waiting]

    def _note(self, tick: Frame, tables: Tables) -> None:
        now = self.standing
        now.seq, now.received, now.watermark = tick.seq, tick.received, self._run.state.watermark
        now.steps, now.rows = now.steps + 1, now.rows + tables.height

    def _decided(self, tick: Frame, output: engine.Output, told: Sequence[Alert]) -> Decided | None:
        """What a step gave; None where it was written before a crash."""
        accounts = self._feeds.accounts()
        if tick.seq <= self._committed:
            return None
        return Decided(
            seq=tick.seq,
            watermark=self._run.state.watermark,
            at=self._terms.clock(),
            verdicts=output.verdicts,
            alerts=told,
            hours=kpi.count(output.rows, self._terms.fleet, self._run.setup.visits),
            facts=self._news(output),
            feeds=accounts,
        )

    def _news(self, output: engine.Output) -> list[Fact]:
        """The facts of a step, but for what was told before: that a machine was seen in a minute."""
        told = facts(output.rows, output.findings, self._terms.fleet)
        news = [f for f in told if f[1] != SEEN or self._seen.get(f[0]) != f[2]]
        self._seen.update((f[0], f[2]) for f in news if f[1] == SEEN)
        return [Fact(*f) for f in news]

    def _due(self) -> bool:
        """Whether it is time for a checkpoint: sooner where somebody is woken, for then the timeline is asked for."""
        passed = self._terms.clock() - self._saved_at
        least = max(2 * SECOND if self._urgent else self._terms.every, SHARE * self._save_cost)
        return not self._saving.busy and passed >= least

    def _write(self, decided: Decided | None, *, at_once: bool) -> None:
        """Write a step, with a checkpoint that is ready; where it is time, the next is begun. `at_once`: with its own."""
        if at_once:
            self._commit(None, self._saving.wait())
            self._commit(decided, self._making()())
            return
        self._commit(decided, self._saving.ready())
        if self._due():
            self._saving.begin(self._making())

    def _commit(self, decided: Decided | None, made: Made | None) -> None:
        if made is not None:
            self._live.commit(decided, made.checkpoint, made.files, made.readers, made.gone)
            self._saved_at, self._save_cost = self._terms.clock(), made.cost
            self.standing.checkpoint = made.checkpoint.seq
            if self._states is not None:
                self._states.tidy(made.place, self._place)
            self._place = made.place
        elif decided is not None:
            self._live.commit(decided)

    def _making(self) -> Callable[[], Made]:
        """What makes a checkpoint of how things stand now; another thread may do it while the loop goes on."""
        clock, at, seq, watermark = self._terms.clock, self._next, self.standing.seq, self._run.state.watermark
        gone = self._feeds.forget(self.standing.received)
        files, readers, pack, began = self._history.seal(), self._feeds.pack(), self._packing(), self._terms.clock()
        self._urgent = False

        def make() -> Made:
            state, place = pack(seq)
            checkpoint = Checkpoint(
                seq=seq,
                segment=at.segment,
                offset=at.offset,
                watermark=watermark,
                made_at=began,
                version=memory.LAYOUT,
                state=state,
            )
            return Made(checkpoint, files(seq), readers, clock() - began, place, gone)

        return make

    def _packing(self) -> Callable[[int], tuple[bytes, str]]:
        """What packs everything remembered now. What steps change in place is packed here; the engine's state is a value.

        Returns:
            Given the checkpoint's frame, the state, and the name of the file that its large part is in.
        """
        run, states = replace(self._run), self._states
        small = (("desk", memory.pack_desk(run.desk)), ("pace", self._pace.pack()), ("lateness", self._lateness.pack()))

        def pack(seq: int) -> tuple[bytes, str]:
            visits = run.setup.visits.write_ipc(None).getvalue()
            told = engine.snapshot(run.state)
            place = states.put(seq, told) if states is not None and len(told) >= LARGE else ""
            large = ("elsewhere", place.encode()) if place else ("engine", told)
            return memory.squeeze((large, *small, ("visits", visits), ("waiting", waiting(run)))), place

        return pack

    def _restore(self, kept: Checkpoint) -> Pace:
        """Take everything remembered from a checkpoint; gives the pace."""
        parts = memory.stretch(kept.state)
        self._feeds.unpack(self._live.readers())
        setup = self._run.setup.with_streams(self._feeds.streams()).with_visits(pl.read_ipc(parts["visits"]))
        self._run.setup = setup
        try:
            if kept.version != memory.LAYOUT:
                raise memory.Unknown(f"checkpoint of layout {kept.version}, expected {memory.LAYOUT}")
            self._place = parts.get("elsewhere", b"").decode()
            self._run.state = engine.restore(self._engine(parts), setup)
            self._run.desk = memory.unpack_desk(parts["desk"])
        except _FOREIGN as fault:
            self._again = str(fault).splitlines()[0]
            self._run = replace(self._run, state=engine.State.begin(setup), desk=triage.Desk.of(self._terms.fleet))
            rebuild(self._run, kept.watermark, self._history.rows, parts["waiting"])
        self._kept_lateness = parts["lateness"]
        return self._terms.pace(parts["pace"])

    def _engine(self, parts: Mapping[str, bytes]) -> bytes:
        """The engine's state of a checkpoint."""
        if "elsewhere" not in parts:
            return parts["engine"]
        if self._states is None:
            raise memory.Unknown(f"checkpoint with its state in {self._place}, expected a place for such files")
        return self._states.get(self._place)


def _announced(known: pl.DataFrame, fresh: pl.DataFrame, fleet: Fleet) -> pl.DataFrame:
    """Visits with those newly entered: the last line of a terminal's work order counts."""
    ids = {t.id for t in fleet.terminal}
    both = pl.concat([known, fresh.filter(pl.col("terminal").is_in(list(ids)))], how="diagonal_relaxed")
    keyed = both.with_columns(_order=pl.coalesce("work_order", pl.col("event_id").cast(pl.String)))
    return keyed.unique(["terminal", "_order"], keep="last", maintain_order=True).drop("_order")


def _refused(frame: Frame) -> Frame:
    """A frame's bytes as refused ones."""
    return frame._replace(kind=Kind.REFUSED, note="broke the loop") if frame.kind is Kind.DATA else frame

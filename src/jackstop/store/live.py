"""The write side of the live store: what the loop decides, one transaction for each of its steps.

The loop numbers its steps by the last frame of the spool they rest on. A step that is in the store already changes
nothing, so a restart may repeat the very same steps from its last checkpoint: each alert, verdict and count is there once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

import polars as pl
from sqlalchemy import Connection, bindparam, delete, func, insert, select, update

from jackstop.model.results import Alert
from jackstop.model.settings import SECOND
from jackstop.store import decisions
from jackstop.store.database import Database, put
from jackstop.store.decisions import text
from jackstop.store.faults import StoreError
from jackstop.store.schema import checkpoints, cursors, history_files, keep, readers

LOOP = "loop"
"""The row of `cursors` that says which step came last."""

WATERMARK = "loop.watermark"
"""The row of `keep` that says how far the loop's event time has come (µs UTC, decimal)."""

KEPT = 3
"""Checkpoints kept."""


@dataclass(frozen=True, slots=True)
class Fact:
    """What is known of a terminal now; `value` is JSON, `at` µs UTC of the event it rests on."""

    terminal: str
    fact: str
    at: int
    value: str


@dataclass(frozen=True, slots=True)
class FeedAccount:
    """How one feed was read so far: whole numbers from its beginning, times in µs UTC, why records were refused."""

    name: str
    format: str
    terminal: str | None
    records: int
    understood: int
    refused: int
    duplicates: int
    rows: int
    first_received: int | None
    last_received: int | None
    last_event: int | None
    reasons: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Where the loop stands.

    Attributes:
        seq, segment, offset: the spool's frame it has dealt with, and where the next one begins. watermark: µs event time.
        made_at: µs wall clock. version: of what made `state`. state: everything the loop remembers.
    """

    seq: int
    segment: int
    offset: int
    watermark: int
    made_at: int
    version: str
    state: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class HistoryFile:
    """A Parquet file of the history: its path below the history's folder, what is in it (`first`, `last`: µs of `at`)."""

    path: str
    table: str
    day: str
    rows: int
    bytes: int
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Decided:
    """What one step of the loop gave.

    Attributes:
        seq: the last frame of the spool it rests on; rises from step to step. watermark: µs event time it came to.
        at: µs wall clock of writing, given, not read. verdicts: a frame of `results.VERDICTS`.
        alerts: those that are new or changed, whole. hours: a frame of `kpi.HOURS`, to be added.
        facts, feeds: those that changed, whole. cause: why verdicts are revised, `late` for hindsight; empty otherwise.
    """

    seq: int
    watermark: int
    at: int
    verdicts: pl.DataFrame
    alerts: Sequence[Alert]
    hours: pl.DataFrame
    facts: Sequence[Fact]
    feeds: Sequence[FeedAccount]
    cause: str = ""

    @property
    def empty(self) -> bool:
        """Whether nothing but the loop's place changes."""
        return not (self.verdicts.height or self.alerts or self.hours.height or self.facts or self.feeds)


class Live:
    """The loop's place in the store. There is one loop: a second one that writes is noticed and refused.

    Args:
        database: with the tables of `schema`.

    Raises:
        StoreError: the database cannot be read.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._stored = self._seen = self._read()
        self._watermark: int | None = None
        self._moved_at = -(2**62)

    def committed(self) -> int:
        """The seq of the last step known to be in the store; 0 before the first.

        Steps after it that changed nothing may be missing: they may be repeated, and change nothing again.
        """
        return self._stored

    def commit(
        self,
        decided: Decided | None,
        checkpoint: Checkpoint | None = None,
        files: Sequence[HistoryFile] = (),
        changed: Mapping[str, bytes] = MappingProxyType({}),
        gone: Sequence[str] = (),
    ) -> None:
        """Write a step, a checkpoint, and the history's files and the readers that belong to it: all or nothing.

        `changed`: the state of the readers that moved since the checkpoint before, by feed. `gone`: feeds that are forgotten.

        A step that changes nothing is written with the next one, at the latest a second (of `at`) after the last.

        Raises:
            StoreError: the database cannot be written, or another loop has written to it. Nothing changed.
        """
        if decided is not None and decided.seq <= self._stored:
            decided = None
        seen = self._seen if decided is None else max(self._seen, decided.seq)
        watermark = self._watermark if decided is None else decided.watermark
        if checkpoint is not None or files or (decided is not None and not self._may_wait(decided)):
            at = decided.at if decided is not None else checkpoint.made_at if checkpoint is not None else self._moved_at
            with self._database.write() as connection:
                self._move(connection, seen, watermark, at)
                if decided is not None:
                    _decide(connection, decided)
                if checkpoint is not None:
                    _check(connection, checkpoint)
                if gone:
                    forgotten = delete(readers).where(readers.c.feed == bindparam("name"))
                    connection.execute(forgotten, [{"name": text(n, 400)} for n in gone])
                put(connection, readers, [{"feed": text(n, 400), "state": _named(n, s)} for n, s in changed.items()])
                record_files(connection, files)
            self._stored, self._moved_at = seen, at
        self._seen, self._watermark = seen, watermark

    def checkpoint(self) -> Checkpoint | None:
        """The newest checkpoint, or None.

        Raises:
            StoreError: the database cannot be read.
        """
        c = checkpoints.c
        columns = (c.seq, c.segment, c.offset, c.watermark, c.made_at, c.version, c.state)
        with self._database.read() as connection:
            row = connection.execute(select(*columns).order_by(c.seq.desc(), c.id.desc()).limit(1)).first()
        return Checkpoint(*row[:-1], bytes(row[-1])) if row else None

    def readers(self) -> dict[str, bytes]:
        """The state of every feed's reader as of the newest checkpoint.

        Raises:
            StoreError: the database cannot be read.
        """
        with self._database.read() as connection:
            return dict(_unnamed(bytes(state)) for state in connection.execute(select(readers.c.state)).scalars())

    def revise(self, revised: pl.DataFrame, alerts: Sequence[Alert], at: int) -> None:
        """Write verdicts that late records revised (`results.VERDICTS`), and the alerts that changed with them.

        It may be repeated: what is there already changes nothing.

        Raises:
            StoreError: the database cannot be written. Nothing changed.
        """
        if not revised.height and not alerts:
            return
        with self._database.write() as connection:
            told = decisions.put_verdicts(connection, revised, at, "late")
            told += decisions.put_alerts(connection, alerts, at)
            decisions.announce(connection, told)

    def _may_wait(self, decided: Decided) -> bool:
        return decided.empty and 0 <= decided.at - self._moved_at < SECOND

    def _read(self) -> int:
        with self._database.read() as connection:
            return connection.execute(select(cursors.c.position).where(cursors.c.name == LOOP)).scalar() or 0

    def _move(self, connection: Connection, seen: int, watermark: int | None, at: int) -> None:
        """Move the loop's cursor, if it still stands where this loop left it."""
        if seen == self._stored == 0:
            return
        moved = {"position": seen, "ok_at": at}
        if self._stored:
            where = (cursors.c.name == LOOP) & (cursors.c.position == self._stored)
            done = connection.execute(update(cursors).where(where).values(moved)).rowcount == 1
        else:
            first = {"name": LOOP, "attempts": 0, "next_at": 0, "sent": 0, "dead": 0}
            done = not connection.execute(select(func.count()).where(cursors.c.name == LOOP)).scalar()
            if done:
                connection.execute(insert(cursors).values(first | moved))
        if not done:
            raise StoreError(f"{self._database.shown}: another loop writes here, expected one")
        if watermark is not None:
            put(connection, keep, [{"name": WATERMARK, "value": b"%d" % watermark, "at": at}])


def _named(name: str, state: bytes) -> bytes:
    """A reader's state behind its feed's name, which may be longer than a key can be."""
    whole = name.encode("utf-8", "surrogatepass")
    return len(whole).to_bytes(4, "big") + whole + state


def _unnamed(stored: bytes) -> tuple[str, bytes]:
    end = 4 + int.from_bytes(stored[:4], "big")
    return stored[4:end].decode("utf-8", "surrogatepass"), stored[end:]


def record_files(connection: Connection, files: Sequence[HistoryFile]) -> None:
    """Let files of the history count, within a transaction."""
    names = ("path", "table", "day", "rows", "bytes", "first", "last")
    put(connection, history_files, [{n: getattr(f, n) for n in names} for f in files])


def _decide(connection: Connection, decided: Decided) -> None:
    """Everything a step decided; what others follow comes last, for it makes other writers wait."""
    told = decisions.put_verdicts(connection, decided.verdicts, decided.at, decided.cause)
    told += decisions.put_alerts(connection, decided.alerts, decided.at)
    decisions.add_hours(connection, decided.hours)
    decisions.put_facts(connection, [(f.terminal, f.fact, f.at, f.value) for f in decided.facts], decided.seq)
    decisions.put_feeds(connection, [_account(f) for f in decided.feeds])
    decisions.announce(connection, told)


def _account(feed: FeedAccount) -> decisions.Row:
    return {
        "name": feed.name,
        "format": feed.format,
        "terminal": feed.terminal,
        "records": feed.records,
        "understood": feed.understood,
        "refused": feed.refused,
        "duplicates": feed.duplicates,
        "rows": feed.rows,
        "first_received": feed.first_received,
        "last_received": feed.last_received,
        "last_event": feed.last_event,
        "reasons": feed.reasons,
    }


def _check(connection: Connection, checkpoint: Checkpoint) -> None:
    """A checkpoint, in place of the oldest."""
    c = checkpoints.c
    connection.execute(delete(checkpoints).where(c.seq == checkpoint.seq))
    names = ("seq", "segment", "offset", "watermark", "made_at", "version", "state")
    connection.execute(insert(checkpoints).values({n: getattr(checkpoint, n) for n in names}))
    newest = connection.execute(select(c.id).order_by(c.seq.desc(), c.id.desc()).limit(KEPT)).scalars().all()
    connection.execute(delete(checkpoints).where(c.id.not_in(newest)))

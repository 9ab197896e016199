"""The feeds of the live loop: each with its reader, its account, and how its bytes become rows."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

import msgspec
import polars as pl

from jackstop import formats
from jackstop.formats import Reader
from jackstop.ledger.streams import Stream
from jackstop.model.service import Feed
from jackstop.model.settings import HOUR
from jackstop.model.tables import Tables
from jackstop.runners import memory
from jackstop.spool import Frame, Kind
from jackstop.store.live import FeedAccount

VISITS = "jackstop/visits"
"""The feed of visits entered while the service runs; a later line for a terminal's work order replaces the earlier."""

FORGOTTEN = 24 * HOUR
"""µs of receipt after which a feed that ended is forgotten, where a later one of its kind is known."""

REMEMBERED, SHARED = 256, 16_384
"""Records remembered to know a repeated one: of a terminal's own feed (there are thousands), and of one that many share."""


class _Kept(msgspec.Struct):
    """A feed in a checkpoint."""

    feed: bytes
    reader: bytes
    account: FeedAccount
    base: int | None
    ended: int | None = None


@dataclass(slots=True)
class _Open:
    """A feed being read.

    `first`, `last`: µs of receipt; `event`: the latest time its rows told of; `base`: where in the feed's stream of bytes its
    reader began (None: nowhere yet); `earlier`: what readers before this one counted; `ended`: when its bytes were complete (µs).
    """

    feed: Feed
    reader: Reader
    rows: int = 0
    first: int | None = None
    last: int | None = None
    event: int | None = None
    earlier: FeedAccount | None = None
    base: int | None = None
    ended: int | None = None

    @property
    def kind(self) -> tuple[str, str | None, int]:
        """What the ledger asks of a feed: its format, its terminal and its latency."""
        return self.feed.format, self.feed.reading.terminal, self.feed.latency

    def account(self) -> FeedAccount:
        """What became of the feed's bytes so far."""
        tally, before = self.reader.tally, self.earlier
        reasons = dict(before.reasons) if before else {}
        for reason, n in tally.reasons.items():
            reasons[reason] = reasons.get(reason, 0) + n
        return FeedAccount(
            name=self.feed.name,
            format=self.feed.format,
            terminal=self.feed.reading.terminal,
            records=tally.records + (before.records if before else 0),
            understood=tally.understood + (before.understood if before else 0),
            refused=tally.refused + (before.refused if before else 0),
            duplicates=tally.duplicates + (before.duplicates if before else 0),
            rows=self.rows,
            first_received=self.first,
            last_received=self.last,
            last_event=self.event,
            reasons=reasons,
        )


class Feeds:
    """All feeds the loop has heard of.

    Attributes:
        changed: whether a feed was declared since `streams` was last asked for.
    """

    def __init__(self) -> None:
        self._open: dict[str, _Open] = {}
        self._touched: set[str] = set()
        self._unsaved: set[str] = set()
        self.changed = False

    def decode(self, frames: Iterable[Frame]) -> Tables:
        """The rows of some frames, in each feed's order; declarations on the way take effect at once."""
        parts: list[Tables] = []
        gathered: dict[str, list[Frame]] = {}
        for frame in frames:
            if frame.kind is Kind.DATA:
                gathered.setdefault(frame.feed, []).append(frame)
            elif frame.kind in {Kind.FEED, Kind.END, Kind.REFUSED}:
                parts += self._read(frame.feed, gathered.pop(frame.feed, []))
                parts += self._other(frame)
        for name, some in gathered.items():
            parts += self._read(name, some)
        return Tables.concat(parts) if parts else Tables.of()

    def _read(self, name: str, frames: list[Frame]) -> Iterator[Tables]:
        known = self._open.get(name)
        if known is None or not frames:
            return
        known.ended = None
        known.first = known.first or frames[0].received
        known.last = frames[-1].received
        if known.base is None:
            known.base = frames[0].offset
        data = frames[0].data if len(frames) == 1 else b"".join(f.data for f in frames)
        yield self._noted(known, known.reader.feed(data).tables)

    def _noted(self, known: _Open, tables: Tables) -> Tables:
        self._touched.add(known.feed.name)
        known.rows += tables.height
        if known.base:
            tables = tables.map(lambda f: f.with_columns(pl.col("record_offset") + known.base))
        stamps = [int(t) for _, f in tables.items() if f.height and (t := f["time"].to_physical().max())]  # type: ignore[arg-type]
        if stamps:
            known.event = max(known.event or 0, *stamps)
        return tables

    def _other(self, frame: Frame) -> Iterator[Tables]:
        """A declaration, the end of a feed, or bytes that were refused at the door."""
        known = self._open.get(frame.feed)
        match frame.kind:
            case Kind.FEED:
                self._declare(msgspec.json.decode(frame.data))
            case Kind.END if known is not None:
                yield self._noted(known, known.reader.feed(b"", final=True).tables)
                known.earlier = known.account()
                known.reader, known.base, known.ended = _reader(known.feed), None, frame.received
            case Kind.REFUSED if known is not None:
                known.reader.tally.refused += 1
                known.reader.tally.reasons[frame.note or "refused at the door"] += 1
                self._touched.add(frame.feed)
            case _:
                return

    def _declare(self, said: object) -> None:
        feed = Feed.model_validate(said)
        remembered = REMEMBERED if feed.reading.terminal else SHARED
        feed = feed.model_copy(update={"reading": feed.reading.model_copy(update={"remembered": remembered})})
        known = self._open.get(feed.name)
        if known is not None and known.feed == feed:
            known.ended = None
            return
        fresh = _Open(feed, _reader(feed))
        if known is not None:
            fresh.rows, fresh.first, fresh.last, fresh.event = known.rows, known.first, known.last, known.event
            fresh.earlier = known.account()
        self._open[feed.name] = fresh
        self._touched.add(feed.name)
        self.changed = True

    def forget(self, now: int) -> tuple[str, ...]:
        """Forget feeds that ended long before `now` (µs of receipt); gives their names.

        Files put into a folder are a feed each, for ever new ones. Of each kind the last declared stays known: what sources a
        terminal has does not change by this. A feed that ended is declared anew before it goes on.
        """
        old = [n for n, o in self._open.items() if o.ended is not None and o.ended <= now - FORGOTTEN]
        newest = {o.kind: name for name, o in self._open.items()} if old else {}
        over = [n for n in old if newest[self._open[n].kind] != n]
        for name in over:
            del self._open[name]
            self._unsaved.discard(name)
            self.changed = True
        return tuple(over)

    def streams(self) -> tuple[Stream, ...]:
        """The feeds as the ledger knows them."""
        self.changed = False
        return tuple(Stream(o.feed.name, o.feed.format, o.feed.latency, o.feed.reading.terminal) for o in self._open.values())

    def accounts(self) -> list[FeedAccount]:
        """The accounts of the feeds that had anything to tell since this was last asked."""
        told = [self._open[n].account() for n in sorted(self._touched)]
        self._unsaved |= self._touched
        self._touched.clear()
        return told

    def pack(self) -> dict[str, bytes]:
        """The feeds that changed since they were last packed or unpacked, as bytes by name."""
        fresh = self._unsaved | self._touched
        self._unsaved.clear()
        return {n: _packed(self._open[n]) for n in sorted(fresh) if n in self._open}

    def unpack(self, kept: Mapping[str, bytes]) -> None:
        """Take feeds from a checkpoint; a reader that cannot be read begins anew, in the middle of its feed."""
        for name, data in kept.items():
            read = msgspec.msgpack.decode(data, type=_Kept)
            feed, said = Feed.model_validate_json(read.feed), read.account
            try:
                reader = memory.unpack_reader(read.reader)
            except memory.Unknown:
                reader, said, read.base = _reader(feed), replace(said, records=0, understood=0, refused=0, duplicates=0), None
            self._open[name] = _Open(feed, reader, said.rows, said.first_received, said.last_received, said.last_event)
            self._open[name].earlier, self._open[name].base = _less(said, reader), read.base
            self._open[name].ended = read.ended
        self.changed = True


def _packed(known: _Open) -> bytes:
    feed, reader = known.feed.model_dump_json().encode(), memory.pack_reader(known.reader)
    return msgspec.msgpack.encode(_Kept(feed, reader, known.account(), known.base, known.ended))


def _less(said: FeedAccount, reader: Reader) -> FeedAccount:
    """What an account says besides what its reader has counted itself."""
    tally = reader.tally
    reasons = {r: n - tally.reasons.get(r, 0) for r, n in said.reasons.items()}
    return replace(
        said,
        records=said.records - tally.records,
        understood=said.understood - tally.understood,
        refused=said.refused - tally.refused,
        duplicates=said.duplicates - tally.duplicates,
        reasons={r: n for r, n in reasons.items() if n},
    )


def _reader(feed: Feed) -> Reader:
    return formats.find(feed.format).reader(feed.reading)

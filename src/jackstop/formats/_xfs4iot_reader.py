"""The reader of XFS4IoT logs: lines to messages to rows, a feeding at a time.

A line longer than 1 MiB is refused once and passed over. Records of meaning are told from their duplicates by their digest; ones
without a time and a request id may repeat (the same notes are not taken twice, but their messages are equal).
"""

from hashlib import sha256
from typing import NamedTuple

import numpy as np
import polars as pl

from jackstop.formats import _iso_stamp as stamps
from jackstop.formats._localtime import Zone
from jackstop.formats._reading import MAX_RECORD, Decoded, Refusal, Tally, Unreadable
from jackstop.formats._switch_rows import instants
from jackstop.formats._xfs4iot_kinds import KINDS, OURS, Kind, payload
from jackstop.formats._xfs4iot_lines import careful, fast
from jackstop.formats._xfs4iot_machine import MAX_POLLS, Machine
from jackstop.formats._xfs4iot_messages import Header, Line
from jackstop.formats._xfs4iot_rows import Batch, Envelope, FeedRow
from jackstop.formats._xfs4iot_words import clean
from jackstop.model.fleet import Reading
from jackstop.model.vocabulary import QUALITY

MAX_MACHINES = 20_000
MAX_POLL = 1 << 14
_TOO_LONG = f"longer than {MAX_RECORD} bytes"
_NO_TIME = "time not understood, expected ISO 8601 such as 2026-03-01T02:11:07.120Z"
_NEVER = "no time, and no line with a time before it"
_INFERRED, _AMBIGUOUS = QUALITY["date-inferred"][0], QUALITY["time-ambiguous"][0]


class Item(NamedTuple):
    """A line worth a second look: its message and kind, or why it is refused."""

    offset: int
    raw: bytes
    line: Line
    header: Header
    kind: Kind | None = None
    quality: int = 0
    refused: str | None = None


_NOTHING, _NOBODY = Line(), Header(name="", type="")


class XfsReader:
    """Reads one log. See `formats.Reader`; `careful` reads every line the careful way (slow; for tests)."""

    def __init__(self, reading: Reading, *, careful: bool = False) -> None:
        self.reading = reading
        self.tally = Tally()
        self._careful = careful
        self._zone = Zone(reading.timezone)
        self._machines: dict[str, Machine] = {}
        self._buffer = b""
        self._offset = 0
        self._skipping = False
        self._recent: dict[bytes, None] = {}
        self._last_time: int | None = None
        self._batch = Batch(reading)

    def feed(self, chunk: bytes, *, final: bool = False) -> Decoded:
        """Rows of the records that these bytes complete. See `Reader.feed`."""
        items = self._items(self._cut(chunk, final=final))
        refusals: list[Refusal] = []
        for item, stamp in zip(items, self._times(items), strict=True):
            if item.refused is not None:
                self._refuse(item, item.refused, refusals)
            else:
                self._one(item, stamp, refusals)
        return Decoded(self._batch.take(), refusals)

    def _cut(self, chunk: bytes, *, final: bool) -> list[tuple[int, bytes]]:
        """Whole lines and their offsets; of a line that is too long, the first MiB and one byte."""
        buffer = self._buffer + chunk if self._buffer else chunk
        if self._skipping:
            buffer = self._skip(buffer)
        lines = buffer.split(b"\n")
        rest = lines.pop()
        offset = self._offset
        found: list[tuple[int, bytes]] = []
        for raw in lines:
            found.append((offset, raw))
            offset += len(raw) + 1
        if rest and (final or len(rest) > MAX_RECORD):
            found.append((offset, rest))
            offset, self._skipping, rest = offset + len(rest), not final, b""
        self._buffer, self._offset = rest, offset
        return found

    def _skip(self, buffer: bytes) -> bytes:
        """What follows the end of the line that is being passed over."""
        end = buffer.find(b"\n")
        self.tally.skipped_bytes += len(buffer) if end < 0 else end
        passed = len(buffer) if end < 0 else end + 1
        self._offset += passed
        self._skipping = end < 0
        return buffer[passed:]

    def _items(self, lines: list[tuple[int, bytes]]) -> list[Item]:
        """The lines that mean something or cannot be read; the others are counted and done with."""
        items: list[Item] = []
        understood = ignored = 0
        for offset, raw in lines:
            quality, header = 0, None
            try:
                line = fast(raw)
                header = line.header if line.message is None else line.message.header
            except (ValueError, RecursionError):
                line = _NOTHING
            if header is None or len(raw) > MAX_RECORD or self._careful:
                item = self._second_look(offset, raw)
                if item is None or item.refused is not None:
                    items.extend([] if item is None else [item])
                    continue
                line, header, quality = item.line, item.header, item.quality
            kind = KINDS.get((header.name, header.type))
            if kind is not None or line.sequence is not None:
                items.append(Item(offset, raw, line, header, kind, quality))
            elif header.name.partition(".")[0] in OURS:
                understood += 1
            else:
                ignored += 1
        self.tally.records += understood + ignored + len(items)
        self.tally.understood += understood
        self.tally.ignored += ignored
        return items

    def _second_look(self, offset: int, raw: bytes) -> Item | None:
        """A line read the careful way: its message, or why not; None where it is blank."""
        if not raw.strip():
            return None
        if len(raw) > MAX_RECORD:
            self.tally.skipped_bytes += len(raw) - MAX_RECORD
            return Item(offset, raw[:MAX_RECORD], _NOTHING, _NOBODY, refused=_TOO_LONG)
        try:
            line, quality = careful(raw, self.reading.encoding or "utf-8")
        except Unreadable as fault:
            return Item(offset, raw, _NOTHING, _NOBODY, refused=str(fault))
        message = line.message or line
        return Item(offset, raw, line, message.header or _NOBODY, quality=quality)

    def _times(self, items: list[Item]) -> list[tuple[int | None, int, int]]:
        """Of each item's stamp: µs UTC (None: there is none, or it is not one), resolution in µs, quality bits."""
        if not items:
            return []
        column = pl.Series([i.line.time for i in items], dtype=pl.String)
        parsed = _mend(stamps.parse_all(column), column)
        good = parsed["stamp"].is_not_null()
        told = parsed if good.all() else parsed.filter(good)
        time, twice = instants(told["stamp"], told["absolute"], self._zone, self.reading.timezone)
        quality = np.where(twice, _AMBIGUOUS, 0).tolist()
        found: list[tuple[int | None, int, int]] = list(zip(time.tolist(), told["uncertainty"].to_list(), quality, strict=True))
        if len(found) == len(items):
            return found
        left = iter(found)
        return [next(left) if g else (None, 0, 0) for g in good.to_list()]

    def _one(self, item: Item, stamp: tuple[int | None, int, int], refusals: list[Refusal]) -> None:
        """Add the rows of one record, unless it says nothing new or was read before."""
        line, kind = item.line, item.kind
        machine = self._machine(line.terminal)
        raw = bytes((line.message or line).payload)
        if kind is not None and kind.poll and line.sequence is None and raw in machine.polls:
            self.tally.understood += 1
            return
        key = digest = sha256(item.raw).digest()
        time, uncertainty, quality = stamp
        if line.time is None:
            if self._last_time is None:
                self._refuse(item, _NEVER, refusals)
                return
            time, quality = self._last_time, _INFERRED
            if item.header.request_id is None:
                key = digest + item.offset.to_bytes(8, "big")
        if time is None:
            self._refuse(item, _NO_TIME, refusals)
            return
        if key in self._recent:
            self.tally.duplicates += 1
            return
        self._recent[key] = None
        if len(self._recent) > self.reading.remembered:
            del self._recent[next(iter(self._recent))]
        try:
            self._meaning(item, machine, raw)
        except Unreadable as fault:
            self._batch.drop(self._batch.record)
            self._refuse(item, str(fault), refusals)
            return
        self._last_time = time
        terminal = None if line.terminal is None else clean(line.terminal)
        self._batch.records.append(
            Envelope(
                item.offset, len(item.raw), digest, key, time, uncertainty, terminal, line.sequence, quality | item.quality
            )
        )  # fmt: skip

    def _meaning(self, item: Item, machine: Machine, raw: bytes) -> None:
        """The rows of a record that is no duplicate, and what it changes."""
        line, kind = item.line, item.kind
        if line.sequence is not None:
            self._sequence(machine, line.sequence)
        if kind is None:
            ours = item.header.name.partition(".")[0] in OURS
            self.tally.understood += ours
            self.tally.ignored += not ours
            return
        before = self._batch.rows
        kind.means(machine, item.header, payload(kind, raw, careful=self._careful), self._batch)
        self.tally.understood += 1
        if kind.stateful and machine.polls and (not kind.poll or self._batch.rows != before):
            machine.polls.clear()
        if kind.poll and len(raw) <= MAX_POLL and len(machine.polls) < MAX_POLLS:
            machine.polls.add(raw)

    def _sequence(self, machine: Machine, number: int) -> None:
        """Note a gap or a new beginning in the wrapper's running numbers."""
        before, machine.sequence = machine.sequence, number
        if before is None or number in {before, before + 1}:
            return
        gap = number > before
        count = number - before - 1 if gap else 1
        self._batch.feeds.append(FeedRow(self._batch.record, "gap" if gap else "restarted", count, before, number))

    def _machine(self, name: str | None) -> Machine:
        """What is remembered of the machine a line is about."""
        known = name if name is not None and self.reading.terminal is None else ""
        machine = self._machines.get(known)
        if machine is None:
            machine = self._machines[known] = Machine()
            if len(self._machines) > MAX_MACHINES:
                del self._machines[next(iter(self._machines))]
        return machine

    def _refuse(self, item: Item, reason: str, refusals: list[Refusal]) -> None:
        self.tally.refused += 1
        self.tally.reasons[reason] += 1
        refusals.append(Refusal(item.offset, len(item.raw), reason))
        digest = sha256(item.raw).digest()
        self._batch.feeds.append(FeedRow(self._batch.record, "refused", 1, detail=reason))
        terminal = None if item.line.terminal is None else clean(item.line.terminal)
        key = digest + item.offset.to_bytes(8, "big")
        self._batch.records.append(
            Envelope(item.offset, len(item.raw), digest, key, self._last_time or 0, 0, terminal, item.line.sequence, item.quality)
        )


def _mend(parsed: pl.DataFrame, texts: pl.Series) -> pl.DataFrame:
    """Stamps in other spellings than the usual ones, parsed one by one."""
    odd = (parsed["stamp"].is_null() & texts.is_not_null()).arg_true().to_list()
    if not odd:
        return parsed
    columns = {name: parsed[name].to_list() for name in stamps.SCHEMA}
    for i in odd:
        one = stamps.parse(texts[i])
        if one is not None:
            columns["stamp"][i], columns["absolute"][i], columns["uncertainty"][i] = one
    return pl.DataFrame(columns, schema=stamps.SCHEMA)

"""Authorisations exported by a switch or host as delimited text with a header row (`switch-csv`).

    time,terminal_id,type,amount,currency,response,stan,rrn,auth_code,note_mix,reference
    2026-03-01T02:11:07.120Z,ATM00001,withdrawal,8000,USD,00,123456,606002123456,A1B2C3,"0,4,0,0",
    2026-03-01T02:12:40.000Z,ATM00001,partial,4000,USD,,123457,,,,606002123456
    2026-03-01T02:13:02.500Z,ATM00002,reversal,8000,USD,,123458,,,,606002123457

Source: contract.md "switch-csv"; formats.md §3.5; RFC 4180. `fleet.toml` maps columns (`columns`: our name = theirs).
Fills `host`, view `host`: `withdrawal` gives a `reply` (approved: response 00, or 10 and 11 of ISO 8583 field 39), the other
types the row of their name; `partial` and `reversal` approve nothing. Other kinds of transaction (balance, deposit …) are
ignored knowingly. Amounts are minor units. Separators: comma, semicolon, tab, bar. Stamps: ISO 8601 with an offset, else the
source's zone; day-first and month-first spellings want `date_order`.
"""

from hashlib import sha256
from itertools import compress
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from jackstop.formats._csv_framing import LONGEST, Ints, cut
from jackstop.formats._localtime import Zone
from jackstop.formats._reading import Decoded, Refusal, Rows, Tally
from jackstop.formats._switch_fields import fields, separator, split, text
from jackstop.formats._switch_meaning import COLUMNS, interpret
from jackstop.formats._switch_rows import host_rows, instants
from jackstop.formats._switch_writing import write
from jackstop.model.fleet import Reading
from jackstop.model.tables import Tables

FILLS = ("host",)
CLOCK = "host"
_ASCII = bytes(range(128))
NEEDED = ("time", "terminal_id", "type", "amount", "response")


class Header(NamedTuple):
    """The header of an export: its separator, number of fields, place of each of our columns, and what is wrong with it."""

    mark: str
    width: int
    places: dict[str, int]
    fault: str | None
    digest: bytes


class Batch(NamedTuple):
    """Records of one feeding, duplicates dropped: their bytes, digests, offsets, lengths, and whether each is plain."""

    records: list[bytes]
    digests: list[bytes]
    offsets: Ints
    lengths: Ints
    plain: pl.Series

    def only(self, mask: NDArray[np.bool_]) -> "Batch":
        """Those of its records."""
        chosen = mask.tolist()
        records, digests = list(compress(self.records, chosen)), list(compress(self.digests, chosen))
        return Batch(records, digests, self.offsets[mask], self.lengths[mask], self.plain.filter(pl.Series(mask)))


def sniff(head: bytes, name: str) -> int:
    """How surely these are the first bytes of a switch export: our column names in its header."""
    line = text(head.split(b"\n", 1)[0], "utf-8").rstrip("\r")
    found = {f.lower() for f in split(line, separator(line)) or ()}
    if {"time", "terminal_id", "type", "amount"} <= found:
        return 95 if "response" in found else 80
    return 40 if {"rrn", "stan"} & found and {"amount", "response"} & found else 0


def reader(reading: Reading) -> "SwitchReader":
    """A reader of one export."""
    return SwitchReader(reading)


def encode(tables: Tables, reading: Reading) -> bytes:
    """Rows of `host` with view `host` as an export in time order; requests, status and network rows are left out."""
    return write(tables.host, {c: reading.columns.get(c, c) for c in COLUMNS})


def _header(line: bytes, reading: Reading) -> Header:
    """The header of this first line; `fault` says why it cannot be used."""
    encoding = reading.encoding or "utf-8"
    try:
        if _ASCII.decode(encoding).encode() != _ASCII:
            return Header(",", 1, {}, f"encoding {encoding} does not contain ASCII", b"")
    except (LookupError, UnicodeError):
        return Header(",", 1, {}, f"encoding {encoding} unknown or without ASCII", b"")
    plain = text(line, encoding).rstrip("\r").lstrip("\ufeff")
    mark = separator(plain)
    names = split(plain, mark) or []
    lower = [n.lower() for n in names]
    places, fault = {}, None
    if strange := sorted(reading.columns.keys() - set(COLUMNS)):
        fault = f"columns names {', '.join(strange)}, expected some of {', '.join(COLUMNS)}"
    for column in COLUMNS:
        theirs = reading.columns.get(column, column)
        if theirs in names or theirs.lower() in lower:
            places[column] = names.index(theirs) if theirs in names else lower.index(theirs.lower())
        elif column in NEEDED and not (column == "terminal_id" and reading.terminal is not None):
            fault = fault or f"the header has no column {theirs} for {column}; map it with columns in fleet.toml"
    return Header(mark, max(len(names), 1), places, fault, sha256(line.rstrip(b"\r")).digest())


class SwitchReader:
    """Reads an export a column at a time. See `formats.Reader`."""

    def __init__(self, reading: Reading) -> None:
        self.reading = reading
        self.tally = Tally()
        self._rows = Rows(reading)
        self._zone = Zone(reading.timezone)
        self._header: Header | None = None
        self._buffer = b""
        self._offset = 0
        self._recent: dict[bytes, None] = {}
        self._last_time = 0

    def feed(self, chunk: bytes, *, final: bool = False) -> Decoded:
        """Rows of the records that these bytes complete. See `Reader.feed`."""
        self._buffer = self._buffer + chunk if self._buffer else chunk
        refusals: list[Refusal] = []
        header = self._header or self._begin(final, refusals)
        if header is None:
            return Decoded(self._rows.take(), refusals)
        batch = self._batch(header, final=final)
        host = self._decode(batch, header, refusals) if batch.records else None
        tables = self._rows.take()
        return Decoded(tables if host is None else Tables.of(host=host, feeds=tables.feeds), refusals)

    def _begin(self, final: bool, refusals: list[Refusal]) -> Header | None:
        """The header, once the buffer has the first line that is not blank."""
        while True:
            end = self._buffer.find(b"\n", 0, LONGEST)
            if end < 0 and not final and len(self._buffer) < LONGEST:
                return None
            whole = end if end >= 0 else min(len(self._buffer), LONGEST)
            line = self._buffer[:whole]
            if line.strip() or not self._buffer:
                break
            self._advance(min(whole + 1, len(self._buffer)))
        if not line:
            return None
        self._header = _header(line, self.reading)
        if self._header.fault:
            self.tally.records += 1
            self._refuse(Refusal(self._offset, len(line), self._header.fault), line, refusals, 0)
        self._advance(min(whole + 1, len(self._buffer)))
        return self._header

    def _advance(self, count: int) -> None:
        self._buffer = self._buffer[count:]
        self._offset += count

    def _batch(self, header: Header, *, final: bool) -> Batch:
        """The whole records in the buffer, counted, duplicates dropped."""
        found = cut(self._buffer, header.mark, header.width, final=final)
        buffer = self._buffer
        records = [buffer[s:e] for s, e in zip(found.starts.tolist(), found.ends.tolist(), strict=True)]
        batch = Batch(records, records, found.starts + self._offset, found.ends - found.starts, pl.Series(found.plain))
        self._advance(found.done)
        if header.fault or not found.plain.all():
            batch = batch.only(np.array([bool(r.strip(b" \r")) for r in records], np.bool_))
        batch = batch._replace(digests=[sha256(r).digest() for r in batch.records])
        self.tally.records += len(batch.records)
        fresh = self._fresh(batch.digests)
        return batch if fresh is None else batch.only(fresh)

    def _fresh(self, digests: list[bytes]) -> NDArray[np.bool_] | None:
        """Which records were not seen among the last ones remembered; None where that is all of them."""
        recent, most = self._recent, self.reading.remembered
        if len(set(digests)) == len(digests) and recent.keys().isdisjoint(digests):
            tail = [*recent, *digests[-most:]][-most:]
            self._recent = dict.fromkeys(tail)
            return None
        fresh = np.ones(len(digests), np.bool_)
        for i, digest in enumerate(digests):
            if digest in recent:
                self.tally.duplicates += 1
                fresh[i] = False
                continue
            recent[digest] = None
            if len(recent) > most:
                del recent[next(iter(recent))]
        return fresh

    def _decode(self, batch: Batch, header: Header, refusals: list[Refusal]) -> pl.DataFrame | None:
        if header.fault:
            for i in range(len(batch.records)):
                self._refuse_nth(batch, i, "no usable header", refusals, 0)
            return None
        encoding = self.reading.encoding or "utf-8"
        given = fields(batch.records, batch.plain, header.places, header.mark, encoding, header.width)
        meant = interpret(
            given.with_columns(pl.lit(None, pl.String).alias(c) for c in COLUMNS if c not in header.places), self.reading
        )
        again = _equal(batch.digests, header.digest)
        ignored = again | meant["ignored"] & meant["reason"].is_null()
        good = meant["reason"].is_null() & ~ignored
        accepted = meant if good.all() else meant.filter(good)
        time, ambiguous = instants(accepted["stamp"], accepted["absolute"], self._zone, self.reading.timezone)
        if accepted.height < meant.height:
            kept = good.to_numpy()
            self._refuse_some(batch, meant["reason"].is_not_null() & ~again, meant["reason"], kept, time, refusals)
            batch = batch.only(kept)
        self.tally.understood += accepted.height
        self.tally.ignored += int(ignored.sum())
        if not accepted.height:
            return None
        self._last_time = int(time[-1])
        return host_rows(accepted, batch.digests, batch.offsets, batch.lengths, time, ambiguous, self.reading)

    def _refuse_some(
        self, batch: Batch, bad: pl.Series, reasons: pl.Series, good: NDArray[np.bool_], time: Ints, refusals: list[Refusal]
    ) -> None:
        """Refuse records, each placed in time by the last good one before it."""
        places = bad.arg_true()
        before = np.cumsum(good)[places.to_numpy()] - 1
        for i, b, reason in zip(places.to_list(), before.tolist(), reasons.gather(places).to_list(), strict=True):
            self._refuse_nth(batch, i, reason, refusals, int(time[b]) if b >= 0 else self._last_time)

    def _refuse_nth(self, batch: Batch, i: int, reason: str, refusals: list[Refusal], time: int) -> None:
        self._refuse(Refusal(int(batch.offsets[i]), len(batch.records[i]), reason), batch.records[i], refusals, time)

    def _refuse(self, refusal: Refusal, raw: bytes, refusals: list[Refusal], time: int) -> None:
        self.tally.refused += 1
        self.tally.reasons[refusal.reason] += 1
        refusals.append(refusal)
        self._rows.at(refusal.offset, raw, sha256(raw).digest())
        self._rows.add("feeds", time, activity="refused", count=1, detail=refusal.reason)


def _equal(digests: list[bytes], digest: bytes) -> pl.Series:
    """Which records are the header once more (files laid end to end)."""
    if digest in digests:
        return pl.Series([d == digest for d in digests], dtype=pl.Boolean)
    return pl.Series([False], dtype=pl.Boolean).new_from_index(0, len(digests))

"""A hunt: the rows of a bundle's files, or of a live service's history, that hold an indicator; file by file, in memory that
does not grow with the logs."""

import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

import polars as pl

from jackstop import formats
from jackstop.advisories import HITS, Matcher
from jackstop.ledger.identity import Directory
from jackstop.model.tables import Tables
from jackstop.sources.bundle import Bundle, BundleFile, pieces

PIECE = 4 << 20
"""Bytes read at a time."""


@dataclass(slots=True)
class Hunt:
    """What a hunt went through so far: rows, hits by kind and value, and files that could not be read to their end."""

    rows: int = 0
    hits: int = 0
    by_value: Counter[tuple[str, str]] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)


class PutAway(Protocol):
    """The role of a live service's history (`store.history.History`)."""

    def pieces(
        self, begin: int | None, end: int | None, faults: list[str] | None
    ) -> Iterator[tuple[str, pl.DataFrame, int, int]]:
        """All rows, some at a time: table, rows, rows gone through, and rows in all; files that cannot be read are told."""


def hunt(bundle: Bundle, matcher: Matcher, account: Hunt, tell: Callable[[int, int], None]) -> Iterator[pl.DataFrame]:
    """Hits of every file, in the order of the files, as frames of `advisories.HITS`; times are the source's own.

    Args:
        bundle: its files are read once each. matcher: what is looked for. account: changed in place.
        tell: called with bytes read and bytes in all.
    """
    directory, total = Directory.of(bundle.fleet), sum(f.size for f in bundle.files)
    before = 0
    for file in bundle.files:
        for tables, read in _decoded(file, account):
            account.rows += tables.height
            found = matcher.match(dict(tables.items()))
            tell(before + min(read, file.size), total)
            if found.height:
                account.hits += found.height
                account.by_value.update(found.select("kind", "value").rows())
                yield directory.named(found).select(list(HITS)).sort("record_offset", "event_id", "value", maintain_order=True)
        before += file.size


def hunt_history(
    history: PutAway, span: tuple[int | None, int | None], matcher: Matcher, account: Hunt, tell: Callable[[int, int], None]
) -> Iterator[pl.DataFrame]:
    """Hits in everything a live service has put away, table by table, as frames of `advisories.HITS`.

    Args:
        history: the newest rows come to it with the loop's checkpoints. span: of `at`, from and before (µs UTC; None: open).
        matcher: what is looked for. account: changed in place. tell: called with rows gone through and rows in all.

    Raises:
        StoreError: the database cannot be read.
    """
    for table, rows, read, total in history.pieces(*span, account.faults):
        account.rows += rows.height
        found = matcher.match({table: rows})
        tell(read, total)
        if found.height:
            account.hits += found.height
            account.by_value.update(found.select("kind", "value").rows())
            yield found.select(list(HITS)).sort("at", "event_id", "value", maintain_order=True)


def _decoded(file: BundleFile, account: Hunt) -> Iterator[tuple[Tables, int]]:
    """A file's rows piece by piece, with the bytes read so far; one that fails ends there, and the account says why."""
    reader = formats.find(file.format).reader(file.reading)
    read = 0
    try:
        for piece in pieces(file.path, PIECE):
            read += len(piece)
            yield reader.feed(piece, final=False).tables, read
    except (OSError, EOFError, zlib.error) as fault:
        account.faults.append(f"{file.name}@{read}: {fault}, expected readable bytes: read no further")
    yield reader.feed(b"", final=True).tables, read

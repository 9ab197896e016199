"""A bundle as a spool: its logs in the order of event time, as senders would have brought them."""

from pathlib import Path

import polars as pl

from jackstop import formats
from jackstop.model.service import Feed, SpoolInfo
from jackstop.sources.bundle import Bundle
from jackstop.spool import Kind
from jackstop.spool.signer import Signer
from jackstop.spool.writer import Writer

START = 1_767_225_600_000_000


class Steady:
    """A clock that goes on by so much (µs) each time it is asked."""

    def __init__(self, now: int = START, beat: int = 1000) -> None:
        self.now, self.beat = now, beat

    def __call__(self) -> int:
        self.now += self.beat
        return self.now


def pieces(bundle: Bundle, size: int = 3000) -> list[tuple[int, str, bytes]]:
    """Pieces of all files as (latest time told so far, file, bytes), in that order; each file's own order is kept.

    A piece ends where a record that gave rows ends, as it does where a machine sends what it has just written.
    """
    found = []
    for file in bundle.files:
        reader, data, latest, sent = formats.find(file.format).reader(file.reading), file.path.read_bytes(), 0, 0
        for nth, begin in enumerate(range(0, len(data), size)):
            tables = reader.feed(data[begin : begin + size]).tables
            frames = [f for _, f in tables.items() if f.height]
            latest = max([latest, *(int(f["time"].to_physical().max()) for f in frames)])
            ends = [int((f["record_offset"] + f["record_length"]).max()) for f in frames]
            end = len(data) if begin + size >= len(data) else max([sent, *ends])
            end += data[end : end + 1] == b"\n"
            if end > sent:
                found.append((latest, file.name, nth, data[sent:end]))
                sent = end
    return [(t, n, d) for t, n, _, d in sorted(found, key=lambda p: (p[0], p[1], p[2]))]


def feeds(bundle: Bundle) -> dict[str, Feed]:
    """The feeds of a bundle's files, by name."""
    return {f.name: Feed(format=f.format, latency=f.latency, reading=f.reading) for f in bundle.files}


def write(
    bundle: Bundle,
    folder: Path,
    *,
    every: int = 25,
    listed: list[tuple[int, str, bytes]] | None = None,
    beat: int = 1000,
    quiet: int = 0,
) -> int:
    """Write a bundle into a spool, with a tick after so many pieces and `quiet` at its end; gives the last frame's number."""
    writer = Writer(folder, SpoolInfo(), Steady(beat=beat), Signer(folder.parent / "keys"))
    try:
        for name, feed in feeds(bundle).items():
            writer.append(Kind.FEED, name, feed.model_dump_json().encode())
        for nth, (_, name, data) in enumerate(listed if listed is not None else pieces(bundle)):
            writer.append(Kind.DATA, name, data)
            if nth % every == 0:
                writer.append(Kind.TICK, "", b"")
        for _ in range(1 + quiet):
            writer.append(Kind.TICK, "", b"")
        return writer.commit()
    finally:
        writer.close()


def verdicts_by_id(frame: pl.DataFrame) -> dict[str, tuple[object, ...]]:
    """What matters of verdict rows, by id."""
    columns = ("id", "terminal", "verdict", "reason", "picked", "presented", "retained")
    return {r[0]: r[1:] for r in frame.with_columns(pl.col("verdict").cast(pl.String)).select(columns).iter_rows()}

"""A loop's memory made anew from the history, where a checkpoint is of another layout (an upgrade) or damaged.

Readers and the place in the spool are kept beside the state and serve on; what the engine remembers follows from the rows of
the last day or so. What looks back further (the usual outflow of an hour, old reversals) is learnt again.
"""

from collections.abc import Callable, Iterator, Sequence

import msgspec
import polars as pl

from jackstop.model.settings import HOUR, MINUTE
from jackstop.model.tables import BY_NAME, Tables
from jackstop.pipeline import Run

REACH = 26 * HOUR
"""µs of history that are taken."""

WINDOW = 30 * MINUTE
"""µs taken at a time."""

MOST = 100_000
"""Rows of one table asked for at a time."""

_TABLES = tuple(n for n in BY_NAME if n != "visits")
Rows = Callable[[str, Sequence[str] | None, int, int, int], pl.DataFrame]
"""See `hindsight.Rows`."""


def waiting(run: Run) -> bytes:
    """The rows a run has taken that are not due yet, and so not in the history either, as bytes."""
    frames = {n: f.select(list(BY_NAME[n].schema)) for n, f in run.state.intake.waiting.items() if f.height}
    return msgspec.msgpack.encode({n: f.write_ipc(None).getvalue() for n, f in frames.items()})


def rebuild(run: Run, until: int, rows: Rows, left: bytes = b"") -> None:
    """Bring a run that has just begun to a watermark, with the rows of the history before it.

    Args:
        run: changed in place. until: the watermark (µs). rows: of the history. left: what `waiting` gave.

    Raises:
        StoreError: the history cannot be read.
    """
    for begin in range(until - REACH, until + WINDOW, WINDOW):
        parts = {n: list(_read(n, begin, begin + WINDOW, rows)) for n in _TABLES}
        run.advance(Tables.of(**{n: pl.concat(p) for n, p in parts.items() if p}), min(begin + WINDOW, until))
    kept = msgspec.msgpack.decode(left, type=dict[str, bytes]) if left else {}
    run.advance(Tables.of(**{n: pl.read_ipc(f).cast(BY_NAME[n].schema) for n, f in kept.items()}), until)  # type: ignore[arg-type]


def _read(name: str, begin: int, end: int, rows: Rows) -> Iterator[pl.DataFrame]:
    """The rows of a table from `begin` to before `end`; a span with too many is asked for in halves."""
    frame = rows(name, None, begin, end, MOST)
    if frame.height >= MOST and end - begin > 1:
        middle = (begin + end) // 2
        yield from _read(name, begin, middle, rows)
        yield from _read(name, middle, end, rows)
    elif frame.height:
        schema = BY_NAME[name].schema
        yield frame.select(list(schema)).cast(schema)  # type: ignore[arg-type]

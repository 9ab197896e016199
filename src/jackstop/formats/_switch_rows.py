"""Rows of table `host` from the typed columns of a switch export, with exactly the table's schema."""

from hashlib import sha256

import numpy as np
import polars as pl
from numpy.typing import NDArray

from jackstop.formats._localtime import HOUR, Zone
from jackstop.model.fleet import Reading
from jackstop.model.tables import HOST, TIME
from jackstop.model.vocabulary import QUALITY

Ints = NDArray[np.int64]
_QUARTER = HOUR // 4
_ALONE = ("response", "stan", "rrn", "auth_code", "reference")


def instants(stamps: pl.Series, absolute: pl.Series, zone: Zone, name: str) -> tuple[Ints, NDArray[np.bool_]]:
    """Stamps as UTC µs, and which of them were ambiguous; wall clocks go through the zone (`name`d) in their order."""
    local = stamps.to_numpy().copy()
    twice = np.zeros(len(local), np.bool_)
    walls = (~absolute).arg_true().to_numpy()
    if not walls.size:
        return local, twice
    wall = local[walls]
    quarters, back = np.unique(wall // _QUARTER, return_inverse=True)
    first, doubled = _offsets(quarters, name)
    if not doubled.any():
        zone.utc(int(wall[-1]))
        local[walls] = wall - first[back]
        return local, twice
    for i, at in zip(walls.tolist(), wall.tolist(), strict=True):
        local[i] = zone.utc(at)
        twice[i] = zone.ambiguous
    return local, twice


def _offsets(quarters: Ints, name: str) -> tuple[Ints, NDArray[np.bool_]]:
    """The zone's offset (µs) in each quarter of an hour, and whether that quarter exists twice."""
    fresh = Zone(name)
    first = np.empty(len(quarters), np.int64)
    doubled = np.empty(len(quarters), np.bool_)
    for i, quarter in enumerate(quarters.tolist()):
        at = quarter * _QUARTER
        first[i] = at - fresh.utc(at)
        doubled[i] = fresh.ambiguous
    return first, doubled


def event_ids(source: str, digests: list[bytes]) -> NDArray[np.uint64]:
    """Ids of the first row of each record, as `_reading.Rows` gives them."""
    salt = source.encode()
    seeds = b"".join([sha256(salt + d).digest() for d in digests])
    return np.frombuffer(seeds, ">u8")[::4].astype(np.uint64)


def host_rows(
    meant: pl.DataFrame,
    digests: list[bytes],
    offsets: Ints,
    lengths: Ints,
    time: Ints,
    ambiguous: NDArray[np.bool_],
    reading: Reading,
) -> pl.DataFrame:
    """One row per record read.

    Args:
        meant: from `interpret`, readable records only. digests, offsets, lengths: of the same records.
        time: µs UTC. ambiguous: whether the wall clock could have meant two instants.
    """
    declared = reading.terminal is not None
    quality = meant["quality"] | pl.Series(ambiguous).cast(pl.UInt32) * QUALITY["time-ambiguous"][0]
    columns: dict[str, pl.Series | pl.Expr] = {
        "event_id": pl.Series(event_ids(reading.name, digests)),
        "terminal": pl.lit(reading.terminal, pl.String) if declared else meant["terminal_id"],
        "naming": pl.lit("id" if declared else "terminal_id"),
        "time": pl.Series(time).cast(TIME),
        "time_uncertainty": meant["uncertainty"],
        "source": pl.lit(reading.name),
        "record_offset": pl.Series(offsets),
        "record_length": pl.Series(lengths),
        "record_digest": pl.Series(digests, dtype=pl.Binary),
        "quality": quality,
        "activity": meant["activity"],
        "view": pl.lit("host"),
        **{c: meant[c] for c in ("approved", "currency", "amount", "counts", *_ALONE)},
    }
    base = pl.DataFrame({"event_id": columns.pop("event_id")})
    return base.select(
        (columns.get(n, pl.lit(None)) if n != "event_id" else pl.col("event_id")).cast(t).alias(n) for n, t in HOST.schema.items()
    )

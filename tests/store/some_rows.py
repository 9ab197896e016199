"""Rows of the tables, made up: only what the history looks at matters."""

from datetime import UTC, datetime

import polars as pl

from jackstop.model.tables import BY_NAME

DAY = 24 * 3600 * 1_000_000
START = 20_513 * DAY
"""2026-03-01 00:00 UTC in µs."""


def cabinet(*rows: tuple[int, str, int, int]) -> pl.DataFrame:
    """Rows of `cabinet` as the engine gives them: id, terminal, at, arrival (µs)."""
    numbers = [r[0] for r in rows]
    said = {
        "event_id": pl.Series(numbers, dtype=pl.UInt64),
        "terminal": [r[1] for r in rows],
        "time": [datetime.fromtimestamp(0, UTC)] * len(rows),
        "source": ["s"] * len(rows),
        "record_offset": [n % 1000 for n in numbers],
        "record_length": [5] * len(rows),
        "record_digest": [bytes([n % 256]) * 32 for n in numbers],
        "activity": [("opened", "closed")[n % 2] for n in numbers],
        "part": ["safe"] * len(rows),
        "detail": [f"row {n}" for n in numbers],
    }
    schema = BY_NAME["cabinet"].schema
    own = pl.DataFrame({c: said.get(c, [None] * len(rows)) for c in schema}, schema=schema)
    times = pl.DataFrame([(a, b) for *_, a, b in rows], schema={"at": pl.Int64, "arrival": pl.Int64}, orient="row")
    return pl.concat([own, times], how="horizontal")

"""Reversals held against what the customer kept: money taken back at the host while the notes were gone.

Transaction-reversal fraud (formats.md §9.3.7): the notes are taken, then a reversal or a partial completion claims that
they were not.
"""

import polars as pl

from jackstop.model.tables import RECORD

SETTLED = {
    "episode": pl.UInt64,
    "terminal": pl.String,
    "at": pl.Int64,
    "amount": pl.Int64,
    "authorised": pl.Int64,
    "kept": pl.Int64,
    "taken": pl.Int64,
    "closes": pl.Int64,
    "deadline": pl.Int64,
    "currency": pl.String,
    "key": pl.String,
    "rrn": pl.String,
    "stan": pl.String,
    "auth_code": pl.String,
}


def held_against(undone: pl.DataFrame, settled: pl.DataFrame) -> pl.DataFrame:
    """Messages that take back more than came back.

    Args:
        undone: reversal and partial rows with `at`, `arrival`, `latency`.
        settled: explained episodes: what was authorised and kept, the authorisation's keys, when their verdict was due.

    Returns:
        id (of the message), episode, terminal, undone_at, decided, excess (minor units kept beyond what was left authorised),
        currency, records.
    """
    if not undone.height or not settled.height:
        return _NOTHING
    settled = settled.filter(pl.col("terminal").is_in(undone["terminal"].unique().implode()))
    reference = pl.coalesce("reference", "rrn", pl.concat_str(pl.lit("s"), "stan"))
    record = pl.struct("source", "record_offset", "record_length", "record_digest")
    back = undone.select(
        "terminal",
        "activity",
        "arrival",
        "latency",
        id="event_id",
        back="amount",
        undone_at="at",
        ref=reference,
        records=pl.concat_list(record),
    )
    parts = []
    for name in ("key", "rrn", "stan", "auth_code"):
        known = settled.filter(pl.col(name).is_not_null()).with_columns(ref=pl.col(name)).drop("key", "rrn", "stan", "auth_code")
        parts.append(back.join(known, on=["terminal", "ref"], how="inner"))
    pairs = pl.concat(parts).filter(pl.col("undone_at") >= pl.col("at") - 60_000_000)
    nearest = pairs.sort("id", "at", maintain_order=True).unique("id", keep="last", maintain_order=True)
    partial, rest = pl.col("activity") == "partial", pl.col("authorised") - pl.coalesce("back", "authorised")
    left = pl.when(partial).then(pl.col("back")).otherwise(rest)
    outcome = pl.coalesce("taken", "closes") + pl.col("latency")
    held = nearest.with_columns(excess=pl.col("kept") - left, decided=pl.max_horizontal("arrival", outcome, "deadline"))
    return held.filter((pl.col("excess") > 0) & pl.col("taken").is_not_null()).select(list(_NOTHING.schema))


_NOTHING = pl.DataFrame(
    schema={
        "id": pl.UInt64,
        "episode": pl.UInt64,
        "terminal": pl.String,
        "undone_at": pl.Int64,
        "decided": pl.Int64,
        "excess": pl.Int64,
        "currency": pl.String,
        "records": pl.List(RECORD),
    }
)

"""A switch export as its host would write it: header row, ISO 8601 stamps in UTC, one line per message."""

from collections.abc import Mapping

import polars as pl

_TYPES = {"reply": "withdrawal", "reversal": "reversal", "advice": "advice", "partial": "partial"}


def write(host: pl.DataFrame, names: Mapping[str, str]) -> bytes:
    """Rows the export can say, in time order.

    Args:
        host: rows of table `host`. names: our column to the header's name for it.
    """
    rows = host.filter((pl.col("view") == "host") & pl.col("activity").is_in(list(_TYPES))).sort("time", maintain_order=True)
    types = pl.col("activity").cast(pl.String).replace_strict(_TYPES, default=None, return_dtype=pl.String)
    decided = pl.when(pl.col("approved")).then(pl.lit("00")).when(~pl.col("approved")).then(pl.lit("05"))
    lines = rows.select(
        time=_stamp(),
        terminal_id="terminal",
        type=types,
        amount="amount",
        currency="currency",
        response=pl.coalesce("response", decided),
        stan="stan",
        rrn="rrn",
        auth_code="auth_code",
        note_mix=pl.col("counts").cast(pl.List(pl.String)).list.join(","),
        reference="reference",
    )
    return lines.rename(dict(names)).write_csv().encode()


def _stamp() -> pl.Expr:
    """As many digits after the second as the row's clock has."""
    time, spread = pl.col("time").dt.replace_time_zone(None), pl.col("time_uncertainty")
    whole = time.dt.strftime("%Y-%m-%dT%H:%M:%S")
    return (
        pl.when(spread >= 1_000_000)
        .then(whole + "Z")
        .when(spread >= 1_000)
        .then(time.dt.strftime("%Y-%m-%dT%H:%M:%S%.3fZ"))
        .otherwise(time.dt.strftime("%Y-%m-%dT%H:%M:%S%.6fZ"))
    )

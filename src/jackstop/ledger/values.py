"""What a note is worth: amounts from note counts, by the denominations a terminal's units had at that time.

XFS 3.x lets an order give counts per logical unit and no amount (formats.md §1.2); NDC gives notes per cassette type.
"""

import polars as pl

from jackstop.model.fleet import Fleet

HISTORY = {"terminal": pl.String, "by": pl.String, "unit": pl.Int64, "since": pl.Int64, "value": pl.Int64, "currency": pl.String}
CHANGES = 50
"""Changes of a unit's value that are remembered."""

_EVER = -(2**62)


def declared(fleet: Fleet) -> pl.DataFrame:
    """The denominations `fleet.toml` declares, by logical unit and by cassette type, valid from the beginning."""
    rows = []
    for terminal in fleet.terminal:
        for cassette in terminal.cassettes:
            currency = cassette.currency or terminal.currency or fleet.fleet.currency
            rows.append((terminal.id, "unit", cassette.unit, _EVER, cassette.value, currency))
            rows.append((terminal.id, "type", cassette.type, _EVER, cassette.value, currency))
    return pl.DataFrame(rows, schema=HISTORY, orient="row").unique(["terminal", "by", "unit"], keep="first", maintain_order=True)


def learn(history: pl.DataFrame, units: pl.DataFrame) -> pl.DataFrame:
    """The history with what counter snapshots (with `at`) say, kept to the moments a value changed."""
    said = units.filter(pl.col("value").is_not_null() & (pl.col("value") > 0) & pl.col("unit").is_not_null()).select(
        "terminal",
        pl.when(pl.col("basis").is_in(["host", "journal"])).then(pl.lit("type")).otherwise(pl.lit("unit")).alias("by"),
        pl.col("unit").cast(pl.Int64),
        pl.col("at").alias("since"),
        "value",
        "currency",
    )
    if not said.height:
        return history
    concerned = pl.col("terminal").is_in(said["terminal"].unique().implode())
    known = history.filter(concerned)
    together = pl.concat([known, said]).sort("terminal", "by", "unit", "since", maintain_order=True)
    changed = pl.col("value") != pl.col("value").shift(1).over("terminal", "by", "unit")
    now = together.filter(changed.fill_null(value=True))
    if now.height == known.height and now["since"].sum() == known["since"].sum():
        return history
    return pl.concat([history.filter(~concerned), _bounded(now)])


def _bounded(history: pl.DataFrame) -> pl.DataFrame:
    """The last `CHANGES` of each unit: a log can say another value in every line."""
    return history.group_by("terminal", "by", "unit", maintain_order=True).tail(CHANGES).select(list(HISTORY))


def amounts(frame: pl.DataFrame, history: pl.DataFrame, by: pl.Expr) -> pl.DataFrame:
    """The frame with `amount` filled from `counts` where it is null and every unit's value is known.

    Args:
        frame: rows with terminal, at, amount, counts.
        history: see `learn`.
        by: whether counts are per `unit` or per `type`, as an expression of the frame.
    """
    if not frame["amount"].null_count():
        return frame
    wanting = frame.with_row_index("_row").filter(pl.col("amount").is_null() & (pl.col("counts").list.len() > 0))
    if not wanting.height:
        return frame
    mine = history.filter(pl.col("terminal").is_in(wanting["terminal"].unique().implode()))
    notes = (
        wanting.select("_row", "terminal", "at", by.alias("by"), "counts")
        .with_columns(unit=pl.int_ranges(1, pl.col("counts").list.len().cast(pl.Int64) + 1))
        .explode("counts", "unit")
        .filter(pl.col("counts") > 0)
        .with_columns(pl.col("unit").cast(pl.Int64))
        .sort("at")
        .join_asof(
            mine.select("terminal", "by", "unit", "since", "value").sort("since"),
            left_on="at",
            right_on="since",
            by=["terminal", "by", "unit"],
            check_sortedness=False,
        )
    )
    worth = notes.group_by("_row").agg(
        pl.when(pl.col("value").is_null().any()).then(None).otherwise((pl.col("value") * pl.col("counts")).sum()).alias("worth")
    )
    filled = frame.with_row_index("_row").join(worth, on="_row", how="left", maintain_order="left")
    return filled.with_columns(amount=pl.coalesce("amount", "worth")).drop("_row", "worth")

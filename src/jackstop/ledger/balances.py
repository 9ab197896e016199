"""Balances: counters of cash units against the movements between their snapshots.

Conservation (formats.md §9.3.9): what left the cassettes is what episodes picked. A fall that no movement explains is
cash that left with no log line: a black box. Each basis (PC software, device, host, journal) is its own witness; what
one has reported the others are credited with.
"""

import numpy as np
import polars as pl
from numba import njit
from numpy.typing import NDArray

from jackstop.model.settings import Settings
from jackstop.model.tables import RECORD

Ints = NDArray[np.int64]

LAST = {
    "terminal": pl.String,
    "basis": pl.String,
    "key": pl.String,
    "last_at": pl.Int64,
    "last_when": pl.Int64,
    "last_count": pl.Int64,
    "value": pl.Int64,
}
RESIDUE = {"terminal": pl.String, "basis": pl.Int64, "residue": pl.Int64, "picked_at": pl.Int64}
BASES = ("logical", "physical", "host", "journal", "hand")
PICK, FALL, ANCHOR = 0, 1, 2
EARLIER = 5_000_000
_QUIET = 60_000_000
_CASSETTES = ("bill", "recycling")
_NEW_ANCHOR = ("exchange-start", "exchange-end", "set", "cleared")


def falls(units: pl.DataFrame, last: pl.DataFrame, history: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """What each snapshot says left the cassettes since the one before.

    Args:
        units: complete counter rows with `at`, and `when` (the source's own order: `at` may leap when a clock is learnt).
            Rows older than the last known count tell nothing new.
        last: the last count known of each unit. history: denominations (see `values`).
            Notes a unit gave to the reject bin are still inside: they count as not fallen.

    Returns:
        Falls (terminal, basis, at, prev_at, fall in minor units, anchor, id, records, currency), and the new `last`.
    """
    if not units.height:
        return NOTHING, last
    cassettes = pl.col("kind").is_in(_CASSETTES) & pl.col("count").is_not_null()
    counted = units.filter(cassettes).with_columns(
        basis=pl.col("basis").cast(pl.String),
        key=pl.coalesce(pl.col("unit").cast(pl.String), "unit_id", "serial"),
        value=pl.col("value").replace(0, None),
        count=pl.col("count") + pl.col("rejected").fill_null(0),
    )
    counted = _worth(counted, history).filter(pl.col("value").is_not_null() & pl.col("key").is_not_null())
    if not counted.height:
        return NOTHING, last
    same = ["terminal", "basis", "key"]
    order = counted.sort(*same, "when", "record_offset", "event_id")
    joined = order.join(last.select(*same, "last_at", "last_when", "last_count"), on=same, how="left", maintain_order="left")
    joined = joined.filter((pl.col("when") >= pl.col("last_when")).fill_null(value=True))
    previous = pl.coalesce(pl.col("count").shift(1).over(same), "last_count")
    moved = joined.with_columns(
        fall=((previous - pl.col("count")) * pl.col("value")).fill_null(0),
        prev_at=pl.coalesce(pl.col("at").shift(1).over(same), "last_at", "at"),
    )
    newest = joined.group_by(same, maintain_order=True).agg(
        *(pl.col(c).last().alias(f"last_{c}") for c in ("at", "when", "count")), value=pl.col("value").last()
    )
    kept = last.join(newest.select(same), on=same, how="anti")
    return _summed(moved), pl.concat([kept, newest.select(list(LAST))])


def _summed(moved: pl.DataFrame) -> pl.DataFrame:
    """The falls of the units of each snapshot, together."""
    record = pl.struct("source", "record_offset", "record_length", "record_digest")
    summed = moved.group_by("terminal", "basis", "at", "snapshot", maintain_order=True).agg(
        fall=pl.col("fall").clip(0).sum(),
        prev_at=pl.col("prev_at").min(),
        anchor=pl.col("cause").is_in(_NEW_ANCHOR).any(),
        id=pl.col("event_id").first(),
        currency=pl.col("currency").drop_nulls().first(),
        arrival=pl.col("arrival").max(),
        records=record.unique(maintain_order=True),
    )
    return summed.drop("snapshot")


def _worth(counted: pl.DataFrame, history: pl.DataFrame) -> pl.DataFrame:
    """Counter rows with the note value filled from the denominations known by then."""
    by = pl.when(pl.col("basis").is_in(["host", "journal"])).then(pl.lit("type")).otherwise(pl.lit("unit"))
    mine = history.filter(pl.col("terminal").is_in(counted["terminal"].unique().implode()))
    known = mine.select("terminal", "by", "unit", since="since", known="value").sort("since")
    placed = counted.with_columns(by=by, unit=pl.col("unit").cast(pl.Int64)).sort("at")
    joined = placed.join_asof(known, left_on="at", right_on="since", by=["terminal", "by", "unit"], check_sortedness=False)
    return joined.with_columns(value=pl.coalesce("value", "known")).drop("by", "since", "known")


def excuse(fallen: pl.DataFrame, permitted: pl.DataFrame) -> pl.DataFrame:
    """Falls with `anchor` set where an exchange or a visit that permits one lies between the two snapshots.

    Args:
        fallen: from `falls`. permitted: terminal, start, end (µs).
    """
    if not permitted.height or not fallen.height:
        return fallen
    touched = (
        fallen.select("id", "terminal", "prev_at", "at")
        .join(permitted, on="terminal")
        .filter((pl.col("prev_at") <= pl.col("end")) & (pl.col("at") >= pl.col("start")))
        .select("id")
        .unique()
    )
    return fallen.with_columns(anchor=pl.col("anchor") | pl.col("id").is_in(touched["id"].implode()))


@njit(cache=True)
def _fold(
    terminal: Ints, kind: Ints, basis: Ints, at: Ints, amount: Ints, residue: NDArray[np.int64], picked: Ints
) -> Ints:  # pragma: no cover - compiled
    """Loss at each event; `residue` (terminal × basis: falls less picks) and `picked` (last pick) updated in place."""
    loss = np.zeros(len(at), np.int64)
    for i in range(len(at)):
        t, b = terminal[i], basis[i]
        if kind[i] == PICK:
            residue[t] -= amount[i]
            picked[t] = at[i]
        elif kind[i] == ANCHOR:
            residue[t, b] = 0
        else:
            residue[t, b] += amount[i]
            if residue[t, b] > 0:
                loss[i] = residue[t, b]
                residue[t] -= loss[i]
            if residue[t, b] < 0 and at[i] - picked[t] > _QUIET:
                residue[t, b] = 0
    return loss


def losses(fallen: pl.DataFrame, picks: pl.DataFrame, state: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Falls that no movement explains.

    Args:
        fallen: from `excuse`, complete. picks: terminal, at, amount: what episodes and idle approvals took out.
        state: residue per terminal and basis.

    Returns:
        The falls with `loss` > 0 (minor units), and the new state.
    """
    basis = pl.col("basis").replace_strict(list(BASES), range(len(BASES)), return_dtype=pl.Int64)
    kind = pl.when("anchor").then(ANCHOR).otherwise(FALL)
    left = fallen.with_row_index("_row").select("_row", "terminal", "at", amount="fall", basis=basis, kind=kind.cast(pl.Int64))
    right = picks.select(
        pl.lit(None, pl.UInt32).alias("_row"),
        "terminal",
        pl.col("at") - EARLIER,
        "amount",
        basis=pl.lit(0, pl.Int64),
        kind=pl.lit(PICK, pl.Int64),
    )
    events = pl.concat([right, left], how="vertical_relaxed").sort("at", "kind", "_row", nulls_last=False)
    if not events.height:
        return fallen.with_columns(loss=pl.lit(0, pl.Int64)).clear(), state
    terminals = events["terminal"].unique(maintain_order=True).sort()
    grid = pl.DataFrame({"terminal": terminals}).join(pl.DataFrame({"basis": range(len(BASES))}), how="cross")
    known = grid.join(state, on=["terminal", "basis"], how="left", maintain_order="left").fill_null(0)
    residue = known["residue"].to_numpy().copy().reshape(-1, len(BASES))
    picked = known["picked_at"].to_numpy().reshape(-1, len(BASES))[:, 0].copy()
    codes = events["terminal"].replace_strict(terminals, range(len(terminals)), return_dtype=pl.Int64).to_numpy()
    columns = [events[c].to_numpy() for c in ("kind", "basis", "at", "amount")]
    lost = _fold(codes, columns[0], columns[1], columns[2], columns[3], residue, picked)
    found = events.with_columns(loss=pl.Series(lost)).filter(pl.col("loss") > 0).select("_row", "loss")
    state_now = known.with_columns(residue=pl.Series(residue.ravel()), picked_at=pl.Series(np.repeat(picked, len(BASES))))
    rest = state.join(pl.DataFrame({"terminal": terminals}), on="terminal", how="anti")
    missing = fallen.with_row_index("_row").join(found, on="_row", how="inner", maintain_order="left").drop("_row")
    return missing, pl.concat([rest, state_now.select(list(RESIDUE))])


def permitted(visits: pl.DataFrame, operator: pl.DataFrame, settings: Settings) -> pl.DataFrame:
    """Windows in which counters may be rewritten: visits that permit an exchange, and exchanges under way."""
    allowed = visits.filter(
        pl.col("permits").list.contains("exchange")
        | pl.col("permits").list.contains("test-dispense")
        | pl.col("permits").list.contains("open-safe")
    ).select("terminal", start=pl.col("time").to_physical(), end=pl.col("until").to_physical())
    around = operator.filter(
        pl.col("activity").is_in(["exchange-started", "exchange-ended", "counters-set", "counters-cleared", "cash-added"])
    ).select("terminal", start=pl.col("at") - settings.settle, end=pl.col("at") + settings.settle)
    return pl.concat([allowed, around])


NOTHING = pl.DataFrame(
    schema={
        "terminal": pl.String,
        "basis": pl.String,
        "at": pl.Int64,
        "fall": pl.Int64,
        "prev_at": pl.Int64,
        "anchor": pl.Boolean,
        "id": pl.UInt64,
        "currency": pl.String,
        "arrival": pl.Int64,
        "records": pl.List(RECORD),
    }
)

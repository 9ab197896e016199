"""Authorisations: one host decision each, folded from requests, replies, repeats, advices, partials and reversals.

An authorisation has a capacity: the value it may explain, in minor units. ISO 8583 (0100/0200 families, 0400 reversals,
field 95 replacement amounts), NDC reply functions, and switch exports arrive here in the one shape of table `host`.
"""

import polars as pl

from jackstop.model.settings import Settings

_DECISIONS = ("reply", "advice")
_TAKING_BACK = ("reversal", "partial")


def build(host: pl.DataFrame, settings: Settings) -> pl.DataFrame:
    """Authorisations from host rows (with `at`, `arrival`): one row per decision, in the order of terminal and time.

    Returns:
        id, terminal, view, source, key, at, arrival, approved, amount (capacity), currency, counts, response, stan, tsn,
        rrn, auth_code, stand_in, repeats, reversed (µs or null), reversed_seen, given_back (minor units),
        told (whether the terminal's line says the same: null where there is no line view), line_counts.
    """
    keyed = _keyed(host.filter(pl.col("activity").is_in([*_DECISIONS, *_TAKING_BACK])), settings)
    decisions = _decisions(keyed.filter(pl.col("activity").is_in(_DECISIONS)))
    undone = keyed.filter(pl.col("activity").is_in(_TAKING_BACK))
    return _merge_views(_take_back(decisions, undone, settings), settings)


def _keyed(rows: pl.DataFrame, settings: Settings) -> pl.DataFrame:
    """Rows with `key` (what joins messages of one transaction) and `fold` (its number; a new one after a long pause)."""
    own = pl.coalesce("rrn", pl.concat_str(pl.lit("s"), "stan"), pl.concat_str(pl.lit("t"), "tsn"))
    key = pl.coalesce(own, pl.concat_str(pl.lit("e"), pl.col("event_id").cast(pl.String)))
    ordered = rows.with_columns(key=key).sort("terminal", "view", "key", "at", "source", "record_offset", "event_id")
    same = pl.all_horizontal(pl.col(c).eq_missing(pl.col(c).shift(1)) for c in ("terminal", "view", "key"))
    goes_on = same & (pl.col("at") - pl.col("at").shift(1) <= settings.fold)
    return ordered.with_columns(fold=(~goes_on.fill_null(value=False)).cast(pl.Int64).cum_sum())


def _decisions(rows: pl.DataFrame) -> pl.DataFrame:
    """The first message that decides counts; later ones of the same transaction are its repeats."""
    decided = pl.col("approved").is_not_null()
    firsts = ("terminal", "view", "key", "id", "source", "at", "arrival", "approved", "amount", "response", "stand_in")
    said = rows.rename({"event_id": "id"}).filter(decided)
    carried = ("currency", "counts", "stan", "tsn", "rrn", "auth_code")
    return (
        said.group_by("fold", maintain_order=True)
        .agg(
            *(pl.col(c).first() for c in firsts),
            *(pl.col(c).drop_nulls().first() for c in carried),
            repeats=pl.len() - 1,
            records=pl.struct("source", "record_offset", "record_length", "record_digest").unique(maintain_order=True),
        )
        .with_columns(pl.col("stand_in").fill_null(value=False))
        .sort("terminal", "at", "id")
    )


def _take_back(decisions: pl.DataFrame, undone: pl.DataFrame, settings: Settings) -> pl.DataFrame:
    """Decisions with what reversals and partial completions took back of them."""
    if not undone.height:
        return decisions.with_columns(
            reversed=pl.lit(None, pl.Int64), reversed_seen=pl.lit(None, pl.Int64), given_back=pl.lit(0, pl.Int64)
        )
    reference = pl.coalesce("reference", "rrn", pl.concat_str(pl.lit("s"), "stan"), pl.concat_str(pl.lit("t"), "tsn"), "key")
    back = undone.select("terminal", "activity", "amount", "at", "arrival", ref=reference)
    parts = []
    for name in ("key", "rrn", "stan", "auth_code"):
        match = decisions.filter(pl.col(name).is_not_null()).select(
            "terminal", "id", decided="at", full="amount", ref=pl.col(name)
        )
        parts.append(back.join(match, on=["terminal", "ref"], how="inner"))
    since = pl.col("at") - pl.col("decided")
    found = pl.concat(parts).filter((since >= -settings.fold) & (since <= settings.remember)).unique()
    nearest = found.sort("at", "decided", maintain_order=True).unique(["terminal", "activity", "at", "ref"], keep="last")
    taken = (
        pl.when(pl.col("activity") == "partial").then(pl.col("full") - pl.col("amount")).otherwise(pl.coalesce("amount", "full"))
    )
    sums = (
        nearest.with_columns(taken=taken.clip(0))
        .group_by("id")
        .agg(
            reversed=pl.col("at").filter(pl.col("activity") == "reversal").min(),
            reversed_seen=pl.col("arrival").filter(pl.col("activity") == "reversal").min(),
            given_back=pl.col("taken").max(),
        )
    )
    return decisions.join(sums, on="id", how="left", maintain_order="left").with_columns(pl.col("given_back").fill_null(0))


def _merge_views(decisions: pl.DataFrame, settings: Settings) -> pl.DataFrame:
    """One row per decision where host and line both saw it: the host decides, the line adds what the terminal was told."""
    line = decisions.filter(pl.col("view") == "line")
    host = decisions.filter(pl.col("view") == "host")
    bare = {"told": pl.lit(None, pl.Boolean), "line_counts": pl.lit(None, decisions.schema["counts"])}
    if not line.height or not host.height:
        return decisions.with_columns(**bare)
    seen = (
        line.select("terminal", "amount", "at", line_id="id", line_tsn="tsn", line_counts="counts", told="approved")
        .sort("at")
        .join_asof(
            host.select("terminal", "amount", "at", host_id="id").sort("at"),
            on="at",
            by=["terminal", "amount"],
            strategy="nearest",
            tolerance=settings.view_fold,
            check_sortedness=False,
        )
        .filter(pl.col("host_id").is_not_null())
        .unique("host_id", keep="first", maintain_order=True)
    )
    merged = host.join(
        seen.select("line_tsn", "line_counts", "told", id="host_id"), on="id", how="left", maintain_order="left"
    ).with_columns(tsn=pl.coalesce("tsn", "line_tsn"), counts=pl.coalesce("counts", "line_counts"))
    alone = line.join(seen.select(id="line_id"), on="id", how="anti").with_columns(**bare)
    return pl.concat([merged.drop("line_tsn").select(alone.columns), alone]).sort("terminal", "at", "id")


def authority(decisions: pl.DataFrame, host_since: pl.DataFrame, settings: Settings) -> pl.DataFrame:
    """Decisions with `counts_as`: whether this view decides at its terminal (the host's, from when it is first seen).

    Args:
        decisions: from `build`. host_since: terminal, since (µs of its first row of view `host`).
        settings: `view_fold`.
    """
    joined = decisions.join(host_since, on="terminal", how="left", maintain_order="left")
    unseen = (pl.col("since") > pl.col("at") + settings.view_fold).fill_null(value=True)
    return joined.with_columns(counts_as=(pl.col("view") == "host") | unseen).drop("since")

"""Verdicts: the word and the reason for each reconciled episode and for approvals for which no cash moved."""

import polars as pl

from jackstop.model.results import VERDICTS
from jackstop.model.settings import Settings

_LOOK_BACK = 60_000_000


def judge(matched: pl.DataFrame, decisions: pl.DataFrame, settings: Settings) -> pl.DataFrame:
    """Episodes with `verdict`, `reason`, `decided` (µs), `explained_by`, `gates` and `missing`.

    Args:
        matched: episodes after `reconcile.match`, with dark, alive, test_order, has_host, has_journal.
        decisions: authorisations with `counts_as`.
        settings: `proof_wait`, `early`.
    """
    told = _context(_approval(matched, decisions), matched, decisions)
    believed = pl.col("app_approved").fill_null(value=False) | pl.col("session").is_not_null()
    proven = pl.col("alive") <= pl.col("at") + settings.proof_wait
    lifeless = pl.when(believed).then(~proven.fill_null(value=False)).otherwise(pl.col("dark") & ~pl.col("has_journal"))
    stayed = pl.col("test_order").is_not_null() & (pl.col("presented").is_null() | (pl.col("presented") > pl.col("base")))
    verdict, reason = pl.lit("unexplained"), pl.lit("no-authorisation")
    late = pl.col("lo") <= pl.col("arrival") - settings.keep
    for condition, word, why in reversed(_chain(late, lifeless, stayed)):
        verdict = pl.when(condition).then(pl.lit(word)).otherwise(verdict)
        reason = pl.when(condition).then(pl.lit(why)).otherwise(reason)
    judged = told.with_columns(verdict=verdict, reason=reason).with_columns(
        pl.when(pl.col("reason") != "too-late").then(pl.col(c)).alias(c) for c in ("approval", "auth_records")
    )
    return judged.with_columns(
        decided=_decided(believed, proven, settings),
        missing=pl.when(pl.col("verdict") == "insufficient-evidence").then(pl.lit("host")),
        gate=pl.when(
            pl.col("approval").is_null() & ~pl.col("reason").is_in(["no-authorisation", "host-missing", "too-late"])
        ).then("reason"),
    )


def _chain(late: pl.Expr, lifeless: pl.Expr, stayed: pl.Expr) -> tuple[tuple[pl.Expr, str, str], ...]:
    """Conditions with their verdict and reason; the first that holds counts.

    What comes when the approvals of its time may have been let go (`late`: its feed was cut off) proves nothing.
    """
    clean = (pl.col("amount") == 0) & (pl.col("shown") == 0) & pl.col("failed")
    return (
        (late, "insufficient-evidence", "too-late"),
        (pl.col("approval").is_not_null() & pl.col("stand_in").fill_null(value=False), "explained", "matched-stand-in"),
        (pl.col("approval").is_not_null() & pl.col("same_key"), "explained", "matched-key"),
        (pl.col("approval").is_not_null() & pl.col("same_mix"), "explained", "matched-mix"),
        (pl.col("approval").is_not_null(), "explained", "matched"),
        (clean, "explained", "returned-whole"),
        (stayed, "explained-by-visit", "visit-test"),
        (~pl.col("has_host"), "insufficient-evidence", "host-missing"),
        (pl.col("cut") & (pl.col("candidates") > 0), "ambiguous", "margin-low"),
        (pl.col("over_id").is_not_null(), "contradicted", "over-authorised"),
        (pl.col("no_id").is_not_null() & pl.col("no_told").fill_null(value=False), "contradicted", "view-conflict"),
        (pl.col("no_id").is_not_null(), "contradicted", "declined"),
        (pl.col("undone_id").is_not_null(), "contradicted", "reversed-before"),
        (pl.col("line_id").is_not_null(), "contradicted", "view-conflict"),
        (lifeless, "insufficient-evidence", "host-dark"),
        (pl.col("candidates") > 0, "unexplained", "capacity-used"),
    )


def _decided(believed: pl.Expr, proven: pl.Expr, settings: Settings) -> pl.Expr:
    """When the verdict can be given: at the deadline, or when a believed approval's host feed shows life (or does not)."""
    waits = believed & pl.col("reason").is_in(["host-dark", "capacity-used", "no-authorisation"])
    life = pl.when(proven.fill_null(value=False)).then(pl.col("alive")).otherwise(pl.col("at") + settings.proof_wait)
    return pl.when(waits).then(pl.max_horizontal("deadline", life + pl.col("latency"))).otherwise(pl.col("deadline"))


def _approval(matched: pl.DataFrame, decisions: pl.DataFrame) -> pl.DataFrame:
    """Episodes with what their approval says."""
    chosen = decisions.select(
        "stand_in",
        approval="id",
        auth_at="at",
        auth_rrn="rrn",
        auth_tsn="tsn",
        auth_counts="counts",
        auth_amount="amount",
        auth_records="records",
        auth_key="key",
    )
    joined = matched.join(chosen, on="approval", how="left", maintain_order="left")
    same = (pl.col("app_rrn") == pl.col("auth_rrn")) | (pl.col("app_tsn") == pl.col("auth_tsn"))
    return joined.with_columns(
        same_key=same.fill_null(value=False),
        same_mix=(pl.col("app_counts") == pl.col("auth_counts")).fill_null(value=False),
    )


def _context(told: pl.DataFrame, matched: pl.DataFrame, decisions: pl.DataFrame) -> pl.DataFrame:
    """Episodes with the messages that speak against them: declined, too small, undone, told otherwise on the line."""
    users = matched.filter(pl.col("approval").is_not_null()).group_by("approval").agg(used_at=pl.col("deadline").min())
    approved = decisions.filter(pl.col("approved") & pl.col("counts_as") & (pl.col("amount") > 0))
    small = approved.join(users.rename({"approval": "id"}), on="id", how="left")
    declined = decisions.filter(~pl.col("approved") & pl.col("counts_as"))
    undone = approved.filter(pl.col("reversed").is_not_null() & (pl.col("given_back") >= pl.col("amount")))
    line = decisions.filter(pl.col("approved") & ~pl.col("counts_as"))
    out = _nearest(told, small, {"over_id": "id", "over_amount": "amount", "over_used": "used_at"}, same_amount=False)
    out = out.with_columns(
        over_id=pl.when(
            (pl.col("over_amount") < pl.col("amount"))
            & (pl.col("over_used").is_null() | (pl.col("over_used") > pl.col("deadline")))
        ).then("over_id")
    )
    out = _nearest(out, declined, {"no_id": "id", "no_told": "told"}, same_amount=True)
    out = _nearest(out, undone, {"undone_id": "id", "undone_at": "reversed"}, same_amount=True)
    out = out.with_columns(undone_id=pl.when(pl.col("undone_at") <= pl.col("begun")).then("undone_id"))
    return _nearest(out, line, {"line_id": "id"}, same_amount=True)


def _nearest(left: pl.DataFrame, right: pl.DataFrame, take: dict[str, str], *, same_amount: bool) -> pl.DataFrame:
    """Columns of the last message at the terminal up to `hi` and at most a minute before the movement."""
    if not right.height:
        return left.with_columns(pl.lit(None, right.schema[c]).alias(n) for n, c in take.items())
    by = ["terminal", "amount"] if same_amount else ["terminal"]
    picked = right.select(*by, pl.col("at").alias("_at"), *(pl.col(c).alias(n) for n, c in take.items())).sort("_at")
    joined = left.sort("hi", "id").join_asof(picked, left_on="hi", right_on="_at", by=by, check_sortedness=False)
    near = pl.col("_at") >= pl.col("at") - _LOOK_BACK
    return joined.with_columns(pl.when(near).then(pl.col(n)).alias(n) for n in take).drop("_at")


def idle(decisions: pl.DataFrame, matched: pl.DataFrame, latency: pl.DataFrame, default: int, settings: Settings) -> pl.DataFrame:
    """Approvals that decide at terminals with a cash source and for which no cash moved: with `verdict`, `decided`."""
    used = matched.filter(pl.col("approval").is_not_null()).select(id="approval").unique()
    unused = decisions.filter(pl.col("approved") & pl.col("counts_as") & (pl.col("amount") > 0)).join(used, on="id", how="anti")
    if not unused.height:
        return _idle_none(unused)
    waited = unused.join(latency, on="terminal", how="left").with_columns(
        due=pl.col("at") + settings.settle + pl.col("latency").fill_null(default)
    )
    undone = pl.col("reversed").is_not_null() & (pl.col("reversed_seen") <= pl.col("due"))
    return waited.with_columns(
        verdict=pl.when(undone).then(pl.lit("explained")).otherwise(pl.lit("unexplained")),
        reason=pl.when(undone).then(pl.lit("no-cash-reversed")).otherwise(pl.lit("no-cash-moved")),
        decided=pl.max_horizontal("due", "arrival"),
        undone=undone,
    )


def _idle_none(unused: pl.DataFrame) -> pl.DataFrame:
    """No idle approvals, with the columns they have."""
    words, instants = (dict.fromkeys(n, pl.lit(None, t)) for n, t in ((_WORDS, pl.String), (_INSTANTS, pl.Int64)))
    return unused.with_columns(**instants, **words, undone=pl.lit(None, pl.Boolean)).select(*unused.columns, *_IDLE)


_WORDS, _INSTANTS = ("verdict", "reason"), ("latency", "due", "decided")
_IDLE = ("latency", "due", "verdict", "reason", "decided", "undone")


def evidence(column: str) -> pl.Expr:
    """A list of record structs as results show them: path, offset, length, SHA-256 in hex."""
    item = pl.element().struct
    return (
        pl.col(column)
        .list.eval(
            pl.struct(
                path=item.field("source"),
                offset=item.field("record_offset"),
                length=item.field("record_length"),
                sha256=item.field("record_digest").bin.encode("hex"),
            )
        )
        .cast(VERDICTS["records"])
    )


def ident(column: str = "id", prefix: str = "") -> pl.Expr:
    """A row's id as results show it: sixteen hex digits."""
    return pl.concat_str(pl.lit(prefix), pl.col(column).cast(pl.String).str.zfill(20))


def rows(judged: pl.DataFrame, kind: str) -> pl.DataFrame:
    """Judged episodes or approvals in the shape of `results.VERDICTS`.

    Args:
        judged: with id, terminal, at, currency, picked, shown, kept, verdict, reason, decided, records and, for
            episodes, approval, auth_records, gate, missing, offset (µs), spread (µs).
        kind: episode, authorisation or balance.
    """
    listed = pl.concat_list(evidence("records"), evidence("auth_records").fill_null([]))
    return judged.select(
        id=ident(prefix=kind[0]),
        terminal="terminal",
        kind=pl.lit(kind).cast(VERDICTS["kind"]),
        time=pl.from_epoch("at", time_unit="us").dt.replace_time_zone("UTC"),
        currency="currency",
        picked="picked",
        presented="shown",
        retained="kept",
        verdict=pl.col("verdict").cast(VERDICTS["verdict"]),
        reason="reason",
        explained_by=pl.concat_list(
            pl.when(pl.col("approval").is_not_null()).then(ident("approval", "h")), "order"
        ).list.drop_nulls(),
        gates_failed=pl.concat_list("gate").list.drop_nulls(),
        sources_missing=pl.concat_list("missing").list.drop_nulls(),
        offset_ms=pl.col("offset") // 1000,
        uncertainty_ms=pl.col("spread") // 1000,
        decided_at=pl.from_epoch("decided", time_unit="us").dt.replace_time_zone("UTC"),
        records=listed,
    )

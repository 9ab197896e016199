"""Reconciliation: every episode held against the authorisations, with one of the seven verdicts and its reason.

A verdict is taken at the episode's deadline and rests only on what had happened by then; the deadline follows from the
data, not from how the input was cut. Order of proof: an authorisation, a visit, what contradicts, what is missing.
"""

import numpy as np
import polars as pl

from jackstop.ledger import assignment, matching
from jackstop.model.settings import Settings

TAKEN = {
    "terminal": pl.String,
    "episode": pl.UInt64,
    "approval": pl.UInt64,
    "amount": pl.Int64,
    "at": pl.Int64,
    "cut": pl.Boolean,
}
"""Verdicts given: of which episode, the approval it uses up or none, and whether the search for it was cut."""

_FAR = 2**62
COLD_WEIGHT = 8
"""By how much less a distance in time weighs while a clock is not known."""


def windows(episodes: pl.DataFrame, latency: pl.DataFrame, default: int, settings: Settings) -> pl.DataFrame:
    """Episodes with `lo`, `hi` (approvals that may explain lie between, or `again` later), `begun`, `base`, `deadline` (µs).

    `base` is the event time at which everything that decides has happened; `deadline` adds the sources' latency.
    """
    known = pl.col("known")
    spread = 3 * pl.col("spread")
    early = pl.when(known).then(pl.min_horizontal(settings.early + spread, pl.lit(settings.early_cap))).otherwise(settings.cold)
    late = settings.late + pl.when(known).then(spread).otherwise(settings.cold)
    outcome = pl.min_horizontal("completed", "presented", "rejected")
    complete = pl.min_horizontal(outcome.fill_null(_FAR), pl.col("at") + settings.completion)
    shown = pl.min_horizontal(pl.coalesce("presented", pl.lit(_FAR)), pl.col("at") + settings.visit_wait)
    watched = pl.when(pl.col("test_order").is_not_null()).then(shown).otherwise(0)
    return (
        episodes.join(latency, on="terminal", how="left", maintain_order="left")
        .with_columns(
            latency=pl.col("latency").fill_null(default), lo=pl.col("at") - late, hi=pl.col("at") + early + pl.col("again")
        )
        .with_columns(begun=pl.col("at") - pl.when(known).then(spread).otherwise(settings.cold))
        .with_columns(base=pl.max_horizontal("hi", complete, watched))
        .with_columns(deadline=pl.max_horizontal(pl.col("base") + pl.col("latency"), "arrival"))
    )


def match(episodes: pl.DataFrame, decisions: pl.DataFrame, taken: pl.DataFrame, settings: Settings) -> pl.DataFrame:
    """Episodes with `approval` (id or null), `candidates`, `margin` and `cut`.

    Args:
        episodes: all episodes of the window, with lo, hi, deadline, amount, keys; sorted by terminal and time here.
        decisions: authorisations with `counts_as`.
        taken: verdicts already given (`TAKEN`): these stand, and use up capacity.
        settings: none of its windows is used here but through the episodes' own columns.
    """
    ordered = episodes.sort("terminal", "at", "id")
    usable = decisions.filter(pl.col("approved") & pl.col("counts_as") & (pl.col("amount") > 0)).sort("terminal", "at", "id")
    moves, approvals = _columns(ordered, usable)
    matched = matching.match(moves, approvals)
    settled, margin, cut = matched.settled.copy(), np.full(len(ordered), _FAR), np.zeros(len(ordered), bool)
    fixed = _standing(ordered, usable, taken)
    if len(matched.edges_from):
        _settle_groups(ordered, usable, moves, approvals, matched, fixed, (settled, margin, cut))
    for i, (j, was_cut) in fixed.items():
        settled[i], cut[i] = j, was_cut
    ids = usable["id"].extend_constant(None, 1)
    return ordered.with_columns(
        approval=ids.gather(np.where(settled >= 0, settled, len(usable))),
        candidates=pl.Series(matched.candidates),
        margin=pl.Series(margin),
        cut=pl.Series(cut),
    )


def _standing(ordered: pl.DataFrame, usable: pl.DataFrame, taken: pl.DataFrame) -> dict[int, tuple[int, bool]]:
    """Where the verdicts already given stand: by an episode's place its approval's, -1 for none; and whether it was cut."""
    places = usable.select(pl.int_range(pl.len()).alias("_j"), approval="id")
    known = ordered.select(pl.int_range(pl.len()).alias("_i"), episode="id").join(taken, on="episode", how="inner")
    joined = known.join(places, on="approval", how="left").select("_i", pl.col("_j").fill_null(-1), "cut")
    return {i: (j, cut) for i, j, cut in joined.sort("_i").iter_rows()}


def _columns(episodes: pl.DataFrame, usable: pl.DataFrame) -> tuple[matching.Movements, matching.Approvals]:
    """Both sides as integer columns with shared codes."""

    keyed = {"terminal": "terminal", "currency": "currency", "rrn": "app_rrn", "tsn": "app_tsn"}
    left = episodes.select(pl.col(c).cast(pl.String).alias(n) for n, c in keyed.items())
    right = usable.select(pl.col(n).cast(pl.String) for n in keyed)
    coded = pl.concat([left, right]).select(pl.all().rank("dense").cast(pl.Int64).fill_null(matching.UNKNOWN))
    size = episodes.height

    def codes(name: str) -> tuple[matching.Ints, matching.Ints]:
        both = coded[name].to_numpy()
        return np.ascontiguousarray(both[:size]), np.ascontiguousarray(both[size:])

    terminals, currencies, rrns, tsns = (codes(n) for n in keyed)
    mine = _ints(episodes, ("at", "lo", "hi", "amount", "deadline", "begun", "again"))
    theirs = _ints(usable, ("at", "amount", "arrival"), reversed=_FAR)
    moves = matching.Movements(
        terminals[0],
        mine["at"],
        mine["lo"],
        mine["hi"],
        mine["amount"],
        currencies[0],
        rrns[0],
        tsns[0],
        mine["deadline"],
        mine["begun"],
        mine["again"],
    )
    approvals = matching.Approvals(
        terminals[1],
        theirs["at"],
        theirs["amount"],
        currencies[1],
        rrns[1],
        tsns[1],
        theirs["arrival"],
        theirs["reversed"],
    )
    return moves, approvals


def _ints(frame: pl.DataFrame, names: tuple[str, ...], **defaults: int) -> dict[str, matching.Ints]:
    """Columns as integers; 0 where there is none, or the default given for the column."""
    wanted = dict.fromkeys(names, 0) | defaults
    found = frame.select(pl.col(n).cast(pl.Int64).fill_null(d) for n, d in wanted.items())
    return {n: found[n].to_numpy().copy() for n in wanted}


def _settle_groups(
    ordered: pl.DataFrame,
    usable: pl.DataFrame,
    moves: matching.Movements,
    approvals: matching.Approvals,
    matched: matching.Matched,
    fixed: dict[int, tuple[int, bool]],
    result: tuple[matching.Ints, matching.Ints, np.ndarray],
) -> None:
    """Settle each group of movements that share candidates; results go into the three arrays."""
    settled, margin, cut = result
    costs = _costs(ordered, usable, matched)
    horizon = ordered["hi"].to_numpy()
    for members, pairs in _groups(matched.edges_from, matched.edges_to):
        open_ = [i for i in members if i not in fixed]
        capacity = {j: int(approvals.capacity[j]) for j in {int(matched.edges_to[p]) for p in pairs}}
        for i in members:
            if i in fixed and fixed[i][0] in capacity:
                capacity[fixed[i][0]] -= int(moves.amount[i])
        listed = [
            assignment.Move(i, int(moves.at[i]), int(moves.amount[i]), int(horizon[i]), int(moves.deadline[i])) for i in open_
        ]
        edges = [
            assignment.Edge(int(matched.edges_from[p]), int(matched.edges_to[p]), int(costs[p]))
            for p in pairs
            if int(matched.edges_from[p]) not in fixed
        ]
        for i, choice in assignment.settle(listed, edges, capacity).items():
            settled[i] = -1 if choice.approval is None else choice.approval
            margin[i], cut[i] = choice.margin, choice.cut


def _costs(ordered: pl.DataFrame, usable: pl.DataFrame, matched: matching.Matched) -> matching.Ints:
    """Cost of each candidate pair: distance in time, shortfall of value, less what equal keys and mixes are worth.

    Where the clock is not known yet all distances are off by the same unknown offset, so they weigh little.
    """
    left = ordered[matched.edges_from].select("at", "again", "known", "amount", "app_rrn", "app_tsn", "app_counts")
    right = usable[matched.edges_to].select(r_at="at", r_amount="amount", rrn="rrn", tsn="tsn", r_counts="counts")
    pairs = pl.concat([left, right], how="horizontal")
    ahead = pl.col("r_at") - pl.col("at")
    apart = pl.min_horizontal(ahead.abs(), (ahead - pl.col("again")).abs())
    distance = pl.when("known").then(apart).otherwise(apart // COLD_WEIGHT)
    shortfall = ((pl.col("r_amount") - pl.col("amount")) * 120_000_000) // pl.col("r_amount")
    same_key = (pl.col("app_rrn") == pl.col("rrn")) | (pl.col("app_tsn") == pl.col("tsn"))
    same_mix = pl.col("app_counts") == pl.col("r_counts")
    bonus = pl.when(same_key.fill_null(value=False)).then(600_000_000).otherwise(0)
    mix = pl.when(same_mix.fill_null(value=False)).then(60_000_000).otherwise(0)
    return pairs.select(cost=distance + shortfall - bonus - mix)["cost"].to_numpy()


def _groups(left: matching.Ints, right: matching.Ints) -> list[tuple[list[int], list[int]]]:
    """Connected components of the candidate pairs: (movements, indices of pairs) each."""
    parent: dict[tuple[int, int], tuple[int, int]] = {}

    def root(x: tuple[int, int]) -> tuple[int, int]:
        while parent.setdefault(x, x) != x:
            parent[x] = parent[parent[x]]
            x = parent[x]
        return x

    for i, j in zip(left.tolist(), right.tolist(), strict=True):
        parent[root((0, i))] = root((1, j))
    members: dict[tuple[int, int], tuple[dict[int, None], list[int]]] = {}
    for p, i in enumerate(left.tolist()):
        group = members.setdefault(root((0, i)), ({}, []))
        group[0][i] = None
        group[1].append(p)
    return [(list(m), pairs) for m, pairs in members.values()]

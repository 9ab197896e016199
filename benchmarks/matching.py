"""Matching: movements to authorisations, against DuckDB's ASOF join, Polars' join_asof and a loop over events in Python.

All get the same sorted columns. An ASOF join answers "the last approval before the movement" and may give one approval to
several movements; the column `double` counts what that explains wrongly: planted thefts soon after a real withdrawal.
"""

import time
from collections import defaultdict

import duckdb
import numpy as np
import polars as pl

from jackstop.ledger import assignment, matching
from jackstop.ledger.assignment import Edge, Move
from jackstop.ledger.reconcile import _groups

SIZES = (250_000, 500_000, 1_000_000, 2_000_000)
THEFTS = 0.001
SECOND = 1_000_000
FAR = 2**62


def fleet(size, seed=1):
    """Approvals and the movements they explain, a few movements nobody approved right after them."""
    rng = np.random.default_rng(seed)
    terminals = max(1, size // 2000)
    terminal = np.repeat(np.arange(terminals), size // terminals)
    count = len(terminal)
    at = np.concatenate([np.cumsum(rng.integers(150 * SECOND, 900 * SECOND, size // terminals)) for _ in range(terminals)])
    amount = rng.choice([2000, 4000, 6000, 10_000, 20_000], count)
    moved = at + rng.integers(1 * SECOND, 6 * SECOND, count)
    thefts = rng.random(count) < THEFTS
    m_terminal = np.concatenate([terminal, terminal[thefts]])
    m_at = np.concatenate([moved, moved[thefts] + 30 * SECOND])
    m_amount = np.concatenate([amount, amount[thefts]])
    order = np.lexsort((m_at, m_terminal))
    return (terminal, at, amount), (m_terminal[order], m_at[order], m_amount[order]), int(thefts.sum())


def ours(approvals, moves):
    """The fast path, with what it leaves to the slow one counted as undecided."""
    none, nothing = np.full(len(moves[0]), -1), np.full(len(approvals[0]), -1)
    left = matching.Movements(
        moves[0],
        moves[1],
        moves[1] - 120 * SECOND,
        moves[1] + 5 * SECOND,
        moves[2],
        none,
        none,
        none,
        moves[1] + 60 * SECOND,
        moves[1],
        np.zeros(len(moves[0]), np.int64),
    )
    right = matching.Approvals(approvals[0], approvals[1], approvals[2], nothing, nothing, nothing, approvals[1], nothing + FAR)
    return matching.match(left, right)


def slow(approvals, moves, matched):
    """The slow path on what the fast one left: how many movements nothing explains."""
    costs = np.abs(moves[1][matched.edges_from] - approvals[1][matched.edges_to])
    lonely = int((matched.candidates == 0).sum())
    for members, pairs in _groups(matched.edges_from, matched.edges_to):
        listed = [Move(i, int(moves[1][i]), int(moves[2][i]), int(moves[1][i]) + 5 * SECOND, int(moves[1][i])) for i in members]
        edges = [Edge(int(matched.edges_from[p]), int(matched.edges_to[p]), int(costs[p])) for p in pairs]
        capacity = {e.approval: int(approvals[2][e.approval]) for e in edges}
        lonely += sum(c.approval is None for c in assignment.settle(listed, edges, capacity).values())
    return lonely


def with_polars(approvals, moves):
    a = pl.DataFrame({"t": approvals[0], "at": approvals[1], "a": approvals[2], "id": np.arange(len(approvals[0]))})
    m = pl.DataFrame({"t": moves[0], "at": moves[1], "a": moves[2]})
    return m.sort("at").join_asof(a.sort("at"), on="at", by=["t", "a"], tolerance=120 * SECOND, check_sortedness=False)["id"]


def with_duckdb(approvals, moves):
    base = duckdb.connect(config={"threads": 2})
    base.register("approvals", {"t": approvals[0], "at": approvals[1], "a": approvals[2], "id": np.arange(len(approvals[0]))})
    base.register("moves", {"t": moves[0], "at": moves[1], "a": moves[2]})
    return base.execute(
        "select case when p.at >= m.at - 120000000 then p.id end id from moves m "
        "asof left join approvals p on m.t = p.t and m.a = p.a and m.at >= p.at"
    ).fetchnumpy()["id"]


def in_python(approvals, moves):
    """An event at a time: each terminal's open approvals in a list."""
    events = sorted(
        [(t, at, 0, x, i) for i, (t, at, x) in enumerate(zip(*(c.tolist() for c in approvals), strict=True))]
        + [(t, at, 1, x, i) for i, (t, at, x) in enumerate(zip(*(c.tolist() for c in moves), strict=True))]
    )
    open_ = defaultdict(list)
    explained = 0
    for terminal, at, kind, amount, i in events:
        if kind == 0:
            open_[terminal].append((at, amount, i))
            continue
        waiting = [o for o in open_[terminal] if at - o[0] <= 120 * SECOND]
        hit = next((o for o in waiting if o[1] >= amount), None)
        if hit is not None:
            waiting.remove(hit)
            explained += 1
        open_[terminal] = waiting
    return explained


def timed(function, *arguments, repeat=3):
    best = float("inf")
    for _ in range(repeat):
        start = time.perf_counter()
        result = function(*arguments)
        best = min(best, time.perf_counter() - start)
    return best, result


def run():
    small, moves, _ = fleet(10_000)
    ours(small, moves)
    slower = f"{'DuckDB':>8} {'Polars':>8} {'Python':>8}"
    print(f"{'movements':>10} {'fast M/s':>9} {'with slow M/s':>14} {slower}   unexplained found (planted): ours, DuckDB, Polars")
    for size in SIZES:
        approvals, moves, planted = fleet(size)
        count = len(moves[0])
        mine, matched = timed(ours, approvals, moves)
        rest, found = timed(slow, approvals, moves, matched, repeat=1)
        duck, given = timed(with_duckdb, approvals, moves, repeat=1)
        pola, ids = timed(with_polars, approvals, moves, repeat=2)
        loop, _ = timed(in_python, approvals, moves, repeat=1)
        print(
            f"{count:>10,} {count / mine / 1e6:>9.1f} {count / (mine + rest) / 1e6:>14.1f} "
            f"{duck / mine:>7.1f}x {pola / mine:>7.1f}x {loop / mine:>7.1f}x   "
            f"{found} ({planted}), {int(np.ma.count_masked(given))}, {ids.null_count()}"
        )
    print("x: how many times longer than the fast path takes. An ASOF join gives one approval to several movements.")

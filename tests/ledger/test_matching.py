"""Matching against a slow oracle that anyone can check."""

import itertools

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from jackstop.ledger import assignment, matching
from jackstop.ledger.assignment import Edge, Move

FAR = 2**62


def ints(values):
    return np.array(values, np.int64)


@st.composite
def columns(draw):
    """Movements and approvals of two terminals, sorted, with windows that open in order."""
    moves = sorted(draw(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 60), st.sampled_from([20, 40, 60])), max_size=12)))
    gifts = sorted(draw(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 60), st.sampled_from([20, 40, 60])), max_size=12)))
    undone = draw(st.lists(st.sampled_from([FAR, FAR, 10, 40]), min_size=len(gifts), max_size=len(gifts)))
    arrival = draw(st.lists(st.integers(0, 15), min_size=len(gifts), max_size=len(gifts)))
    keys = draw(st.lists(st.sampled_from([-1, -1, 1, 2]), min_size=len(moves) + len(gifts), max_size=len(moves) + len(gifts)))
    again = draw(st.lists(st.sampled_from([0, 0, 30]), min_size=len(moves), max_size=len(moves)))
    return moves, gifts, undone, arrival, keys, again


def fits(m, a):
    """The gates, word by word."""
    return (
        m["terminal"] == a["terminal"]
        and (m["lo"] <= a["at"] <= m["hi"] - m["again"] or m["lo"] + m["again"] <= a["at"] <= m["hi"])
        and m["amount"] <= a["amount"]
        and (m["rrn"] < 0 or a["rrn"] < 0 or m["rrn"] == a["rrn"])
        and a["arrival"] <= m["deadline"]
        and a["undone"] > m["at"]
    )


@given(columns())
@settings(max_examples=300, deadline=None)
def test_the_sweep_finds_exactly_the_candidates_that_pass_every_gate(drawn):
    moves, gifts, undone, arrival, keys, again = drawn
    m = [
        {"terminal": t, "at": at, "lo": at - 12, "hi": at + 4 + g, "amount": x, "deadline": at + 10 + g, "rrn": r, "again": g}
        for (t, at, x), r, g in zip(moves, keys, again, strict=False)
    ]
    a = [
        {"terminal": t, "at": at, "amount": x, "undone": undone[j], "arrival": at + arrival[j], "rrn": keys[len(moves) + j]}
        for j, (t, at, x) in enumerate(gifts)
    ]
    none = ints([-1] * len(m))
    left = matching.Movements(
        *(ints([x[k] for x in m]) for k in ("terminal", "at", "lo", "hi", "amount")),
        none,
        ints([x["rrn"] for x in m]),
        none,
        *(ints([x[k] for x in m]) for k in ("deadline", "at", "again")),
    )
    nothing = ints([-1] * len(a))
    right = matching.Approvals(
        *(ints([x[k] for x in a]) for k in ("terminal", "at", "amount")),
        nothing,
        ints([x["rrn"] for x in a]),
        nothing,
        *(ints([x[k] for x in a]) for k in ("arrival", "undone")),
    )
    got = matching.match(left, right)
    wanted = {i: [j for j in range(len(a)) if fits(m[i], a[j])] for i in range(len(m))}
    assert got.candidates.tolist() == [len(wanted[i]) for i in range(len(m))]
    for i, js in wanted.items():
        alone = len(js) == 1 and sum(js[0] in other for other in wanted.values()) == 1
        assert got.settled[i] == (js[0] if alone else -1)
    pairs = sorted(zip(got.edges_from.tolist(), got.edges_to.tolist(), strict=True))
    assert pairs == sorted((i, j) for i, js in wanted.items() for j in js if got.settled[i] < 0)


@st.composite
def groups(draw):
    """A small group whose movements are all known at every deadline."""
    count, gifts = draw(st.integers(1, 4)), draw(st.integers(1, 4))
    moves = [Move(i, i, draw(st.sampled_from([20, 40])), 1000, 100 + i) for i in range(count)]
    pairs = draw(st.sets(st.tuples(st.integers(0, count - 1), st.integers(0, gifts - 1))))
    costs = draw(st.lists(st.integers(0, 50), min_size=len(pairs), max_size=len(pairs)))
    edges = [Edge(i, j, c) for (i, j), c in zip(sorted(pairs), costs, strict=True)]
    capacity = {j: draw(st.sampled_from([20, 40, 60])) for j in range(gifts)}
    return moves, edges, capacity


def best_by_force(moves, edges, capacity):
    """The greatest value any assignment within capacity explains, and its least cost, by trying them all."""
    options = [[None, *(e for e in edges if e.move == m.index)] for m in moves]
    best = (0, 0)
    for plan in itertools.product(*options):
        left = dict(capacity)
        for move, edge in zip(moves, plan, strict=True):
            if edge is not None:
                left[edge.approval] -= move.amount
        if min(left.values()) < 0:
            continue
        value = sum(m.amount for m, e in zip(moves, plan, strict=True) if e is not None)
        cost = sum(e.cost for e in plan if e is not None)
        best = max(best, (value, -cost))
    return best


@given(groups())
@settings(max_examples=200, deadline=None)
def test_the_slow_path_explains_as_much_as_any_assignment_could_at_the_least_cost(drawn):
    moves, edges, capacity = drawn
    result = assignment.settle(moves, edges, capacity)
    cost = {(e.move, e.approval): e.cost for e in edges}
    used = dict(capacity)
    value, paid = 0, 0
    for move in moves:
        chosen = result[move.index].approval
        if chosen is not None:
            used[chosen] -= move.amount
            value += move.amount
            paid += cost[move.index, chosen]
    assert min(used.values()) >= 0
    assert (value, -paid) == best_by_force(moves, edges, capacity)

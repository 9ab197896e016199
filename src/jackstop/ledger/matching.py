"""Matching, the fast path: which authorisations could explain which episodes, over sorted columns in compiled loops.

An episode with exactly one candidate that is nobody else's candidate is settled here; the ambiguous few go to
`assignment`. Both columns are sorted by terminal, then time; times are µs by the host's clock.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

Ints = NDArray[np.int64]

UNKNOWN = -1


@dataclass(frozen=True, slots=True)
class Movements:
    """Episodes as columns: terminal code, at, earliest and latest approval, amount, currency code, key codes, deadline.

    `begun` is the earliest instant at which the movement can have begun: an approval undone by then explains nothing.
    """

    terminal: Ints
    at: Ints
    lo: Ints
    hi: Ints
    amount: Ints
    currency: Ints
    rrn: Ints
    tsn: Ints
    deadline: Ints
    begun: Ints


@dataclass(frozen=True, slots=True)
class Approvals:
    """Authorisations as columns: terminal code, at, capacity, currency code, key codes, arrival, undone (µs or far off)."""

    terminal: Ints
    at: Ints
    capacity: Ints
    currency: Ints
    rrn: Ints
    tsn: Ints
    arrival: Ints
    undone: Ints


@njit(cache=True)
def _fits(m: Any, a: Any, i: int, j: int) -> bool:  # noqa: ANN401  # pragma: no cover - compiled
    """The gates: value, currency, no contradicting key, arrived in time, not undone before (formats.md §9.3.4)."""
    return bool(
        m[4][i] <= a[2][j]
        and (m[5][i] == a[3][j] or m[5][i] < 0 or a[3][j] < 0)
        and (m[6][i] < 0 or a[4][j] < 0 or m[6][i] == a[4][j])
        and (m[7][i] < 0 or a[5][j] < 0 or m[7][i] == a[5][j])
        and a[6][j] <= m[8][i]
        and a[7][j] > m[9][i]
    )


@njit(cache=True)
def _sweep(m: Any, a: Any) -> Any:  # noqa: ANN401  # pragma: no cover - compiled
    """Number of candidates of each movement, one of them, and number of movements each approval is a candidate of."""
    n, k = len(m[0]), len(a[0])
    count, only, wanted = np.zeros(n, np.int32), np.full(n, -1, np.int64), np.zeros(k, np.int32)
    left = 0
    for i in range(n):
        t = m[0][i]
        while left < k and (a[0][left] < t or (a[0][left] == t and a[1][left] < m[2][i])):
            left += 1
        j = left
        while j < k and a[0][j] == t and a[1][j] <= m[3][i]:
            if a[1][j] >= m[2][i] and _fits(m, a, i, j):
                count[i] += 1
                only[i] = j
                wanted[j] += 1
            j += 1
    return count, only, wanted


@njit(cache=True)
def _edges(m: Any, a: Any, open_: Any, total: int) -> Any:  # noqa: ANN401  # pragma: no cover - compiled
    """All candidate pairs of the movements still open."""
    from_, to = np.empty(total, np.int64), np.empty(total, np.int64)
    n, k, left, found = len(m[0]), len(a[0]), 0, 0
    for i in range(n):
        t = m[0][i]
        while left < k and (a[0][left] < t or (a[0][left] == t and a[1][left] < m[2][i])):
            left += 1
        if not open_[i]:
            continue
        j = left
        while j < k and a[0][j] == t and a[1][j] <= m[3][i]:
            if a[1][j] >= m[2][i] and _fits(m, a, i, j):
                from_[found], to[found] = i, j
                found += 1
            j += 1
    return from_[:found], to[:found]


@dataclass(frozen=True, slots=True)
class Matched:
    """Result of the fast path.

    Attributes:
        candidates: number of approvals that could explain each movement.
        settled: index of the one approval that does, or -1.
        edges_from, edges_to: candidate pairs of the movements left open.
    """

    candidates: NDArray[np.int32]
    settled: Ints
    edges_from: Ints
    edges_to: Ints


def match(movements: Movements, approvals: Approvals) -> Matched:
    """Settle the clear cases, list the candidate pairs of the rest.

    The window's lower bound `lo` must not fall along a terminal's movements (they are sorted by time and bounded by the
    same rule), or candidates would be passed over: `lo` is made monotone here.
    """
    m = (
        movements.terminal,
        movements.at,
        _monotone(movements.terminal, movements.lo),
        movements.hi,
        movements.amount,
        movements.currency,
        movements.rrn,
        movements.tsn,
        movements.deadline,
        movements.begun,
    )
    a = (
        approvals.terminal,
        approvals.at,
        approvals.capacity,
        approvals.currency,
        approvals.rrn,
        approvals.tsn,
        approvals.arrival,
        approvals.undone,
    )
    count, only, wanted = _sweep(m, a)
    clear = count == 1
    clear[clear] = wanted[only[clear]] == 1
    settled = np.where(clear, only, -1)
    open_ = (count > 0) & ~clear
    edges_from, edges_to = _edges(m, a, open_, int(count[open_].sum()))
    return Matched(count, settled, edges_from, edges_to)


@njit(cache=True)
def _monotone(terminal: Ints, lo: Ints) -> Ints:  # pragma: no cover - compiled
    """The lower bounds made non-decreasing from the end: a wider later window widens the earlier ones' start."""
    out = lo.copy()
    for i in range(len(out) - 2, -1, -1):
        if terminal[i] == terminal[i + 1] and out[i + 1] < out[i]:
            out[i] = out[i + 1]
    return out

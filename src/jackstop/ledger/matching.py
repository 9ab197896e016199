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
    `again`: µs by which all may be later; the window, `hi` of which includes it, then is two of equal length.
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
    again: Ints


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
def _same(left: int, right: int) -> bool:  # pragma: no cover - compiled
    """Whether two codes agree; an unknown one agrees with any."""
    return left == right or left < 0 or right < 0


@njit(cache=True)
def _candidates(m: Any, a: Any, wanted: Any, open_: Any, pairs: Any) -> Any:  # noqa: ANN401  # pragma: no cover - compiled
    """Walk both sides once and judge every pair within a window by the gates (formats.md §9.3.4).

    The gates: value, currency, no contradicting key, arrived in time, not undone before the movement began.

    Args:
        m, a: columns of both sides. wanted: how many movements each approval is a candidate of (counted up in place).
        open_: which movements to look at. pairs: two arrays for the pairs found, or empty ones.

    Returns:
        The number of candidates of each movement, one of them, and how many pairs were found.
    """
    terminal, lo, hi, amount, currency, rrn, tsn, deadline, begun, again = m
    a_terminal, a_at, capacity, a_currency, a_rrn, a_tsn, arrival, undone = a
    from_, to = pairs
    n, k, left, found = len(terminal), len(a_terminal), 0, 0
    count, only = np.zeros(n, np.int32), np.full(n, -1, np.int64)
    for i in range(n):
        t, low, high = terminal[i], lo[i], hi[i]
        while left < k and (a_terminal[left] < t or (a_terminal[left] == t and a_at[left] < low)):
            left += 1
        if not open_[i]:
            continue
        j = left
        while j < k and a_terminal[j] == t and a_at[j] <= high:
            gate = amount[i] <= capacity[j] and arrival[j] <= deadline[i] and undone[j] > begun[i]
            gate = gate and a_at[j] >= low and (a_at[j] <= high - again[i] or a_at[j] >= low + again[i])
            if gate and _same(currency[i], a_currency[j]) and _same(rrn[i], a_rrn[j]) and _same(tsn[i], a_tsn[j]):
                count[i] += 1
                only[i] = j
                wanted[j] += 1
                if len(from_):
                    from_[found], to[found] = i, j
                found += 1
            j += 1
    return count, only, found


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
        _monotone(movements.terminal, movements.lo),
        movements.hi,
        movements.amount,
        movements.currency,
        movements.rrn,
        movements.tsn,
        movements.deadline,
        movements.begun,
        movements.again,
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
    size, wanted = len(movements.at), np.zeros(len(approvals.at), np.int32)
    nowhere = np.empty(0, np.int64)
    count, only, _ = _candidates(m, a, wanted, np.ones(size, np.bool_), (nowhere, nowhere))
    clear = count == 1
    clear[clear] = wanted[only[clear]] == 1
    open_ = (count > 0) & ~clear
    total = int(count[open_].sum())
    pairs = np.empty(total, np.int64), np.empty(total, np.int64)
    if total:
        _candidates(m, a, wanted, open_, pairs)
    return Matched(count, np.where(clear, only, -1), *pairs)


@njit(cache=True)
def _monotone(terminal: Ints, lo: Ints) -> Ints:  # pragma: no cover - compiled
    """The lower bounds made non-decreasing from the end: a wider later window widens the earlier ones' start."""
    out = lo.copy()
    for i in range(len(out) - 2, -1, -1):
        if terminal[i] == terminal[i + 1] and out[i + 1] < out[i]:
            out[i] = out[i + 1]
    return out

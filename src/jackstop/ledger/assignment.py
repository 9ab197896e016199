"""Assignment, the readable slow path: one ambiguous group of episodes and authorisations, decided in deadline order.

At each episode's deadline only what was known by then counts. Among the episodes open at that time the assignment of
greatest explained value, then least cost, is sought by branch and bound; only the episode at hand is settled by it.
An authorisation may explain several episodes (bunches) up to its capacity. Also the oracle of the fast path.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

LIMIT = 6
"""Most open episodes weighed together; more are taken in order of their deadline and the result is marked as cut."""

CANDIDATES = 4
"""Most approvals weighed for one episode, the cheapest; bounds the work whatever the input."""


@dataclass(frozen=True, slots=True)
class Move:
    """One episode: index, time, amount, the time up to which others are known at its deadline, and its deadline."""

    index: int
    at: int
    amount: int
    horizon: int
    deadline: int


@dataclass(frozen=True, slots=True)
class Edge:
    """A candidate pair and what it costs (µs of distance, less bonuses for equal keys and mixes)."""

    move: int
    approval: int
    cost: int


@dataclass(frozen=True, slots=True)
class Choice:
    """What became of one episode: the approval or None, the margin to the next best plan, whether the search was cut."""

    approval: int | None
    margin: int
    cut: bool


def settle(moves: Sequence[Move], edges: Sequence[Edge], capacity: Mapping[int, int]) -> dict[int, Choice]:
    """Each episode's approval.

    Args:
        moves: the group's episodes.
        edges: candidate pairs that pass every gate.
        capacity: minor units each approval can still explain.
    """
    left = dict(capacity)
    by_move: dict[int, list[Edge]] = {m.index: [] for m in moves}
    for edge in sorted(edges, key=lambda e: (e.cost, e.approval)):
        if len(by_move[edge.move]) < CANDIDATES:
            by_move[edge.move].append(edge)
    result: dict[int, Choice] = {}
    for move in sorted(moves, key=lambda m: (m.deadline, m.at, m.index)):
        rivals = [m for m in moves if m.index not in result and m.at <= move.horizon and m.index != move.index]
        rivals.sort(key=lambda m: (m.deadline, m.at, m.index))
        choice = _decide(move, rivals[: LIMIT - 1], by_move, left)
        choice = Choice(choice.approval, choice.margin, len(rivals) >= LIMIT)
        result[move.index] = choice
        if choice.approval is not None:
            left[choice.approval] -= move.amount
    return result


def _decide(move: Move, rivals: Sequence[Move], by_move: Mapping[int, list[Edge]], left: Mapping[int, int]) -> Choice:
    """The approval of `move` in the best plan of all open episodes, and how much better that is than without it."""
    options: list[tuple[tuple[int, int], int | None]] = []
    for edge in (*by_move[move.index], None):
        rest = dict(left)
        gain, cost = 0, 0
        if edge is not None:
            if rest[edge.approval] < move.amount:
                continue
            rest[edge.approval] -= move.amount
            gain, cost = move.amount, edge.cost
        more, extra = _best(rivals, by_move, rest)
        options.append(((gain + more, -(cost + extra)), None if edge is None else edge.approval))
    options.sort(key=lambda o: (-o[0][0], -o[0][1], o[1] is None, o[1] or 0))
    best = options[0]
    others = [o for o in options[1:] if (o[1] is None) != (best[1] is None) and o[0][0] == best[0][0]]
    margin = best[0][1] - others[0][0][1] if others else 2**62
    return Choice(best[1], margin, cut=False)


def _best(moves: Sequence[Move], by_move: Mapping[int, list[Edge]], left: dict[int, int]) -> tuple[int, int]:
    """Greatest explained value of these episodes and its least cost, by branch and bound."""
    if not moves:
        return 0, 0
    first, rest = moves[0], moves[1:]
    possible = sum(m.amount for m in moves)
    best = _best(rest, by_move, left)
    best = (best[0], best[1])
    for edge in by_move[first.index]:
        if left[edge.approval] < first.amount:
            continue
        left[edge.approval] -= first.amount
        value, cost = _best(rest, by_move, left)
        left[edge.approval] += first.amount
        found = (value + first.amount, cost + edge.cost)
        if (found[0], -found[1]) > (best[0], -best[1]):
            best = found
        if best[0] == possible and len(by_move[first.index]) == 1:
            break
    return best

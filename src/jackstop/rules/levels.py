"""When the condition of a correlation holds, and from when on that is known.

At every time T at which a group has a hit, the window [T - timespan, T] is looked at. A condition that more hits can only help
(counts that must reach something, rules that must be there) is known as soon as the hits that fulfil it have arrived; one
that more hits can undo (sums, averages, exact counts) is judged when the sources' latency after T has passed, by what has
arrived by then. So what is found, and when it is known, depends on the hits alone and on none that arrives later.
"""

import operator
from bisect import bisect_left, insort
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from jackstop.rules.groups import Hit, instants
from jackstop.rules.needles import decimal
from jackstop.rules.rule import Correlation, Named, Threshold

_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "gte": operator.ge,
    "gt": operator.gt,
    "lte": operator.le,
    "lt": operator.lt,
    "eq": operator.eq,
    "neq": operator.ne,
}
_NEVER = 2**62


@dataclass(frozen=True, slots=True)
class Level:
    """A time at which the condition holds. `first`, `last`: the window's hits. `decided`: from when it is known (µs)."""

    at: int
    decided: int
    first: int
    last: int


def levels(correlation: Correlation, hits: Sequence[Hit], latency: int) -> list[Level]:
    """The times at which a correlation's condition holds in one group's hits (sorted), in order."""
    reach = correlation.threshold
    kind = correlation.type
    if kind == "temporal_ordered":
        found = _ordered(correlation, hits)
    elif kind == "temporal" and (reach.op != "eq" or reach.count == len(correlation.rules)):
        found = _rising(hits, correlation.timespan, lambda h: h.rule, lambda known: _present(correlation, known))
    elif kind in {"event_count", "value_count"} and reach.op in {"gte", "gt"}:
        wanted = int(reach.count) + (reach.op == "gt" or reach.count != int(reach.count))
        found = _reached(hits, correlation.timespan, kind == "value_count", max(wanted, 1))
    else:
        found = _judged(correlation, hits, latency)
    return list(found)


class _Known:
    """Of the hits in a window, by key, the earliest arrival; all keys' earliest arrivals sorted."""

    def __init__(self) -> None:
        self._by_key: dict[object, list[int]] = {}
        self.sorted: list[int] = []

    def add(self, key: object, arrival: int) -> None:
        """A hit comes into the window."""
        arrivals = self._by_key.setdefault(key, [])
        before = arrivals[0] if arrivals else None
        insort(arrivals, arrival)
        self._moved(before, arrivals[0])

    def remove(self, key: object, arrival: int) -> None:
        """A hit leaves the window."""
        arrivals = self._by_key[key]
        before = arrivals[0]
        del arrivals[bisect_left(arrivals, arrival)]
        self._moved(before, arrivals[0] if arrivals else None)
        if not arrivals:
            del self._by_key[key]

    def _moved(self, before: int | None, after: int | None) -> None:
        if before == after:
            return
        if before is not None:
            del self.sorted[bisect_left(self.sorted, before)]
        if after is not None:
            insort(self.sorted, after)

    def of(self, key: object) -> int:
        """The earliest arrival of a key; far off where the window has none."""
        found = self._by_key.get(key)
        return found[0] if found else _NEVER


def _rising(hits: Sequence[Hit], span: int, key: Callable[[Hit], object], when: Callable[[_Known], int]) -> Iterator[Level]:
    """Times at which a condition that more hits can only help holds; `when` says from when the window is known to fulfil it."""
    known = _Known()
    first = 0
    for at, begin, end in instants(hits):
        for hit in hits[begin:end]:
            if (k := key(hit)) is not None:
                known.add(k, hit.arrival)
        while hits[first].at < at - span:
            if (k := key(hits[first])) is not None:
                known.remove(k, hits[first].arrival)
            first += 1
        decided = max(when(known), min(h.arrival for h in hits[begin:end]))
        if decided < _NEVER:
            yield Level(at, decided, first, end)


def _reached(hits: Sequence[Hit], span: int, distinct: bool, wanted: int) -> Iterator[Level]:
    """Counts of events, or of different values, that must reach a number."""

    def key(hit: Hit) -> object:
        if not distinct:
            return hit.event
        return None if None in hit.counted else hit.counted

    return _rising(hits, span, key, lambda known: known.sorted[wanted - 1] if len(known.sorted) >= wanted else _NEVER)


def _present(correlation: Correlation, known: _Known) -> int:
    """From when the rules that must be there are known to be."""
    if correlation.condition is not None:
        return _condition(correlation.condition, known)
    wanted = max(int(correlation.threshold.count) + (correlation.threshold.op == "gt"), 1)
    return known.sorted[wanted - 1] if len(known.sorted) >= wanted else _NEVER


def _condition(said: Named, known: _Known) -> int:
    if said.op == "rule":
        return known.of(said.rule)
    parts = [_condition(a, known) for a in said.args]
    return max(parts) if said.op == "and" else min(parts)


def _ordered(correlation: Correlation, hits: Sequence[Hit]) -> Iterator[Level]:
    """Times at which the last rule completes the order; hits of one instant may stand in any order."""
    places = {rule: i for i, rule in enumerate(correlation.rules)}
    steps = np.array([places[h.rule] for h in hits])
    arrivals = np.array([h.arrival for h in hits], np.int64)
    times = np.array([h.at for h in hits], np.int64)
    for at, begin, end in instants(hits):
        last = [h.arrival for h in hits[begin:end] if places[h.rule] == len(places) - 1]
        if not last:
            continue
        first = int(np.searchsorted(times, at - correlation.timespan))
        decided = _chain(steps[first:end], arrivals[first:end], times[first:end], len(places), at)
        if decided < _NEVER:
            yield Level(at, decided, first, end)


def _chain(steps: np.ndarray, arrivals: np.ndarray, times: np.ndarray, size: int, at: int) -> int:
    """The earliest knowledge of hits of rules 0, 1, … in order of time, the last of them at `at`."""
    known_times = np.array([times[0]])
    known = np.array([-_NEVER])
    for step in range(size):
        mine = steps == step
        if step == size - 1:
            mine &= times == at
        its_times, its_arrivals = times[mine], arrivals[mine]
        before = np.searchsorted(known_times, its_times, side="right") - 1
        usable = before >= 0
        if not usable.any():
            return _NEVER
        known_times = its_times[usable]
        known = np.minimum.accumulate(np.maximum(its_arrivals[usable], known[before[usable]]))
    return int(known[-1])


def _judged(correlation: Correlation, hits: Sequence[Hit], latency: int) -> Iterator[Level]:
    """Times at which a condition that more hits can undo holds, by what has arrived when the latency has passed."""
    first = 0
    for at, begin, end in instants(hits):
        while hits[first].at < at - correlation.timespan:
            first += 1
        decided = max(at + latency, min(h.arrival for h in hits[begin:end]))
        window = [h for h in hits[first:end] if h.arrival <= decided]
        value = measure(correlation.type, correlation.threshold, window)
        if value is not None and _COMPARE[correlation.threshold.op](value, correlation.threshold.count):
            yield Level(at, decided, first, end)


def measure(kind: str, reach: Threshold, window: Sequence[Hit]) -> float | None:
    """What a correlation compares, of a window's hits; None where there is nothing to compare.

    Percentiles are interpolated linearly between the two nearest values.
    """
    if kind in _COUNTS:
        return len(_COUNTS[kind](window))
    numbers = [n for h in window if h.counted[0] is not None and (n := decimal(h.counted[0])) is not None]
    if not numbers:
        return None
    if kind in {"value_sum", "value_avg"}:
        return float(np.sum(numbers) if kind == "value_sum" else np.mean(numbers))
    return float(np.percentile(numbers, 50 if kind == "value_median" else reach.percentile or 0))


_COUNTS: dict[str, Callable[[Sequence[Hit]], set[object]]] = {
    "event_count": lambda window: {h.event for h in window},
    "value_count": lambda window: {h.counted for h in window if None not in h.counted},
    "temporal": lambda window: {h.rule for h in window},
}


def told(found: Sequence[Level], span: int) -> list[Level]:
    """The levels that are told: those within one span of which no other was known before (or at once, and earlier in time)."""
    kept: list[Level] = []
    near: deque[tuple[int, int]] = deque()
    behind = 0
    for level in found:
        while behind < len(found) and found[behind].at <= level.at + span:
            newcomer = (found[behind].decided, found[behind].at)
            while near and near[-1] > newcomer:
                near.pop()
            near.append(newcomer)
            behind += 1
        while near[0][1] < level.at - span:
            near.popleft()
        if near[0] == (level.decided, level.at):
            kept.append(level)
    return kept

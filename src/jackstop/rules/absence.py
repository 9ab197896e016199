"""What must be there and is not.

Judged when it can be judged, suspected before if the rule wants, never confirmed while its source is silent.
"""

import itertools
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import polars as pl

from jackstop.rules.groups import Hit
from jackstop.rules.rule import Absence

_NEVER = 2**62


@dataclass(frozen=True, slots=True)
class Missing:
    """What is said of one trigger. `state`: suspected, withdrawn, suspended, confirmed. `decided`: µs."""

    trigger: Hit
    state: str
    decided: int


class Heard:
    """When a source said anything: event times, sorted, with the arrival of each (µs)."""

    def __init__(self, times: Sequence[int], arrivals: Sequence[int]) -> None:
        self._times = times
        self._known = list(itertools.accumulate(reversed(arrivals), min))[::-1]

    def past(self, moment: int) -> int:
        """From when it is known that the source's time has come to a moment; far off where it has not."""
        place = bisect_left(self._times, moment)
        return self._known[place] if place < len(self._known) else _NEVER

    def quiet(self, begin: int, end: int, longest: int) -> bool:
        """Whether the source was silent for longer, in or around a stretch of time."""
        first = max(bisect_right(self._times, begin) - 1, 0)
        near = self._times[first : bisect_left(self._times, end) + 1]
        if not near or near[0] > begin or near[-1] < end:
            return True
        return any(b - a > longest for a, b in itertools.pairwise(near))


Ear = Callable[[str | None], Heard | None]


def ears(heard: pl.DataFrame | None, rules: Sequence[str]) -> Ear:
    """By terminal, when the source of some rules said anything; a source of no terminal in particular is everybody's."""
    if heard is None:
        return lambda terminal: None
    mine = heard.filter(pl.col("rule").is_in(rules)).sort("at", "arrival")
    if "terminal" not in mine.columns:
        common = Heard(mine["at"].to_list(), mine["arrival"].to_list())
        return lambda terminal: common
    known: dict[str | None, Heard] = {}

    def of(terminal: str | None) -> Heard:
        if terminal not in known:
            its = mine.filter(pl.col("terminal").is_null() | (pl.col("terminal") == pl.lit(terminal, pl.String)))
            known[terminal] = Heard(its["at"].to_list(), its["arrival"].to_list())
        return known[terminal]

    return of


def missing(window: Absence, hits: Sequence[Hit], latency: int, ear: Ear) -> Iterator[Missing]:
    """What is said of each trigger of one group.

    A trigger at t is confirmed when none of the absent rules has a hit in [t - before, t + after]: at t + after + latency, or
    when the source has been heard beyond t + after, whichever is later, by the hits that have arrived by then.

    Args:
        window: what must be absent when. hits: of the group, sorted. latency: of the absent rules' source (µs).
        ear: when that source said anything, by terminal; None where the caller does not know: it then counts as heard.
    """
    answers = [h for h in hits if h.rule in window.absent]
    times = [h.at for h in answers]
    for trigger in hits:
        if trigger.rule != window.trigger:
            continue
        begin, end = trigger.at - window.before, trigger.at + window.after
        found = answers[bisect_left(times, begin) : bisect_right(times, end)]
        answered = min((h.arrival for h in found), default=_NEVER)
        yield from _said(window, trigger, answered, latency, ear(trigger.terminal))


def _said(window: Absence, trigger: Hit, answered: int, latency: int, heard: Heard | None) -> Iterator[Missing]:
    """`answered`: from when an answer is known."""
    due = max(trigger.at + window.after + latency, trigger.arrival)
    decided, silent = due, False
    if window.suspend and heard is not None:
        decided = max(due, heard.past(trigger.at + window.after))
        lost = window.silent is not None and heard.quiet(trigger.at - window.before, trigger.at + window.after, window.silent)
        decided = _NEVER if lost else decided
        silent = decided > due and answered > due
    suspected = _NEVER if window.suspect is None else max(trigger.at + window.suspect, trigger.arrival)
    if suspected < min(due, answered):
        yield Missing(trigger, "suspected", suspected)
        if answered <= decided and answered < _NEVER:
            yield Missing(trigger, "withdrawn", answered)
    if silent:
        yield Missing(trigger, "suspended", due)
    if decided < _NEVER and answered > decided:
        yield Missing(trigger, "confirmed", decided)

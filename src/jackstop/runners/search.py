"""Published rules over log files: read and searched side by side by some processes, what they find counted by rule and file.

An EVTX file is cut into ranges, since its chunks stand by themselves; other files are read whole by one process.
"""

import itertools
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

import polars as pl

from jackstop import formats, rules
from jackstop.model.fleet import Reading
from jackstop.runners import rubbish
from jackstop.runners.lost import WorkerLost
from jackstop.sources import bundle

_PIECE = 4 << 20
RANGE = 8 << 20
"""Bytes of one part of an EVTX file."""
SMALL = 128 << 20
"""Bytes of logs for which no processes are started: each must make its own plans of the rules first, which takes seconds."""

Progress = Callable[[int, int], None]


class Log(NamedTuple):
    """A log file and the id of its format."""

    path: Path
    format: str


class _Part(NamedTuple):
    """Bytes of a file; `whole`: all of them, however many they are unpacked."""

    log: Log
    start: int
    end: int
    whole: bool


class _Answer(NamedTuple):
    name: str
    size: int
    events: int
    counts: dict[str, int]
    hits: pl.DataFrame


@dataclass(slots=True)
class Found:
    """Hits by rule id and file, and how many Windows events were read."""

    hits: dict[str, dict[str, int]] = field(default_factory=dict)
    events: int = 0

    def add(self, name: str, counts: dict[str, int]) -> None:
        """Count hits of rules in a file."""
        for rule, count in counts.items():
            by_file = self.hits.setdefault(rule, {})
            by_file[name] = by_file.get(name, 0) + count


def search(loaded: rules.Loaded, logs: Sequence[Log], jobs: int, tell: Progress) -> Found:
    """What rules find in log files.

    Args:
        loaded: rules and correlations. jobs: processes. tell: called with bytes done and bytes in all.

    Raises:
        WorkerLost: a process ended by itself. OSError: a file cannot be read.
    """
    parts = [p for log in logs for p in _parts(log)]
    total = sum(p.end - p.start for p in parts)
    found, kept, done = Found(), [rules.empty()], 0
    for answer in _answers(loaded, parts, jobs if total > SMALL else 1):
        done += answer.size
        found.events += answer.events
        found.add(answer.name, answer.counts)
        kept.append(answer.hits)
        tell(done, total)
    made = rules.correlate(pl.concat(kept, how="diagonal_relaxed"), loaded.correlations)
    for rule, count in made.filter(pl.col("state") == "confirmed").group_by("rule").len().iter_rows():
        found.add("(all files)", {rule: count})
    return found


def _parts(log: Log) -> list[_Part]:
    size = log.path.stat().st_size
    if log.format != "evtx" or log.path.suffix == ".gz":
        return [_Part(log, 0, size, whole=True)]
    head = 1 << 12
    starts = [0, *range(head + RANGE, size, RANGE)]
    return [_Part(log, a, b, whole=False) for a, b in zip(starts, [*starts[1:], size], strict=True)]


def _answers(loaded: rules.Loaded, parts: Sequence[_Part], jobs: int) -> Iterator[_Answer]:
    """The answer to each part, in whatever order they come."""
    if jobs < 2:
        _begin(loaded)
        yield from map(_one, parts)
        return
    try:
        with ProcessPoolExecutor(jobs, get_context("spawn"), _begin, (loaded,)) as pool:
            for done in as_completed([pool.submit(_one, p) for p in parts]):
                yield done.result()
    except BrokenProcessPool:
        raise WorkerLost("a process that searches logs ended by itself, expected it to stay") from None


_STATE: list[tuple[rules.RuleSet, frozenset[str], bool]] = []
"""In each process: the rules, the ids of those whose hits are results, whether correlations ask hits."""


def _begin(loaded: rules.Loaded) -> None:
    rubbish.seldom()
    alone = frozenset(r.about.id for r in loaded.rules if r.alone)
    _STATE[:] = [(rules.RuleSet.of(loaded.rules), alone, bool(loaded.correlations))]


def _pieces(part: _Part) -> Iterator[bytes]:
    """The bytes of a part, some at a time."""
    with bundle.opened(part.log.path) as file:
        file.seek(part.start)
        left = part.end - part.start
        while piece := file.read(_PIECE if part.whole else min(_PIECE, left)):
            left -= len(piece)
            yield piece


def _one(part: _Part) -> _Answer:
    """Read and search one part."""
    ruleset, alone, asked = _STATE[0]
    reader = formats.find(part.log.format).reader(Reading(name=part.log.path.name))
    events, counts, kept = 0, dict[str, int](), [rules.empty()]
    for piece in itertools.chain(_pieces(part), [b""]):
        tables = reader.feed(piece, final=not piece).tables
        events += tables.windows.height
        hits = ruleset.match(dict(tables.items()))
        for rule, count in hits.filter(pl.col("rule").is_in(alone)).group_by("rule").len().iter_rows():
            counts[rule] = counts.get(rule, 0) + count
        if asked:
            kept.append(hits)
    return _Answer(part.log.path.name, part.end - part.start, events, counts, pl.concat(kept, how="diagonal_relaxed"))

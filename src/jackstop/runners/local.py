"""The local runner: a bundle of files replayed in event time on this machine, in memory that does not grow with the logs.

Rows are given to the pipeline up to `settings.skew` past each watermark, in windows of about `TARGET` rows; what comes
out does not depend on the windows.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass, field

import polars as pl

from jackstop import __version__, detections, engine, kpi
from jackstop.ledger import audit
from jackstop.ledger.streams import Stream
from jackstop.model.results import Report
from jackstop.model.settings import HOUR, MINUTE, SECOND, Settings
from jackstop.model.tables import Tables
from jackstop.pipeline import Run
from jackstop.runners.dossiers import concerns, dossiers, glances
from jackstop.runners.scrapbook import Scrapbook
from jackstop.runners.shelf import FAR, Given
from jackstop.runners.workers import Workers
from jackstop.sources.bundle import Bundle, BundleError
from jackstop.store.results import Results

TARGET = 100_000
"""Rows of one window, about."""

SMALL = 8 << 20
"""Bytes of logs for which no processes are started."""

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Options:
    """How to replay.

    Attributes:
        step: µs to whose multiples `raised_at` of alerts is rounded up. until: µs UTC after which nothing is known.
        jobs: decoding processes; None is one per processor. progress: called with bytes read and bytes in all.
        detections: ids of those that run; None is all. notice: called with what each step gave and its watermark (µs).
    """

    step: int = SECOND
    until: int | None = None
    jobs: int | None = None
    progress: Progress | None = None
    settings: Settings = field(default_factory=Settings)
    detections: tuple[str, ...] | None = None
    notice: Callable[[engine.Output, int], None] | None = None


class _Disordered(Exception):
    def __init__(self, names: tuple[str, ...]) -> None:
        self.names = names


def investigate(bundle: Bundle, results: Results, options: Options) -> Report:
    """Replay a bundle, write verdicts to the results, and give what the report is made from.

    A file whose rows turn out to be far out of order (an export sorted by terminal) is read whole in another run.

    Raises:
        BundleError: a rule file of the bundle has faults. WorkerLost: a decoding process ended by itself.
        StoreError: the results cannot be written.
    """
    try:
        detections.learn(bundle.detections)
    except detections.Faulty as fault:
        raise BundleError(str(fault).splitlines()) from None
    whole: frozenset[str] = frozenset()
    while True:
        results.begin()
        try:
            return _Replay(bundle, results, options, whole).run()
        except _Disordered as found:
            whole |= set(found.names)


class _Replay:
    """One pass over the files."""

    def __init__(self, bundle: Bundle, results: Results, options: Options, whole: frozenset[str]) -> None:
        self._bundle, self._results, self._options, self._whole = bundle, results, options, whole
        streams = [Stream(f.name, f.format, f.latency, f.terminal) for f in bundle.files]
        known = (options.settings, options.detections, bundle.indicators)
        self._run = Run.begin(bundle.fleet, streams, bundle.visits, options.step, *known)
        self._book = Scrapbook()
        self._width, self._due = 10 * MINUTE, 0
        self._bytes = sum(f.size for f in bundle.files)
        self._audit, self._concerns = audit.begin(), concerns()
        self._start, self._host_end = FAR, -FAR
        self._last = options.until if options.until is not None else FAR

    def run(self) -> Report:
        jobs = self._options.jobs or min(len(os.sched_getaffinity(0)), 8)
        if self._bytes < SMALL:
            jobs = 1
        with Workers(self._bundle.files, jobs, self._whole) as workers:
            end = self._replay(workers)
            self._finish(end)
            return self._report(workers, end)

    def _replay(self, workers: Workers) -> int:
        """Everything up to the last watermark, which is given back (µs)."""
        skew, last = self._options.settings.skew, self._last
        limit: int | None = -FAR + 1
        while limit is not None:
            given = workers.until(limit)
            if given.disordered:
                raise _Disordered(given.disordered)
            if last < FAR:
                given = given._replace(tables=given.tables.map(lambda f: f.filter(pl.col("time").to_physical() <= last)))
            coming = self._next(limit, given, workers.end())
            if coming is not None:
                workers.ask(coming)
            if given.tables.height:
                self._start = min(self._start, _first(given.tables))
            output = self._run.advance(given.tables, max(limit - skew, self._run.state.watermark))
            self._take(output)
            self._tell(workers)
            limit = coming
        end = min(last, workers.end())
        return max(end, self._run.state.watermark)

    def _next(self, limit: int, given: Given, end: int) -> int | None:
        """How far to read next: about `TARGET` rows further; None when there is nothing more to read.

        A stray stamp after the end of all files does not count.
        """
        waiting, rows = self._run.state.intake.waiting, self._due
        stamps = [f["time"].to_physical() for _, f in given.tables.items() if f.height] + [f["when"] for f in waiting.values()]
        later = min((int(t) for s in stamps if (t := s.filter(s > limit).min()) is not None), default=FAR)  # type: ignore[arg-type]
        grow = min(2.0, max(0.1, TARGET / rows)) if rows else 2.0
        self._width = max(SECOND, min(int(self._width * grow), 30 * 24 * HOUR))
        horizon = min(self._last, end + HOUR) if given.done else self._last
        if limit >= horizon or (given.done and later > horizon):
            return None
        return min(max(limit, later if later < FAR else limit) + self._width, horizon)

    def _take(self, output: engine.Output) -> None:
        """Put away what one step gave."""
        self._due = sum(f.height for f in output.rows.values())
        self._results.put(output.verdicts)
        self._results.add_hours(kpi.count(output.rows, self._bundle.fleet, self._bundle.visits))
        self._book.note(output.rows, self._run.desk, self._run.state.watermark)
        if self._options.notice is not None:
            self._options.notice(output, self._run.state.watermark)
        if (windows := output.rows.get("windows")) is not None:
            self._audit = audit.fold(self._audit, windows, self._concerns)
        host = output.rows.get("host")
        if host is not None and host.height:
            self._host_end = max(self._host_end, int(host["at"].max()))  # type: ignore[arg-type]

    def _tell(self, workers: Workers) -> None:
        if self._options.progress is not None:
            self._options.progress(sum(a.bytes_read for a in workers.accounts()), self._bytes)

    def _finish(self, end: int) -> None:
        """Bring time to the end of what is known, and decide or leave open what is left."""
        self._take(self._run.advance(Tables.of(), end))
        self._results.put(self._run.pending())
        if self._options.until is None:
            self._take(self._run.close(self._host_end))

    def _report(self, workers: Workers, end: int) -> Report:
        alerts = self._run.alerts()
        accounts = workers.accounts()
        known = [t.id for t in self._bundle.fleet.terminal]
        audits = {a.terminal: a for a in audit.of(known, self._audit, self._concerns)}
        terminals, shared = glances(self._run, self._bundle.files, accounts, alerts, self._results, audits)
        fleet = self._bundle.fleet.fleet
        start, end = (0, 0) if self._start == FAR else (self._start, end)
        measures = kpi.measures(self._results.moved(), self._results.hours(), self._bundle.fleet, (start, end))
        return Report(
            fleet=fleet.name,
            timezone=fleet.timezone,
            currency=fleet.currency,
            start=start,
            end=end,
            terminals=terminals,
            dossiers=dossiers(alerts, self._book, self._results),
            fleet_sources=shared,
            version=__version__,
            measures=measures,
        )


def _first(tables: Tables) -> int:
    """Time of the earliest row (µs) that has one."""
    stamps = [f["time"].to_physical() for _, f in tables.items() if f.height]
    real = [int(s.filter(s > 0).min() or FAR) for s in stamps]  # type: ignore[arg-type]
    return min(real, default=FAR)

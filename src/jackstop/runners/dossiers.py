"""From what a run left behind to what a report is made from: dossiers of alerts, terminals at a glance, coverage."""

from collections.abc import Iterable, Iterator, Mapping

import polars as pl

from jackstop import detections, formats
from jackstop.ledger.audit import OTHER, Audit
from jackstop.model.results import SEVERITIES, Alert, CashPoint, Dossier, Glance, SourceCoverage, TimelineEntry, WindowsChannel
from jackstop.model.settings import HOUR
from jackstop.pipeline import Run
from jackstop.rules.channels import CHANNELS
from jackstop.runners.scrapbook import AFTER, BEFORE, Scrapbook
from jackstop.runners.shelf import Account
from jackstop.sources.bundle import BundleFile
from jackstop.store.results import Results

_PROPER = {name.lower(): name for names in CHANNELS.values() for name in names}
_SHOWN = 500
"""Movements of one dossier at most."""


def dossiers(alerts: Iterable[Alert], book: Scrapbook, results: Results) -> tuple[Dossier, ...]:
    """A dossier per alert."""
    return tuple(_dossier(a, book, results) for a in alerts)


def _dossier(alert: Alert, book: Scrapbook, results: Results) -> Dossier:
    frames = [results.movements(t, alert.first_event - BEFORE, alert.updated_at + AFTER) for t in alert.terminals]
    moved = pl.concat(frames).sort("time", "id")
    return dossier(alert, book.timeline(alert, moved), moved)


def dossier(alert: Alert, timeline: tuple[TimelineEntry, ...], moved: pl.DataFrame) -> Dossier:
    """A dossier from an alert, its timeline, and the movements around it (a frame of `results.VERDICTS`, in time order)."""
    shown = moved.head(_SHOWN).drop("records").with_columns(pl.col("time", "decided_at").to_physical())
    movements = tuple(shown.with_columns(pl.col("kind", "verdict").cast(pl.String)).iter_rows(named=True))
    return Dossier(alert, timeline, _curve(alert, moved), movements)


def _curve(alert: Alert, moved: pl.DataFrame) -> tuple[CashPoint, ...]:
    """The cash in the terminals as the explained movements leave it, and as all of them leave it.

    The level is what the counters said when the alert was raised, so the curve is as good as they are.
    """
    out = moved.filter((pl.col("kind") != "authorisation") & (pl.col("picked") > 0)).sort("time", "id")
    explained = pl.col("verdict").is_in(["explained", "explained-by-visit"])
    steps = out.select(
        time=pl.col("time").to_physical(), amount="picked", good=pl.when(explained).then("picked").otherwise(pl.lit(0, pl.Int64))
    )
    before = int(steps.filter(pl.col("time") <= alert.raised_at)["amount"].sum())
    level = alert.money_at_risk + before
    begin = CashPoint(alert.first_event - HOUR // 4, level, level)
    points = steps.with_columns(lost=pl.col("amount").cum_sum(), known=pl.col("good").cum_sum())
    return (begin, *(CashPoint(r["time"], level - r["known"], level - r["lost"]) for r in points.iter_rows(named=True)))


def glances(
    run: Run,
    files: Iterable[BundleFile],
    accounts: Iterable[Account],
    alerts: Iterable[Alert],
    results: Results,
    audits: Mapping[str, Audit],
) -> tuple[tuple[Glance, ...], tuple[SourceCoverage, ...]]:
    """Each terminal at a glance, and the coverage of the sources that serve the whole fleet."""
    covered = coverage(run, files, accounts)
    shared = tuple(c for c in covered if not c.terminal)
    totals, listed = results.totals(), tuple(alerts)
    made = []
    for terminal in run.setup.fleet.terminal:
        own = tuple(c for c in covered if c.terminal == terminal.id)
        heard = audits.get(terminal.id)
        mine = [a for a in listed if terminal.id in a.terminals]
        moved = totals.filter(pl.col("terminal") == terminal.id, pl.col("kind") == "episode")
        counted = totals.filter(pl.col("terminal") == terminal.id).group_by("verdict").agg(pl.col("count").sum()).sort("verdict")
        made.append(
            Glance(
                terminal=terminal.id,
                model=terminal.model or "",
                site=terminal.site.kind if terminal.site else "",
                movements=int(moved["count"].sum()),
                dispensed=int(moved["picked"].sum()),
                currency=terminal.currency or run.setup.fleet.fleet.currency,
                by_verdict=dict(counted.iter_rows()),
                unexplained=sum(a.unexplained for a in mine),
                severity=max((a.severity for a in mine), key=SEVERITIES.index, default=""),
                blind_spots=blind_spots({c.format for c in (*own, *shared)}),
                sources=own,
                windows=tuple(WindowsChannel(_PROPER.get(c.channel, c.channel), *c[1:]) for c in heard.channels) if heard else (),
                unheard=heard.blind if heard else (),
                unproven=heard.unproven if heard else (),
            )
        )
    return tuple(made), shared


def blind_spots(present: set[str]) -> tuple[str, ...]:
    """Detections that could not have seen anything for want of a source, as `detection:table`."""
    filled = {table for name in present if name in formats.names() for table in formats.find(name).FILLS}
    return tuple(
        f"{name}:{table}" for name in detections.names() for table in detections.find(name).META.needs if table not in filled
    )


def concerns() -> dict[str, frozenset[tuple[str, int]]]:
    """The Windows events each detection waits for (see `audit.Concerns`): those its rules look at or its own cases fire upon."""
    found = {n: detections.find(n) for n in detections.names()}
    told = {n: frozenset((*_looked_at(d), *_events(d.TESTS))) for n, d in found.items() if "windows" in d.META.needs}
    return {name: events for name, events in told.items() if events}


def _looked_at(content: detections.Content) -> Iterator[tuple[str, int]]:
    """The events that rules name."""
    if isinstance(content, detections.SigmaDetection):
        for v in (v for rule in content.rules for v in rule.variants if v.table == "windows" and v.channel):
            yield from ((v.channel or "", code) for code in v.codes or {OTHER})


def _events(cases: Iterable[detections.Case]) -> Iterator[tuple[str, int]]:
    """The events that cases fire upon."""
    rows = (r.values for c in cases if c.fires for r in c.rows if r.table == "windows")
    return ((str(r["channel"]).lower(), int(r["code"])) for r in rows if r.get("channel") and r.get("code") is not None)


def coverage(run: Run, files: Iterable[BundleFile], accounts: Iterable[Account]) -> list[SourceCoverage]:
    """How each file was read, and what is known of its clock."""
    by_name = {f.name: f for f in files}
    clocks = run.state.intake.clocks.latest()
    known: Mapping[tuple[str, str], tuple[int, int]] = {
        (t, c): (o, s) for t, c, o, s in clocks.select("terminal", "clock", "offset", "spread").iter_rows()
    }
    return [_coverage(a, by_name[a.name], known) for a in accounts]


def _coverage(account: Account, file: BundleFile, clocks: Mapping[tuple[str, str], tuple[int, int]]) -> SourceCoverage:
    clock = clocks.get((file.terminal or "", formats.find(file.format).CLOCK))
    reasons = dict(sorted(account.reasons.items()))
    if account.fault:
        reasons[account.fault] = reasons.get(account.fault, 0) + 1
    return SourceCoverage(
        terminal=file.terminal or "",
        source=file.name,
        format=file.format,
        records=account.records,
        understood=account.understood,
        ignored=account.ignored,
        refused=account.refused,
        duplicates=account.duplicates,
        rows=account.rows,
        reasons=reasons,
        first=account.first,
        last=account.last,
        gaps=tuple(account.gaps),
        offset_ms=clock[0] // 1000 if clock else None,
        uncertainty_ms=clock[1] // 1000 if clock else None,
    )

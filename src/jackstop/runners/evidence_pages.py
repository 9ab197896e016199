"""What people read in a package of evidence: the story of its alerts, and the log of custody."""

from collections.abc import Sequence
from typing import NamedTuple

import polars as pl

from jackstop import formats
from jackstop.model.fleet import Fleet, Terminal
from jackstop.model.results import SEVERITIES, VERDICTS, Alert, Dossier, Glance, Report, SourceCoverage, TimelineEntry
from jackstop.report.custody import Event, Page, Row
from jackstop.runners.dossiers import blind_spots, dossier
from jackstop.runners.evidence_records import Records
from jackstop.runners.evidence_subject import Order, Subject
from jackstop.runners.scrapbook import AFTER, BEFORE, LONGEST
from jackstop.store.faults import StoreError
from jackstop.store.history import History
from jackstop.store.live import FeedAccount

_MOVEMENTS = 5000


class Told(NamedTuple):
    """An alert as it is told, and all movements around it (a frame of `results.VERDICTS`)."""

    dossier: Dossier
    moved: pl.DataFrame


def dossiers(history: History, subject: Subject) -> tuple[list[Told], list[str]]:
    """A dossier for each alert, and what could not be read for it."""
    made, warnings = [], []
    for detail in subject.alerts:
        alert = detail.alert
        begin, end = alert.first_event - BEFORE, alert.updated_at + AFTER
        frames = [history.verdicts(t, begin, end, _MOVEMENTS) for t in alert.terminals]
        timeline: list[TimelineEntry] = []
        try:
            for terminal in alert.terminals:
                timeline += history.timeline(terminal, begin, end, LONGEST)
        except StoreError as fault:
            warnings.append(f"alert {alert.id} is without its timeline: {fault}")
        timeline.sort(key=lambda e: e.time)
        moved = pl.concat(frames).sort("time", "id")
        made.append(Told(dossier(alert, tuple(timeline[:LONGEST]), moved), moved))
    return made, warnings


def report(fleet: Fleet, version: str, told: list[Told], feeds: Sequence[FeedAccount]) -> Report:
    """The report of these alerts alone: their terminals at a glance as of the time around them, how their feeds were read."""
    alerts = [t.dossier.alert for t in told]
    named = {name for alert in alerts for name in alert.terminals}
    covered = [_covered(f) for f in feeds if f.terminal is None or f.terminal in named]
    shared = tuple(c for c in covered if not c.terminal)
    moved = pl.concat([t.moved for t in told]).unique("id", maintain_order=True) if told else pl.DataFrame(schema=VERDICTS)
    begin, end = min((a.first_event for a in alerts), default=0), max((a.updated_at for a in alerts), default=0)
    info = fleet.fleet
    return Report(
        fleet=info.name,
        timezone=info.timezone,
        currency=info.currency,
        start=begin,
        end=end,
        terminals=tuple(_glance(t, fleet, alerts, moved, covered) for t in fleet.terminal if t.id in named),
        dossiers=tuple(t.dossier for t in told),
        fleet_sources=shared,
        version=version,
    )


def _glance(terminal: Terminal, fleet: Fleet, alerts: list[Alert], moved: pl.DataFrame, covered: list[SourceCoverage]) -> Glance:
    own = moved.filter(pl.col("terminal") == terminal.id)
    cash = own.filter(pl.col("kind") == "episode")
    mine = [a for a in alerts if terminal.id in a.terminals]
    sources = tuple(c for c in covered if c.terminal == terminal.id)
    return Glance(
        terminal=terminal.id,
        model=terminal.model or "",
        site=terminal.site.kind if terminal.site else "",
        movements=cash.height,
        dispensed=int(cash["picked"].sum()),
        currency=terminal.currency or fleet.fleet.currency,
        by_verdict=dict(own.group_by(pl.col("verdict").cast(pl.String)).len().sort("verdict").iter_rows()),
        unexplained=sum(a.unexplained for a in mine),
        severity=max((a.severity for a in mine), key=SEVERITIES.index, default=""),
        blind_spots=blind_spots({c.format for c in covered if not c.terminal or c.terminal == terminal.id}),
        sources=sources,
    )


def _covered(feed: FeedAccount) -> SourceCoverage:
    known = feed.understood + feed.refused + feed.duplicates
    return SourceCoverage(
        terminal=feed.terminal or "",
        source=feed.name,
        format=feed.format,
        records=feed.records,
        understood=feed.understood,
        ignored=max(0, feed.records - known),
        refused=feed.refused,
        duplicates=feed.duplicates,
        rows=feed.rows,
        reasons=feed.reasons,
        last=feed.last_event,
    )


def log(subject: Subject, records: Records, *, unmasked: bool) -> tuple[Event, ...]:
    """Who had what in hands, in order of time: receipts, the audit log, remarks, holds, actions."""
    made = []
    for line in records.lines:
        what = f"record {line.number}: {line.path}@{line.offset}+{line.length}"
        made += [Event(r.received, r.peer or line.path, "received", what, f"frame {r.seq}") for r in line.receipts]
    made += [Event(e.at, e.actor, e.action, e.subject, f"{e.detail} [{e.hash[:16]}]".strip()) for e in subject.entries]
    made += [Event(r.at, r.author, f"remark.{r.subject}", r.ref, r.body) for r in subject.remarks]
    made += [Event(s.at, s.actor, f"action.{s.after}", s.action, f"{s.kind}: {s.note}") for s in subject.steps]
    for h in subject.holds:
        made.append(Event(h.placed_at, h.placed_by, "hold.placed", h.id, h.reason))
        if h.released_at is not None:
            made.append(Event(h.released_at, h.released_by or "", "hold.released", h.id, h.reason))
    made.sort(key=lambda e: e.at)
    return tuple(Event(e.at, e.actor, e.action, e.subject, veil(e.detail, unmasked=unmasked)) for e in made)


def custody(
    subject: Subject,
    records: Records,
    events: tuple[Event, ...],
    warnings: tuple[str, ...],
    order: Order,
    key: str,
    timezone: str,
) -> Page:
    """The page of custody."""
    rows = tuple(
        Row(
            number=line.number,
            path=line.path,
            offset=line.offset,
            length=line.length,
            sha256=line.sha256,
            standing=line.standing,
            proved=bool(line.receipts) and all(r.proved for r in line.receipts),
            received=line.receipts[0].received if line.receipts else None,
            file=line.file,
        )
        for line in records.lines
    )
    title = veil(subject.title, unmasked=order.unmasked)
    return Page(subject.ident, title, timezone, order.now, order.actor, key, rows, events, warnings)


def veil(text: str, *, unmasked: bool) -> str:
    """What people wrote, with card data masked."""
    shown = text.encode("utf-8", "replace") if unmasked else formats.shown(text.encode("utf-8", "replace"), None)
    return "" if shown is None else shown.decode()

"""The report for people as one HTML file: no script, no network, no fonts of its own; every word from logs is escaped.

The file forbids itself everything but its own style sheet (Content Security Policy, by digest), so even a fault in
escaping could not load or run anything. The same report gives the same bytes.
"""

import base64
import hashlib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import jinja2
from markupsafe import Markup

from jackstop.model.results import SEVERITIES, Dossier, RecordRef, Report, TimelineEntry
from jackstop.model.vocabulary import VERDICT
from jackstop.report import curve, facts, lanes, moments, plain, plots, story, texts
from jackstop.report.axis import Axis
from jackstop.report.texts import Texts

BAR = 220
"""Width of a verdict bar in pixels."""
_SLIVER = 6
_EVENTS, _UNMATCHED, _MATCHED, _RECORDS, _GAPS, _DROPS = 80, 40, 15, 30, 6, 5
"""Rows of a table at most; the rest is in the files for programs."""


def html(report: Report, lang: str) -> str:
    """The whole report in one language.

    Raises:
        LookupError: there are no texts in that language.
    """
    t = texts.of(lang)
    clock = moments.Clock(report.timezone)
    totals = facts.of(report)
    loud, quiet = facts.worst_first(report)
    sheets = [_sheet(i, d, clock, t) for i, d in enumerate(facts.by_gravity(report), 1)]
    first: dict[str, int] = {}
    for sheet in sheets:
        for terminal in sheet.dossier.alert.terminals:
            first.setdefault(terminal, sheet.number)
    style = _style()
    return _page().render(
        t=t,
        clock=clock,
        report=report,
        totals=totals,
        loud=loud,
        quiet=quiet,
        sheets=sheets,
        alert_of=first,
        places={g.terminal: i for i, g in enumerate([*loud, *quiet], 1)},
        lost=facts.amounts(totals.unexplained, report.currency, t),
        paid=facts.amounts(totals.dispensed, report.currency, t),
        verdicts=tuple(VERDICT),
        severities=SEVERITIES[::-1],
        blind=facts.blind,
        bar=bar,
        counted=lambda glance: sum(len(s.gaps) for s in glance.sources),
        **_plots(report, clock, t),
        style=Markup(style),  # noqa: S704 - our own file
        digest=base64.b64encode(hashlib.sha256(style.encode()).digest()).decode(),
        most_gaps=_GAPS,
        bar_width=BAR,
    )


def _plots(report: Report, clock: moments.Clock, t: Texts) -> dict[str, object]:
    """The plots of the continuous measures."""
    m = report.measures
    if m is None:
        return {}
    return {
        "money_plot": plots.unexplained(m, clock, t),
        "week_plot": plots.weeks(m, clock),
        "drop_plots": [(d, plots.level(d, clock, t, m.currency)) for d in m.drops[:_DROPS]],
    }


@dataclass(frozen=True, slots=True)
class Sheet:
    """One alert with everything its section shows; `hidden_…` count what there is no room for."""

    number: int
    dossier: Dossier
    told: texts.Saying
    found: tuple[story.Found, ...]
    axis: Axis
    timeline: lanes.Timeline
    curve: curve.Curve | None
    events: list[TimelineEntry]
    hidden_events: int
    unmatched: list[story.Movement]
    hidden_unmatched: int
    matched: list[story.Movement]
    hidden_matched: int
    records: list[tuple[RecordRef, TimelineEntry | None]]
    hidden_records: int


def _sheet(number: int, dossier: Dossier, clock: moments.Clock, t: Texts) -> Sheet:
    """An alert's section as numbers and words."""
    alert = dossier.alert
    axis = Axis.around(alert)
    proof = frozenset(alert.records)
    unmatched, matched = story.movements(dossier)
    events = story.telling(dossier, _EVENTS)
    return Sheet(
        number=number,
        dossier=dossier,
        told=story.told(alert, t),
        found=story.found(alert, t),
        axis=axis,
        timeline=lanes.draw(dossier.timeline, axis, alert.raised_at, proof, clock, t, alert.currency),
        curve=curve.draw(dossier.curve, axis, clock, t, alert.currency, known=alert.money_at_risk > 0),
        events=events,
        hidden_events=len(dossier.timeline) - len(events),
        unmatched=unmatched[:_UNMATCHED],
        hidden_unmatched=max(len(unmatched) - _UNMATCHED, 0),
        matched=matched[:_MATCHED],
        hidden_matched=max(len(matched) - _MATCHED, 0),
        records=story.evidence(dossier, _RECORDS),
        hidden_records=max(len(alert.records) - _RECORDS, 0),
    )


def bar(by_verdict: dict[str, int]) -> list[tuple[str, int, int]]:
    """Verdicts as pieces of a bar, (verdict, from, width) in pixels; the smallest is wide enough to be seen."""
    present = [(v, by_verdict[v]) for v in VERDICT if by_verdict.get(v)]
    total = sum(n for _, n in present)
    if not total:
        return []
    free = BAR - _SLIVER * len(present)
    pieces = []
    done = at = 0
    for i, (verdict, n) in enumerate(present, 1):
        done += n
        end = _SLIVER * i + free * done // total
        pieces.append((verdict, at, end - at))
        at = end
    return pieces


@cache
def _style() -> str:
    return (files(__package__) / "templates" / "style.css").read_text("utf-8")


@cache
def _page() -> jinja2.Template:
    """The page's template; what it writes is made plain first, then escaped."""
    world = jinja2.Environment(
        loader=jinja2.PackageLoader("jackstop.report", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_finalize,
    )
    world.filters.update(line=plain.line)
    world.globals.update(drift=moments.drift)
    return world.get_template("page.html.j2")


def _finalize(value: object) -> object:
    return plain.plain(value) if isinstance(value, str) and not isinstance(value, Markup) else value

"""The report for people at a terminal: the fleet as a table, then the alerts, gravest first, with evidence and timeline.

What logs say is made plain and never read as markup, so it cannot steer the terminal. Colours are the console's affair.
"""

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from jackstop.model.results import Dossier, Glance, Report
from jackstop.model.vocabulary import VERDICT
from jackstop.report import facts, story, texts
from jackstop.report.lanes import sentence
from jackstop.report.moments import Clock
from jackstop.report.plain import line
from jackstop.report.texts import Texts

_SEVERITY = {"critical": "bold white on red", "high": "bold red", "medium": "bold yellow", "low": "cyan", "info": "dim"}
_STANDING = {
    "explained": "green",
    "explained-by-visit": "green",
    "approved": "green",
    "unexplained": "bold red",
    "contradicted": "bold magenta",
    "declined": "magenta",
    "ambiguous": "yellow",
}
_EVENTS, _RECORDS = 8, 4


def render(report: Report, console: Console, lang: str = "en", *, most: int = 20) -> None:
    """Print a report on a console.

    Args:
        report: what to show. console: a rich console; colours off is its affair. lang: language of the texts.
        most: alerts shown in full; those after them are counted. Terminals with nothing to tell are counted as well.

    Raises:
        LookupError: there are no texts in that language.
    """
    t = texts.of(lang)
    clock = Clock(report.timezone)
    heading = t(
        "text.heading",
        fleet=report.fleet,
        start=clock.minute(report.start),
        end=clock.minute(report.end),
        zone=report.timezone,
    )
    console.print(_said(heading, "bold"))
    _summary(report, console, t)
    _fleet(report, console, t)
    ordered = facts.by_gravity(report)
    for dossier in ordered[:most]:
        _alert(dossier, console, clock, t)
    if len(ordered) > most:
        console.print(_said(t.count("more_alerts", len(ordered) - most), "dim"))


def _summary(report: Report, console: Console, t: Texts) -> None:
    """Two lines: who has to be called, what is missing, how much is explained."""
    totals = facts.of(report)
    lost = facts.amounts(totals.unexplained, report.currency, t)
    call = t.count("paging", totals.paging) if totals.paging else t("page.calm")
    console.print(
        _said(call, "bold red" if totals.paging else "green"),
        _said(t("page.lost", amount=lost) if totals.unexplained else t("page.lost_nothing")),
    )
    decided = t("page.explained_of", n=f"{totals.decided:,}")
    console.print(
        _said(f"{t.count('movements', totals.movements)} · {t('page.explained')} {totals.explained} ({decided})", "dim")
    )


def _fleet(report: Report, console: Console, t: Texts) -> None:
    """The fleet table; of many terminals without an alert only the number."""
    loud, quiet = facts.worst_first(report)
    shown = [*loud, *quiet] if len(quiet) <= 12 else loud
    present = [v for v in VERDICT if any(g.by_verdict.get(v) for g in shown)]
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    table.add_column(t("page.terminal"), overflow="fold")
    table.add_column(t("page.worst"), overflow="fold")
    table.add_column(t("page.movements"), justify="right", overflow="fold")
    for verdict in present:
        table.add_column(t.word("verdict", verdict), justify="right", overflow="fold")
    table.add_column(t("page.unexplained"), justify="right", overflow="fold")
    for glance in shown:
        table.add_row(*_glance(glance, present, t))
    console.print()
    if shown:
        console.print(table)
    if len(shown) < len(report.terminals):
        console.print(_said(t.count("quiet", len(quiet)), "dim"))


def _glance(glance: Glance, present: list[str], t: Texts) -> list[Text]:
    severity = glance.severity or "none"
    counts = [(v, glance.by_verdict.get(v, 0)) for v in present]
    lost = t.money(glance.unexplained, glance.currency) if glance.unexplained else "–"
    return [
        _said(line(glance.terminal, 40)),
        _said(t.word("severity", severity), _SEVERITY.get(severity, "dim")),
        _said(f"{glance.movements:,}"),
        *(_said(f"{n:,}" if n else "–", _STANDING.get(v, "") if n else "dim") for v, n in counts),
        _said(lost, "bold red" if glance.unexplained else "dim"),
    ]


def _alert(dossier: Dossier, console: Console, clock: Clock, t: Texts) -> None:
    """One alert: what, where, how much, what to do, what proves it, and the lines that tell it best."""
    alert, told = dossier.alert, story.told(dossier.alert, t)
    severity = _said(f" {t.word('severity', alert.severity)} ", _SEVERITY.get(alert.severity, ""))
    console.print()
    console.print(severity, _said(told.title, "bold"), _said("– " + line(", ".join(alert.terminals), 80)))
    waited = t("page.raised_after", span=t.length(alert.raised_at - alert.first_event))
    risk = t.money(alert.money_at_risk, alert.currency) if alert.money_at_risk else "–"
    rows = [
        (t("page.happened"), _said(told.why)),
        (t("page.first_step"), _said(told.first_step, "bold")),
        (t("page.unexplained"), _said(t.money(alert.unexplained, alert.currency), "bold red" if alert.unexplained else "")),
        (t("page.at_risk"), _said(risk)),
        (t("page.first_event"), _said(clock.full(alert.first_event))),
        (t("page.raised"), _said(f"{clock.full(alert.raised_at)} ({waited})")),
        (t("page.found"), _said(", ".join(f.detection for f in story.found(alert, t)), "dim")),
    ]
    if alert.attack:
        rows.append((t("page.attack"), _said(", ".join(alert.attack))))
    grid = Table.grid(padding=(0, 2))
    for name, said in rows:
        if said.plain:
            grid.add_row(_said(name, "dim"), said)
    console.print(Padding(grid, (0, 0, 0, 1)))
    _evidence(dossier, console, t)
    _timeline(dossier, console, clock, t)


def _evidence(dossier: Dossier, console: Console, t: Texts) -> None:
    """The first records as path@offset and the beginning of their SHA-256."""
    records = story.evidence(dossier, _RECORDS)
    if not records:
        return
    console.print(_said(f" {t('text.evidence')}", "dim"))
    for record, _ in records:
        place = f"{line(record.path, 120)}@{record.offset}"
        console.print(_said(f"   {place}  sha256 {record.sha256[:16]}…"), overflow="fold")
    if (more := len(dossier.alert.records) - len(records)) > 0:
        console.print(_said(f"   {t.count('more_records', more)}", "dim"))


def _timeline(dossier: Dossier, console: Console, clock: Clock, t: Texts) -> None:
    """The entries that tell the story best."""
    strands = story.strands(dossier, _EVENTS)
    if not strands:
        return
    console.print(_said(f" {t('text.timeline')}", "dim"))
    grid = Table.grid(padding=(0, 2))
    for strand in strands:
        grid.add_row(_said(t.word("lane", strand.entry.lane), "dim"), _told(strand, clock, t, dossier.alert.currency))
    console.print(Padding(grid, (0, 0, 0, 3)))
    if (more := len(dossier.timeline) - sum(s.count for s in strands)) > 0:
        console.print(_said(f"   {t.count('more_events', more)}", "dim"))


def _told(strand: story.Strand, clock: Clock, t: Texts, currency: str) -> Text:
    said = sentence(strand.entry, clock, t, currency, strand.count)
    return _said(line(said), _STANDING.get(strand.entry.standing, ""))


def _said(words: str, style: str = "") -> Text:
    """Words as they are, never as markup."""
    return Text(line(words, 400), style)

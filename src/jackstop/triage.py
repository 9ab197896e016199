"""Triage: findings folded into one alert per terminal and incident, with severity, unexplained money and money at risk.

Alerts are kept in a small state and folded in the order in which findings were decided, so the result does not depend
on how findings were cut into calls. Each finding is shown to the detections over findings (chains, campaigns); what those
find is folded at once: into its terminal's alert, or into one alert of the fleet that cites the terminals' alerts.
"""

import hashlib
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, field, replace

import polars as pl

from jackstop import detections
from jackstop.model.fleet import Fleet
from jackstop.model.results import PAGING, SEVERITIES, Alert, Finding
from jackstop.model.settings import Settings

QUIET = ("info", "low")
"""Findings this grave open no alert of their own: they join one that is open, or wait for one."""

LEVELS = {"terminal": pl.String, "key": pl.String, "at": pl.Int64, "worth": pl.Int64}

MONEY = (
    "dispense.unexplained",
    "dispense.contradicted",
    "dispense.over-authorised",
    "balance.missing-notes",
    "reversal.after-taken",
)


@dataclass(frozen=True, slots=True)
class Incident:
    """One alert in the making: its findings, and when it reached its present severity and first paged (µs, the watermark).

    `place`: what it is folded by: the terminal, or the detection that spans terminals (`fleetwide`). `withdrawn`: ids of
    findings that records which came late have explained.
    """

    place: str
    findings: tuple[Finding, ...]
    severity: str
    raised_at: int
    updated_at: int
    at_risk: int
    fleetwide: bool = False
    paged_at: int | None = None
    withdrawn: tuple[str, ...] = ()

    @property
    def terminals(self) -> tuple[str, ...]:
        """The terminals its findings name, in their order."""
        return tuple(dict.fromkeys(f.terminal for f in self.findings))


@dataclass(slots=True)
class Desk:
    """The open and closed incidents, findings too slight for an alert of their own, and the cash in each terminal.

    Attributes:
        open: by place. closed: in the order they ended. waiting: slight findings by place.
        past: what detections over findings look back upon.
        levels: the money in each cash unit (terminal, key, at, worth): what is known of now, and the newest before.
    """

    open: dict[str, Incident] = field(default_factory=dict)
    closed: list[Incident] = field(default_factory=list)
    waiting: dict[str, list[Finding]] = field(default_factory=dict)
    levels: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=LEVELS))
    past: detections.Past = field(default_factory=lambda: detections.Past(detections.stage))

    @classmethod
    def of(cls, fleet: Fleet) -> "Desk":
        """A desk that knows what the cassettes were loaded with."""
        rows = [(t.id, str(c.unit), -(2**62), c.value * c.count) for t in fleet.terminal for c in t.cassettes]
        return cls(levels=pl.DataFrame(rows, schema=LEVELS, orient="row"))


def note_levels(desk: Desk, units: pl.DataFrame | None, before: int) -> None:
    """Note what counters say is in the cassettes.

    Args:
        desk: changed in place. units: rows `units` of `engine.Output.rows`. before: the last watermark: what older
            rows said is forgotten where a newer one up to it is known.
    """
    if units is None or not units.height:
        return
    bills = pl.col("kind").is_in(["bill", "recycling"]) & pl.col("basis").is_in(["logical", "physical"])
    fresh = units.filter(bills, pl.col("count").is_not_null()).select(
        "terminal",
        key=pl.coalesce(pl.col("unit").cast(pl.String), "unit_id"),
        at="at",
        worth=pl.col("count") * pl.col("value").fill_null(0),
    )
    known = pl.concat([desk.levels, fresh]).sort("at", maintain_order=True)
    newest = pl.col("at") == pl.col("at").filter(pl.col("at") <= before).max().over("terminal", "key")
    desk.levels = known.filter(newest.fill_null(value=False) | (pl.col("at") > before))


def fold(desk: Desk, findings: Iterable[Finding], step: int, settings: Settings) -> None:
    """Fold findings (in the order they were decided) into the desk's incidents.

    Args:
        desk: changed in place.
        findings: of one engine step. step: the replay's step (µs): alerts are raised at its multiples.
        settings: `incident`.
    """
    for finding in findings:
        _take(desk, finding, step, settings, joint=False)


def _take(desk: Desk, finding: Finding, step: int, settings: Settings, *, joint: bool) -> None:
    """Fold a finding into its terminal's incident, and what it completes with earlier ones after it."""
    paged = _fold_one(desk, finding, finding.terminal, step, settings)
    desk.past.add(finding, paged=paged, joint=joint)
    for detection in detections.joint().values():
        for made in tuple(detection.join(finding, desk.past)):
            if detection.FLEETWIDE:
                _fold_one(desk, made, f"fleet/{made.detection}", step, settings, fleetwide=True)
                desk.past.add(made, paged=False, joint=True)
            else:
                _take(desk, made, step, settings, joint=True)


def _fold_one(desk: Desk, finding: Finding, place: str, step: int, settings: Settings, *, fleetwide: bool = False) -> bool:
    """Fold a finding; gives whether it made its incident a paging one."""
    known = desk.open.get(place)
    if known is not None and finding.decided_at - known.updated_at > settings.incident:
        desk.closed.append(desk.open.pop(place))
        known = None
    if known is None:
        if finding.severity in QUIET:
            slight = desk.waiting.get(place, [])
            desk.waiting[place] = [*_recent(slight, finding, settings), finding]
            return False
        desk.open[place] = _opened(desk, finding, place, step, settings, fleetwide=fleetwide)
        return finding.severity in PAGING
    if finding.id in {f.id for f in known.findings}:
        return False
    severity = max(known.severity, finding.severity, key=SEVERITIES.index)
    graver = severity != known.severity
    pages_now = severity in PAGING and known.paged_at is None
    at_risk = _at_risk(desk, finding) if graver and not fleetwide else known.at_risk
    if fleetwide and finding.terminal not in known.terminals:
        at_risk += _at_risk(desk, finding)
    desk.open[place] = replace(
        known,
        findings=(*known.findings, finding),
        severity=severity,
        raised_at=_ceil(finding.decided_at, step) if graver else known.raised_at,
        updated_at=finding.decided_at,
        at_risk=at_risk,
        paged_at=_ceil(finding.decided_at, step) if pages_now else known.paged_at,
    )
    return pages_now


def _opened(desk: Desk, finding: Finding, place: str, step: int, settings: Settings, *, fleetwide: bool) -> Incident:
    """An incident with the slight findings of the hours before it."""
    recent = tuple(_recent(desk.waiting.pop(place, []), finding, settings))
    raised = _ceil(finding.decided_at, step)
    at_risk = _at_risk(desk, finding)
    paged = raised if finding.severity in PAGING else None
    return Incident(place, (*recent, finding), finding.severity, raised, finding.decided_at, at_risk, fleetwide, paged)


def _recent(findings: list[Finding], finding: Finding, settings: Settings) -> list[Finding]:
    return [f for f in findings if finding.decided_at - f.decided_at <= settings.incident]


def _at_risk(desk: Desk, finding: Finding) -> int:
    """Minor units in the terminal's cassettes when a finding was decided."""
    known = desk.levels.filter(pl.col("terminal") == finding.terminal, pl.col("at") <= finding.decided_at)
    return int(known.group_by("key", maintain_order=True).agg(pl.col("worth").last())["worth"].sum())


def _ceil(time: int, step: int) -> int:
    return -(-time // step) * step


def withdraw(desk: Desk, settled: Set[str], now: int) -> list[Incident]:
    """Withdraw the findings that rest on verdicts which turned out to be explained; gives the incidents that changed.

    Args:
        desk: changed in place. settled: ids of those verdicts. now: the watermark (µs).
    """
    after: dict[Incident, Incident] = {}
    for incident in (*desk.open.values(), *desk.closed):
        gone = tuple(f.id for f in incident.findings if f.verdicts and set(f.verdicts) <= settled)
        if set(gone) <= set(incident.withdrawn):
            continue
        out = tuple(dict.fromkeys((*incident.withdrawn, *gone)))
        left = [f.severity for f in incident.findings if f.id not in out]
        graver = max(left, key=SEVERITIES.index, default="info")
        after[incident] = replace(incident, withdrawn=out, severity=graver, updated_at=now)
    desk.open = {p: after.get(i, i) for p, i in desk.open.items()}
    desk.closed = [after.get(i, i) for i in desk.closed]
    return list(after.values())


def tidy(desk: Desk, now: int, settings: Settings) -> None:
    """Forget what no later finding can touch, for a run that never ends.

    Args:
        desk: changed in place; `alerts` then gives the recent incidents only. now: the watermark (µs).
        settings: `incident`, `recall`.
    """
    ended = [p for p, i in desk.open.items() if now - i.updated_at > settings.incident]
    desk.closed += [desk.open.pop(p) for p in ended]
    desk.closed = [i for i in desk.closed if now - i.updated_at <= 2 * settings.recall]
    for place, slight in [*desk.waiting.items()]:
        desk.waiting[place] = [f for f in slight if now - f.decided_at <= settings.incident]
        if not desk.waiting[place]:
            del desk.waiting[place]


def changed(desk: Desk, before: Mapping[str, Incident], currency: str) -> tuple[Alert, ...]:
    """The alerts of open incidents that are not what they were, in the order raised.

    Args:
        desk: now. before: its open incidents at an earlier time. currency: the fleet's.
    """
    fresh = {p: i for p, i in desk.open.items() if before.get(p) is not i}
    if not fresh:
        return ()
    touched = {t for i in fresh.values() if not i.fleetwide for t in i.terminals}
    wide = {p: i for p, i in desk.open.items() if i.fleetwide and (p in fresh or touched.intersection(i.terminals))}
    if wide:
        ids = {_ident(i) for i in (*fresh.values(), *wide.values())}
        return tuple(a for a in alerts(desk, currency) if a.id in ids)
    return tuple(sorted((_alert(i, currency) for i in fresh.values()), key=lambda a: (a.raised_at, a.terminals, a.id)))


def alerts(desk: Desk, currency: str) -> tuple[Alert, ...]:
    """Every incident as an alert, in the order raised; one of the fleet cites the alerts of its terminals."""
    incidents = (*desk.closed, *desk.open.values())
    own = [_alert(i, currency) for i in incidents if not i.fleetwide]
    spans: dict[str, list[Alert]] = {}
    for alert in own:
        spans.setdefault(alert.terminals[0], []).append(alert)
    wide = [_alert(i, currency, _cited(i, spans)) for i in incidents if i.fleetwide]
    return tuple(sorted((*own, *wide), key=lambda a: (a.raised_at, a.terminals, a.id)))


def shown(incidents: Iterable[Incident], currency: str) -> tuple[Alert, ...]:
    """Incidents as alerts."""
    return tuple(_alert(i, currency) for i in incidents)


def _cited(incident: Incident, spans: Mapping[str, list[Alert]]) -> tuple[str, ...]:
    """The alerts that a fleet's incident rests on: its terminals' own from its first event to its last."""
    first = min(f.time for f in incident.findings)
    return tuple(
        a.id
        for t in incident.terminals
        for a in spans.get(t, ())
        if a.updated_at >= first and a.first_event <= incident.updated_at
    )


def _alert(incident: Incident, currency: str, cited: tuple[str, ...] = ()) -> Alert:
    findings = incident.findings
    standing = tuple(f for f in findings if f.id not in incident.withdrawn)
    gravest = max(standing or findings, key=lambda f: (SEVERITIES.index(f.severity), f.detection in MONEY, -f.decided_at))
    contents = [detections.find(name) for name in dict.fromkeys(f.detection for f in findings)]
    return Alert(
        id=_ident(incident),
        terminals=incident.terminals,
        severity=incident.severity,
        title=detections.find(gravest.detection).META.title.en,
        detections=tuple(dict.fromkeys(f.detection for f in findings)),
        attack=tuple(sorted({t for c in contents for t in c.META.attack})),
        first_event=min(f.time for f in findings),
        raised_at=incident.raised_at,
        updated_at=incident.updated_at,
        unexplained=unexplained(standing),
        money_at_risk=incident.at_risk,
        currency=next((f.currency for f in findings if f.currency), currency),
        visits=tuple(sorted({v for f in findings for v in f.visits})),
        verdicts=tuple(dict.fromkeys(v for f in findings for v in f.verdicts)),
        records=tuple(dict.fromkeys(r for f in findings for r in f.records)),
        findings=findings,
        cites=cited,
        paged_at=incident.paged_at,
        withdrawn=incident.withdrawn,
    )


def _ident(incident: Incident) -> str:
    """An alert's id: from its place and its first finding."""
    first = min(incident.findings, key=lambda f: (f.decided_at, f.id))
    return hashlib.sha256(f"{incident.place}|{first.id}".encode()).hexdigest()[:16]


def unexplained(findings: Iterable[Finding]) -> int:
    """Minor units that no authorisation explains: each movement once, however many detections name it."""
    by_movement: dict[tuple[str, ...], int] = {}
    for f in findings:
        if f.detection in MONEY:
            key = f.verdicts or (f.id,)
            by_movement[key] = max(by_movement.get(key, 0), f.amount)
    return sum(by_movement.values())


def pages(alert: Alert) -> bool:
    """Whether the alert wakes a person."""
    return alert.severity in PAGING

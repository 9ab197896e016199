"""An alert as it is told: what happened, what to do first, what proves it, and what of it is shown where room is short."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from jackstop.model.results import SEVERITIES, Alert, Dossier, Finding, RecordRef, TimelineEntry
from jackstop.report import texts
from jackstop.report.lanes import gravity
from jackstop.report.texts import Saying, Texts

SOUND = ("explained", "explained-by-visit")


@dataclass(frozen=True, slots=True)
class Found:
    """The findings of one detection: its words, the gravest severity, how many, and the first of them."""

    detection: str
    saying: Saying
    severity: str
    count: int
    first: int
    details: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Movement:
    """One verdict row of a dossier, with its columns typed."""

    id: str
    terminal: str
    kind: str
    time: int
    currency: str
    picked: int | None
    presented: int | None
    retained: int | None
    verdict: str
    reason: str
    explained_by: tuple[str, ...]

    @classmethod
    def of(cls, row: dict[str, object]) -> "Movement":
        """A verdict row as the results file gives it."""
        by = row.get("explained_by")
        return cls(
            id=_word(row.get("id")),
            terminal=_word(row.get("terminal")),
            kind=_word(row.get("kind")),
            time=_amount(row.get("time")) or 0,
            currency=_word(row.get("currency")),
            picked=_amount(row.get("picked")),
            presented=_amount(row.get("presented")),
            retained=_amount(row.get("retained")),
            verdict=_word(row.get("verdict")),
            reason=_word(row.get("reason")),
            explained_by=tuple(_word(b) for b in by) if isinstance(by, list | tuple) else (),
        )


def _word(value: object) -> str:
    return value if isinstance(value, str) else ""


def _amount(value: object) -> int | None:
    return value if isinstance(value, int) else None


def lead(alert: Alert) -> str:
    """The detection whose title the alert bears; the gravest one where none does."""
    titled = [d for d in alert.detections if texts.of("en").detection(d).title == alert.title]
    if titled:
        return titled[0]
    gravest = max(alert.findings, key=lambda f: SEVERITIES.index(f.severity), default=None)
    return gravest.detection if gravest else next(iter(alert.detections), "")


def told(alert: Alert, t: Texts) -> Saying:
    """Title, sentence and first step of an alert; the title it was raised with where its detection is not known."""
    saying = t.detection(lead(alert))
    return saying if saying.why else Saying(alert.title, "", "")


def found(alert: Alert, t: Texts) -> tuple[Found, ...]:
    """What each detection found, gravest first."""
    by_detection: dict[str, list[Finding]] = {d: [] for d in alert.detections}
    for finding in alert.findings:
        by_detection.setdefault(finding.detection, []).append(finding)
    made = [_found(d, fs, alert, t) for d, fs in by_detection.items()]
    return tuple(sorted(made, key=lambda f: (-SEVERITIES.index(f.severity), f.first, f.detection)))


def _found(detection: str, findings: Sequence[Finding], alert: Alert, t: Texts) -> Found:
    said = dict.fromkeys(v for f in findings for _, v in f.detail if v)
    return Found(
        detection=detection,
        saying=t.detection(detection),
        severity=max((f.severity for f in findings), key=SEVERITIES.index, default=alert.severity),
        count=len(findings),
        first=min((f.time for f in findings), default=alert.first_event),
        details=tuple(words for v in list(said)[:6] if (words := t.finding_detail(detection, v))),
    )


def movements(dossier: Dossier) -> tuple[list[Movement], list[Movement]]:
    """A dossier's movements: those without a sound explanation, and the explained, each in time order."""
    listed = sorted((Movement.of(m) for m in dossier.movements), key=lambda m: (m.time, m.id))
    return [m for m in listed if m.verdict not in SOUND], [m for m in listed if m.verdict in SOUND]


def telling(dossier: Dossier, most: int) -> list[TimelineEntry]:
    """The entries that tell the story best, in time order: evidence, then the grave, then those nearest to its start."""
    worth = _worth(dossier.alert)
    return sorted(sorted(dossier.timeline, key=worth)[:most], key=_order)


@dataclass(frozen=True, slots=True)
class Strand:
    """Entries of one timeline that say the same: the first of them, with the money of all, and how many."""

    entry: TimelineEntry
    count: int


def strands(dossier: Dossier, most: int) -> list[Strand]:
    """A timeline in so many lines at most: equal entries as one, the telling ones first chosen, in time order."""
    same: dict[tuple[str, str, str, str], list[TimelineEntry]] = {}
    for entry in sorted(dossier.timeline, key=_order):
        same.setdefault((entry.lane, entry.word, entry.detail, entry.standing), []).append(entry)
    worth = _worth(dossier.alert)
    chosen = sorted(same.values(), key=lambda entries: min(worth(e) for e in entries))[:most]
    made = [Strand(replace(e[0], amount=_sum(e)), len(e)) for e in chosen]
    return sorted(made, key=lambda strand: _order(strand.entry))


def _sum(entries: Sequence[TimelineEntry]) -> int | None:
    known = [e.amount for e in entries if e.amount is not None]
    return sum(known) if known else None


def _order(entry: TimelineEntry) -> tuple[int, str, str, str]:
    return entry.time, entry.lane, entry.word, entry.detail


def _worth(alert: Alert) -> Callable[[TimelineEntry], tuple[bool, int, int]]:
    """How much an entry tells, least first: evidence, then the grave; what is in order tells least."""
    proof = frozenset(alert.records)

    def worth(entry: TimelineEntry) -> tuple[bool, int, int]:
        calm = entry.standing in (*SOUND, "approved")
        return entry.record not in proof, 1 if calm else -gravity(entry), abs(entry.time - alert.first_event)

    return worth


def evidence(dossier: Dossier, most: int) -> list[tuple[RecordRef, TimelineEntry | None]]:
    """The first records that prove the alert, each with the timeline entry made from it, where there is one."""
    says = {e.record: e for e in reversed(dossier.timeline) if e.record is not None}
    return [(r, says.get(r)) for r in dossier.alert.records[:most]]

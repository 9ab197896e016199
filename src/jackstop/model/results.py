"""What comes out: verdicts, findings, alerts, coverage, and what a report shows of them."""

from dataclasses import dataclass, field

import polars as pl

from jackstop.model import vocabulary as v
from jackstop.model.measures import Measures
from jackstop.model.tables import TIME, words

RECORDS = pl.List(pl.Struct({"path": pl.String, "offset": pl.Int64, "length": pl.Int32, "sha256": pl.String}))

VERDICTS: dict[str, pl.DataType] = {
    "id": pl.String(),
    "terminal": pl.String(),
    "kind": pl.Enum(["episode", "balance", "authorisation"]),
    "time": TIME,
    "currency": pl.String(),
    "picked": pl.Int64(),
    "presented": pl.Int64(),
    "retained": pl.Int64(),
    "verdict": words(v.VERDICT),
    "reason": pl.String(),
    "explained_by": pl.List(pl.String),
    "gates_failed": pl.List(pl.String),
    "sources_missing": pl.List(pl.String),
    "offset_ms": pl.Int64(),
    "uncertainty_ms": pl.Int64(),
    "decided_at": TIME,
    "records": RECORDS,
}
"""Schema of the frame of verdicts. `reason` is a key of the texts (`reason.<key>`), in words only where it is shown."""

SEVERITIES = tuple(v.SEVERITY)
PAGING = ("high", "critical")


def at_least(severity: str, level: str) -> bool:
    """Whether a severity is as grave as a level or graver."""
    return SEVERITIES.index(severity) >= SEVERITIES.index(level)


@dataclass(frozen=True, slots=True)
class RecordRef:
    """One record as evidence: where it lies and its SHA-256 (hex)."""

    path: str
    offset: int
    length: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Finding:
    """One detector's claim about one terminal.

    Attributes:
        id: derived from content. detection: id of the detection. severity: word of `vocabulary.SEVERITY`.
        time: µs UTC of the event. decided_at: µs UTC of the watermark from which the claim could be made.
        detail: values for the detection's text, name to value. amount: minor units left unexplained by it.
        records: what proves it. visits: work orders that bear on it. verdicts: ids of verdicts it rests on.
    """

    id: str
    detection: str
    terminal: str
    severity: str
    time: int
    decided_at: int
    detail: tuple[tuple[str, str], ...] = ()
    amount: int = 0
    currency: str = ""
    records: tuple[RecordRef, ...] = ()
    visits: tuple[str, ...] = ()
    verdicts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Alert:
    """What a person sees: the findings of one terminal and incident, folded. Times are µs UTC; money minor units.

    `cites`: ids of other alerts that one of several terminals rests on. `paged_at`: when it first woke a person, which is
    before `raised_at` where it became graver afterwards; None where it never did. `withdrawn`: ids of findings that records
    which came late have explained; severity and money are those of the others.
    """

    id: str
    terminals: tuple[str, ...]
    severity: str
    title: str
    detections: tuple[str, ...]
    attack: tuple[str, ...]
    first_event: int
    raised_at: int
    updated_at: int
    unexplained: int
    money_at_risk: int
    currency: str
    visits: tuple[str, ...]
    verdicts: tuple[str, ...]
    records: tuple[RecordRef, ...]
    findings: tuple[Finding, ...] = ()
    cites: tuple[str, ...] = ()
    paged_at: int | None = None
    withdrawn: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SourceCoverage:
    """How one source was read, and how far it can be trusted. Times µs UTC, None where there is no row.

    `gaps`: where the source's own numbers jump, as (time of the first row after, records missing).
    """

    terminal: str
    source: str
    format: str
    records: int
    understood: int
    ignored: int
    refused: int
    duplicates: int
    rows: int
    reasons: dict[str, int] = field(default_factory=dict)
    first: int | None = None
    last: int | None = None
    gaps: tuple[tuple[int, int], ...] = ()
    offset_ms: int | None = None
    uncertainty_ms: int | None = None


@dataclass(frozen=True, slots=True)
class TimelineEntry:
    """One event of an alert's story, in one lane: door, operator, boot, cash, host, feed.

    `word` is the table's activity (a word of the vocabulary); `detail` what the record adds, in its own words.
    `standing`: explained, unexplained, contradicted, ambiguous … for cash; empty for the rest.
    """

    time: int
    lane: str
    word: str
    detail: str = ""
    amount: int | None = None
    standing: str = ""
    record: RecordRef | None = None


@dataclass(frozen=True, slots=True)
class CashPoint:
    """The cash in a terminal at a time: what the explained movements leave, and what is (counters, all movements)."""

    time: int
    expected: int
    actual: int


@dataclass(frozen=True, slots=True)
class Dossier:
    """Everything a report shows of one alert: its timeline, cash curve and movements (verdict rows as mappings)."""

    alert: Alert
    timeline: tuple[TimelineEntry, ...]
    curve: tuple[CashPoint, ...]
    movements: tuple[dict[str, object], ...]


@dataclass(frozen=True, slots=True)
class WindowsChannel:
    """What one Windows event channel of a terminal showed: first and last event (µs UTC), how many, and the ids that
    detections wait for and that never showed."""

    channel: str
    first: int | None
    last: int | None
    count: int
    never: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Glance:
    """One terminal at a glance: movements and money by verdict, its worst alert, what could not have been seen.

    `unheard`: detections none of whose Windows channels ever showed an event; `unproven`: whose events never showed, though
    their channel did.
    """

    terminal: str
    model: str
    site: str
    movements: int
    dispensed: int
    currency: str
    by_verdict: dict[str, int]
    unexplained: int
    severity: str
    blind_spots: tuple[str, ...]
    sources: tuple[SourceCoverage, ...]
    windows: tuple[WindowsChannel, ...] = ()
    unheard: tuple[str, ...] = ()
    unproven: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Report:
    """What the whole report is made from. `start` and `end` are µs UTC; `timezone` is the fleet's."""

    fleet: str
    timezone: str
    currency: str
    start: int
    end: int
    terminals: tuple[Glance, ...]
    dossiers: tuple[Dossier, ...]
    fleet_sources: tuple[SourceCoverage, ...] = ()
    version: str = ""
    measures: Measures | None = None

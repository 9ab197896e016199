"""The answers that several routes give: alerts, evidence, cases, verdicts, in the words of `docs` and the contract."""

from typing import Literal

from pydantic import Field

from jackstop.web.shapes import Ident, Minor, Moment, Shape

Severity = Literal["info", "low", "medium", "high", "critical"]
Status = Literal["new", "acknowledged", "investigating", "resolved", "false-alarm"]


class Record(Shape):
    """A record as evidence: where it lies and its SHA-256."""

    path: str
    offset: int
    length: int
    sha256: str


class Finding(Shape):
    """One detector's claim, with what proves it."""

    id: str
    detection: str
    terminal: str
    severity: str
    time: Moment
    decided_at: Moment
    detail: list[tuple[str, str]]
    amount: Minor
    currency: str
    records: list[Record]
    visits: list[str]
    verdicts: list[str]


class AlertLine(Shape):
    """An alert in a list."""

    id: str
    revision: int
    severity: Severity
    title: str
    terminals: list[str]
    currency: str
    unexplained: Minor
    money_at_risk: Minor
    first_event: Moment
    raised_at: Moment
    updated_at: Moment
    paged_at: Moment | None
    status: str = Field(description="Of its handling: new until somebody touches it.")
    assignee: str | None
    case_id: str | None


class Saying(Shape):
    """An alert in words: what happened, why it matters, the first safe step."""

    title: str
    why: str
    first_step: str


class Remark(Shape):
    """What somebody said."""

    id: int
    at: Moment
    author: str
    body: str


class HandlingState(Shape):
    """How an alert is being dealt with."""

    status: str
    assignee: str | None
    case_id: str | None
    changed_at: Moment
    changed_by: str


class AlertWhole(AlertLine):
    """An alert with its evidence and its handling."""

    told: Saying
    detections: list[str]
    attack: list[str]
    visits: list[str]
    verdicts: list[str]
    cites: list[str]
    records: list[Record]
    findings: list[Finding]
    handling: HandlingState | None
    remarks: list[Remark]


class Event(Shape):
    """One event of a timeline."""

    time: Moment
    lane: str
    word: str
    detail: str
    amount: Minor | None
    standing: str
    record: Record | None


class Timeline(Shape):
    """Events in the order of time."""

    terminal: str
    begin: Moment
    end: Moment
    events: list[Event]
    cut: bool = Field(description="Whether there are more than are shown.")


class VerdictLine(Shape):
    """The verdict that holds of one movement."""

    id: str
    revision: int
    terminal: str
    kind: str
    time: Moment
    currency: str | None
    picked: Minor | None
    presented: Minor | None
    retained: Minor | None
    verdict: str
    reason: str
    explained_by: list[str]
    gates_failed: list[str]
    sources_missing: list[str]
    offset_ms: int | None
    uncertainty_ms: int | None
    decided_at: Moment
    records: list[Record]


class RevisionLine(Shape):
    """What was held of a movement at some time, and why it changed."""

    revision: int
    verdict: str
    reason: str
    picked: Minor | None
    presented: Minor | None
    retained: Minor | None
    decided_at: Moment
    written_at: Moment
    cause: str


class CaseLine(Shape):
    """A case."""

    id: str
    title: str
    status: Literal["open", "closed"]
    opened_at: Moment
    opened_by: str
    closed_at: Moment | None
    summary: str


class HoldLine(Shape):
    """A legal hold: what was received in its span is kept."""

    id: Ident
    case_id: str | None
    begins: Moment
    ends: Moment
    reason: str
    placed_at: Moment
    placed_by: str
    released_at: Moment | None
    released_by: str | None


class CaseWhole(CaseLine):
    """A case with its alerts, remarks and holds."""

    alerts: list[str]
    remarks: list[Remark]
    holds: list[HoldLine]

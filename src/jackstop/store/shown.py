"""What the read side of the live store gives: typed rows. Times are µs UTC, money minor units."""

from dataclasses import dataclass
from typing import Generic, TypeVar

from jackstop.model.results import Alert, RecordRef
from jackstop.store.live import Fact

T = TypeVar("T")


class PlaceError(ValueError):
    """`after` is not the `next` of a page."""


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some rows, and how to get those that follow; None where there are no more."""

    items: tuple[T, ...]
    next: str | None


@dataclass(frozen=True, slots=True)
class AlertRow:
    """An alert in a list: how grave, where, how much (minor units), when (µs UTC), and how it is being dealt with."""

    id: str
    revision: int
    severity: str
    title: str
    terminals: tuple[str, ...]
    currency: str
    unexplained: int
    money_at_risk: int
    first_event: int
    raised_at: int
    updated_at: int
    paged_at: int | None
    written_at: int
    status: str
    assignee: str | None
    case_id: str | None


@dataclass(frozen=True, slots=True)
class Handling:
    """How people deal with an alert: its status, who has it, in which case, and who said so when (µs UTC)."""

    status: str
    assignee: str | None
    case_id: str | None
    changed_at: int
    changed_by: str


@dataclass(frozen=True, slots=True)
class AlertDetail:
    """An alert as a list shows it, the whole of it, and its handling (None: nobody has touched it)."""

    row: AlertRow
    alert: Alert
    handling: Handling | None


@dataclass(frozen=True, slots=True)
class VerdictRow:
    """The verdict that holds of one movement; columns as in `results.VERDICTS`, times µs UTC."""

    id: str
    revision: int
    terminal: str
    kind: str
    time: int
    currency: str | None
    picked: int | None
    presented: int | None
    retained: int | None
    verdict: str
    reason: str
    explained_by: tuple[str, ...]
    gates_failed: tuple[str, ...]
    sources_missing: tuple[str, ...]
    offset_ms: int | None
    uncertainty_ms: int | None
    decided_at: int
    records: tuple[RecordRef, ...]


@dataclass(frozen=True, slots=True)
class Revision:
    """What was held of a movement at some time: `decided_at` by the watermark, `written_at` by the wall clock, and why."""

    verdict_id: str
    revision: int
    verdict: str
    reason: str
    picked: int | None
    presented: int | None
    retained: int | None
    decided_at: int
    written_at: int
    cause: str


@dataclass(frozen=True, slots=True)
class Change:
    """Something new, in the order written: its kind, what it is about, and a short summary (JSON)."""

    id: int
    kind: str
    ref: str
    revision: int
    at: int
    body: str


@dataclass(frozen=True, slots=True)
class LoopState:
    """How far the loop has come: its last step, event time (µs UTC, None before the first), when it was written (µs wall
    clock), and its newest checkpoint's step and time."""

    seq: int
    watermark: int | None
    written_at: int | None
    checkpoint_seq: int | None
    checkpoint_at: int | None


@dataclass(frozen=True, slots=True)
class TerminalRow:
    """One terminal as it stands now.

    Attributes:
        id, model, site, currency: from the fleet. facts: what is known of it, by name.
        open_alerts: alerts that are neither resolved nor false; severity: the gravest of them, empty for none;
        unexplained, money_at_risk: theirs in sum, and the largest (minor units).
        last_seen: µs UTC of the last record of any of its own feeds, or its fact `last-seen`; None for never.
    """

    id: str
    model: str
    site: str
    currency: str
    facts: tuple[Fact, ...]
    open_alerts: int
    severity: str
    unexplained: int
    money_at_risk: int
    last_seen: int | None

"""How good the detections are, with how sure that is: an evaluation by detection and by kind of attack, with intervals.

Shares carry Wilson's interval, rates the exact Poisson interval, both of 95 %: a few stories prove little, and this says so.
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from jackstop.evaluate import Score, Story, StoryScore
from jackstop.kpi import poisson, wilson
from jackstop.model.measures import Share
from jackstop.model.results import PAGING, Alert, Finding
from jackstop.model.settings import HOUR, SECOND

AFTER = 24 * HOUR
"""µs after an attack's end in which findings at its terminals still belong to it: counters are read late."""


@dataclass(frozen=True, slots=True)
class Rate:
    """Events per terminal-day with the interval their true rate lies in."""

    count: int
    days: float
    low: float
    high: float

    @classmethod
    def of(cls, count: int, days: float) -> "Rate":
        """The rate of a count over terminal-days; from 0 to 0 where there is no time."""
        low, high = poisson(count)
        return cls(count, days, low / days if days else 0.0, high / days if days else 0.0)

    @property
    def value(self) -> float:
        """Events per terminal-day."""
        return self.count / self.days if self.days else 0.0


@dataclass(frozen=True, slots=True)
class DetectionScore:
    """One detection.

    Attributes:
        precision: its findings within attacks, of all. recall: attack stories it said anything of, of all.
        rate: findings outside attacks per terminal-day. to_first_s: median seconds from first note to its first finding.
    """

    detection: str
    findings: int
    precision: Share
    recall: Share
    rate: Rate
    to_first_s: float | None


@dataclass(frozen=True, slots=True)
class VariantScore:
    """One kind of attack (stories of one name): how many were paged, how soon, and what was lost by then."""

    variant: str
    recall: Share
    median_s: float | None
    p95_s: float | None
    loss: int
    stolen: int


@dataclass(frozen=True, slots=True)
class Scorecard:
    """All of it. `median_s` and `p95_s`: seconds from first note to first page, of all attacks that were paged."""

    precision: Share
    recall: Share
    explained: Share
    pages: Rate
    false_pages: Rate
    median_s: float | None
    p95_s: float | None
    loss: int
    stolen: int
    detections: tuple[DetectionScore, ...]
    variants: tuple[VariantScore, ...]

    def as_json(self) -> dict[str, Any]:
        """For `--format json`."""
        return asdict(self)


def of(score: Score, told: Sequence[Story], alerts: Iterable[Alert]) -> Scorecard:
    """The scorecard of an evaluation."""
    listed = tuple(alerts)
    attacks = [s for s in score.stories if s.attack]
    waits = [s.to_alert_s for s in attacks if s.to_alert_s is not None]
    names = sorted({d for a in listed for d in a.detections})
    pages = sum(a.severity in PAGING for a in listed)
    return Scorecard(
        share(pages - len(score.false_alarms), pages),
        share(sum(not s.missed for s in attacks), len(attacks)),
        share(score.explained, score.withdrawals),
        Rate.of(pages, score.terminal_days),
        Rate.of(len(score.false_alarms), score.terminal_days),
        median(waits) if waits else None,
        p95(waits),
        sum(s.loss for s in attacks),
        sum(s.stolen for s in attacks),
        tuple(_detection(n, listed, [s for s in told if s.attack], score.terminal_days) for n in names),
        tuple(_variant(n, [s for s in attacks if s.story == n]) for n in dict.fromkeys(s.story for s in attacks)),
    )


def share(part: int, whole: int) -> Share:
    """A share with its interval."""
    return Share(part, whole, *wilson(part, whole))


def p95(values: Sequence[float]) -> float | None:
    """The smallest value that at least 95 % of the values do not pass (nearest rank); None where there are none."""
    ordered = sorted(values)
    return ordered[-(-len(ordered) * 95 // 100) - 1] if ordered else None


def within(story: Story, terminal: str, time: int) -> bool:
    """Whether something at a terminal happened during a story, or up to a day after it."""
    return terminal in story.terminals and story.start - HOUR <= time <= story.end + AFTER


def _detection(name: str, alerts: Sequence[Alert], attacks: Sequence[Story], days: float) -> DetectionScore:
    found = {f.id: f for a in alerts for f in a.findings if f.detection == name}.values()
    right = [f for f in found if any(within(s, f.terminal, f.time) for s in attacks)]
    seen = [s for s in attacks if any(within(s, f.terminal, f.time) for f in right)]
    waits = [w for s in seen if (w := _wait(s, right)) is not None]
    return DetectionScore(
        name,
        len(found),
        share(len(right), len(found)),
        share(len(seen), len(attacks)),
        Rate.of(len(found) - len(right), days),
        median(waits) if waits else None,
    )


def _wait(story: Story, found: Iterable[Finding]) -> float | None:
    """Seconds from a story's first note to the first finding of it; None where no note left."""
    begun = min((n.time for n in story.notes), default=None)
    first = min((f.decided_at for f in found if within(story, f.terminal, f.time)), default=None)
    return None if begun is None or first is None else (first - begun) / SECOND


def _variant(name: str, stories: Sequence[StoryScore]) -> VariantScore:
    waits = [s.to_alert_s for s in stories if s.to_alert_s is not None]
    return VariantScore(
        name,
        share(sum(not s.missed for s in stories), len(stories)),
        median(waits) if waits else None,
        p95(waits),
        sum(s.loss for s in stories),
        sum(s.stolen for s in stories),
    )

"""The drawing of a timeline: lanes of marks over a time axis, as numbers and words for a template to write as SVG.

Marks too close to tell apart are drawn as one with their number, in the gravest standing among them, so a drawing stays
readable and small however much happened. Everything drawn stands in the list of events as well.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from jackstop.model.results import RecordRef, TimelineEntry
from jackstop.report.axis import LEFT, RIGHT, Axis, Tick
from jackstop.report.moments import Clock
from jackstop.report.texts import Texts

LANES = ("door", "operator", "boot", "cash", "host", "feed")
GRAVITY = (
    "",
    "approved",
    "explained",
    "explained-by-visit",
    "declined",
    "pending",
    "insufficient-evidence",
    "ambiguous",
    "contradicted",
    "unexplained",
)
"""What can become of a movement or request, gravest last."""
TOP, HEIGHT = 26, 46
"""Units of the drawing: where the first lane begins, and how high a lane is."""
_NEAR = 16
_NARROW, _WIDE = 6.1, 11.4


@dataclass(frozen=True, slots=True)
class Mark:
    """One event, or several too close to tell apart.

    Attributes:
        x: place of its middle. glyph: its sign, a word of `GRAVITY` or `plain`. count: events it stands for.
        label, label_x, above: words beside it, their middle, and whether they stand above; empty where there is no room.
        amount: money moved, where it is a movement. tip: what it says in full. evidence: the alert names it.
    """

    x: float
    glyph: str
    count: int
    label: str
    amount: int
    tip: str
    evidence: bool
    label_x: float = 0
    above: bool = False


@dataclass(frozen=True, slots=True)
class Lane:
    """One lane: its name, where its middle lies, its marks, and how many events lie before and after the window."""

    name: str
    y: int
    marks: tuple[Mark, ...]
    earlier: int
    later: int


@dataclass(frozen=True, slots=True)
class Timeline:
    """A whole drawing: lanes, ticks, height, and where the alert was raised."""

    lanes: tuple[Lane, ...]
    ticks: tuple[Tick, ...]
    height: int
    raised: float

    def shows(self, glyph: str) -> bool:
        """Whether any mark bears this sign."""
        return any(m.glyph == glyph for lane in self.lanes for m in lane.marks)


def draw(
    entries: Sequence[TimelineEntry],
    axis: Axis,
    raised_at: int,
    evidence: frozenset[RecordRef],
    clock: Clock,
    t: Texts,
    currency: str,
) -> Timeline:
    """The timeline of an alert's entries; `evidence` are the records the alert names."""
    lanes = []
    for i, name in enumerate(LANES):
        own = sorted((e for e in entries if e.lane == name), key=lambda e: e.time)
        shown = [e for e in own if axis.holds(e.time)]
        drawn = [_mark(g, axis, evidence, clock, t, currency) for g in _groups(shown, axis)]
        marks = _labelled(_priced(drawn, t, currency))
        earlier = sum(e.time < axis.start for e in own)
        lanes.append(Lane(name, TOP + i * HEIGHT + 16, marks, earlier, len(own) - len(shown) - earlier))
    return Timeline(tuple(lanes), axis.ticks(clock), TOP + len(LANES) * HEIGHT, axis.x(raised_at))


def _groups(entries: Sequence[TimelineEntry], axis: Axis) -> list[list[TimelineEntry]]:
    """Entries in time order, those too close together in one group."""
    groups: list[list[TimelineEntry]] = []
    for entry in entries:
        if groups and axis.x(entry.time) - axis.x(groups[-1][0].time) < _NEAR:
            groups[-1].append(entry)
        else:
            groups.append([entry])
    return groups


def _mark(
    group: Sequence[TimelineEntry], axis: Axis, evidence: frozenset[RecordRef], clock: Clock, t: Texts, currency: str
) -> Mark:
    """A group as a mark at its middle."""
    worst = max(group, key=gravity)
    x = round((axis.x(group[0].time) + axis.x(group[-1].time)) / 2, 1)
    lines = [sentence(e, clock, t, currency) for e in group[:12]]
    if len(group) > len(lines):
        lines.append(t.count("more_events", len(group) - len(lines)))
    proof = any(e.record in evidence for e in group)
    glyph = worst.standing if worst.standing in GRAVITY[1:] else "plain"
    amount = sum(e.amount or 0 for e in group if e.lane == "cash" and e.standing == worst.standing)
    return Mark(x, glyph, len(group), _label(group, worst, t), amount, "\n".join(lines), proof)


def gravity(entry: TimelineEntry) -> int:
    """How grave an entry's standing is."""
    return GRAVITY.index(entry.standing) if entry.standing in GRAVITY else 0


def _label(group: Sequence[TimelineEntry], worst: TimelineEntry, t: Texts) -> str:
    """A few words on the gravest or first entry: what it is, and where or in what state."""
    said = t.event(worst.lane, worst.word)
    added = t.detail(worst.lane, worst.detail, worst.standing)
    if worst.lane == "cash" and worst.word == "status" and added:
        said = added
    elif worst.lane == "door" and added != worst.detail:
        said = f"{added}: {said}" if t.lang == "ja" else f"{said}: {added}"
    return said if len(group) == 1 else f"{said} …"


def sentence(entry: TimelineEntry, clock: Clock, t: Texts, currency: str, times: int = 1) -> str:
    """An entry in one line: time, word, amount, what became of it, detail; `times`: how often it happened."""
    amount = t.money(entry.amount, currency) if entry.amount is not None else ""
    standing = t.standing(entry.standing) if entry.standing else ""
    word = t.event(entry.lane, entry.word) + (f" ×{times}" if times > 1 else "")
    said = (word, amount, standing, t.detail(entry.lane, entry.detail, entry.standing))
    return f"{clock.of_day(entry.time, 3)}  " + " · ".join(s for s in said if s)


def _priced(marks: Sequence[Mark], t: Texts, currency: str) -> list[Mark]:
    """The marks with money for their words; marks of one standing too close for a label each share one with the sum."""
    runs: list[list[int]] = []
    for i, mark in enumerate(marks):
        last = marks[runs[-1][-1]] if runs else None
        near = last is not None and last.glyph == mark.glyph and mark.x - last.x < width(t.money(mark.amount, currency)) + 10
        if mark.amount and last is not None and last.amount and near:
            runs[-1].append(i)
        else:
            runs.append([i])
    done = list(marks)
    for run in runs:
        total = sum(marks[i].amount for i in run)
        if not total:
            continue
        said = t.money(total, currency) + (f" (×{n})" if (n := sum(marks[i].count for i in run)) > 1 else "")
        middle = (marks[run[0]].x + marks[run[-1]].x) / 2
        for i in run:
            done[i] = replace(marks[i], label=said if i == run[0] else "", label_x=middle)
    return done


def _labelled(marks: Sequence[Mark]) -> tuple[Mark, ...]:
    """The marks with the labels there is room for, under them or above; graver ones choose first."""
    order = sorted(range(len(marks)), key=lambda i: (-_rank(marks[i]), marks[i].x))
    rows: tuple[list[tuple[float, float]], list[tuple[float, float]]] = ([], [])
    done = list(marks)
    for i in order:
        half = width(marks[i].label) / 2
        middle = min(max(marks[i].label_x or marks[i].x, LEFT + half), RIGHT - half)
        lo, hi = middle - half - 5, middle + half + 5
        row = next((r for r in (0, 1) if all(hi <= a or lo >= b for a, b in rows[r])), None)
        if row is not None and marks[i].label:
            rows[row].append((lo, hi))
        label = marks[i].label if row is not None else ""
        done[i] = replace(marks[i], label=label, label_x=round(middle, 1), above=row == 1)
    return tuple(done)


def _rank(mark: Mark) -> int:
    return (GRAVITY.index(mark.glyph) if mark.glyph in GRAVITY else 0) + (20 if mark.evidence else 0)


def width(text: str) -> float:
    """How wide a label is, about, in units of the drawing."""
    return sum(_WIDE if ord(c) > 0x2E7F else _NARROW for c in text)

"""The scorecard, by hand-made stories and alerts."""

import pytest

from jackstop import scorecard
from jackstop.evaluate import Note, Score, Story, StoryScore
from jackstop.model.results import Alert, Finding
from jackstop.model.settings import HOUR, SECOND

START = 1_772_409_600_000_000


def story(name: str, terminal: str, *, attack: bool = True, after: int = 0) -> Story:
    """A story of an hour with one note at half time."""
    start = START + after
    note = Note(start + HOUR // 2, terminal, 100)
    return Story(name, (terminal,), attack=attack, start=start, end=start + HOUR, notes=(note,))


def alert(terminal: str, detection: str, time: int, severity: str = "high") -> Alert:
    """An alert of one finding, decided two seconds after its time."""
    finding = Finding(f"{terminal}{detection}{time}", detection, terminal, severity, time, time + 2 * SECOND)
    return Alert(
        id=finding.id, terminals=(terminal,), severity=severity, title="", detections=(detection,), attack=(), first_event=time,
        raised_at=time, updated_at=time, unexplained=0, money_at_risk=0, currency="USD", visits=(), verdicts=(), records=(),
        findings=(finding,),
    )  # fmt: skip


def scored(name: str, *, wait: float | None, loss: int = 0, missed: bool = False) -> StoryScore:
    """What became of a story."""
    return StoryScore(name, True, ("A",), (), ("A",) if missed else (), wait, loss, 100, 1, 1, ())


def test_findings_are_counted_by_whether_an_attack_was_going_on():
    told = [story("box", "A"), story("box", "B"), story("calm", "C", attack=False)]
    alerts = [
        alert("A", "x.y", START + HOUR // 2), alert("A", "x.y", START - 2 * HOUR), alert("C", "x.y", START),
        alert("A", "x.z", START + 20 * HOUR),
    ]  # fmt: skip
    score = Score((scored("box", wait=5.0), scored("box", wait=None, missed=True)), 0, 0, 4, ("C: …",), 10.0, 50, 49)
    card = scorecard.of(score, told, alerts)
    first, late = card.detections
    assert (first.detection, first.findings, first.precision.part, first.recall.part, first.recall.whole) == ("x.y", 3, 1, 1, 2)
    assert (first.rate.count, first.to_first_s) == (2, 2.0)
    assert (late.precision.part, late.to_first_s) == (1, 2.0 + 19.5 * 3600)
    assert (card.precision.part, card.precision.whole) == (3, 4)
    assert (card.recall.part, card.recall.whole, card.explained.part) == (1, 2, 49)
    assert card.false_pages.value == 0.1
    assert card.false_pages.low < 0.1 < card.false_pages.high


def test_kinds_of_attack_have_their_own_waits_and_losses():
    stories = [scored("box", wait=float(i), loss=10) for i in range(1, 21)] + [scored("disk", wait=-3.0, missed=True)]
    card = scorecard.of(Score(tuple(stories), 0, 0, 0, (), 1.0, 0, 0), [], [])
    box, disk = card.variants
    assert (box.variant, box.median_s, box.p95_s, box.loss, box.stolen) == ("box", 10.5, 19.0, 200, 2000)
    assert (disk.recall.part, disk.recall.whole, disk.median_s) == (0, 1, -3.0)
    assert (card.median_s, card.loss) == (10.0, 200)


@pytest.mark.parametrize(("values", "expected"), [([], None), ([3.0], 3.0), ([2.0, 1.0], 2.0), (list(range(1, 101)), 95)])
def test_p95_is_the_nearest_rank(values, expected):
    assert scorecard.p95(values) == expected


def test_no_alerts_and_no_stories_prove_nothing():
    card = scorecard.of(Score((), 1, 1, 0, (), 0.0, 0, 0), [], [])
    assert (card.precision.low, card.precision.high) == (0, 1)
    assert card.pages.value == 0
    assert card.median_s is None

"""Drawings: every event is in one mark, labels do not cover each other, bars and curves keep their sums."""

from dataclasses import replace
from itertools import pairwise

from fake_report import ATTACK, MINUTE, SECOND, report, trojan
from hypothesis import given, settings
from hypothesis import strategies as st

from jackstop.model.results import CashPoint, RecordRef, TimelineEntry
from jackstop.model.vocabulary import VERDICT
from jackstop.report import curve, facts, lanes, story, texts
from jackstop.report.axis import LEFT, RIGHT, Axis
from jackstop.report.html import BAR, bar
from jackstop.report.moments import Clock
from jackstop.report.plain import line, plain

CLOCK, EN = Clock("America/New_York"), texts.of("en")
ENTRIES = st.lists(
    st.builds(
        TimelineEntry,
        time=st.integers(ATTACK - 60 * MINUTE, ATTACK + 60 * MINUTE),
        lane=st.sampled_from(lanes.LANES),
        word=st.sampled_from(["opened", "dispensed", "reply"]),
        amount=st.none() | st.integers(0, 10**6),
        standing=st.sampled_from(lanes.GRAVITY),
    ),
    max_size=120,
)


def drawn(entries, evidence: frozenset[RecordRef] = frozenset()) -> lanes.Timeline:
    axis = Axis(ATTACK - 30 * MINUTE, ATTACK + 30 * MINUTE)
    return lanes.draw(entries, axis, ATTACK, evidence, CLOCK, EN, "USD")


@settings(deadline=None, max_examples=50)
@given(ENTRIES)
def test_every_event_is_in_a_mark_or_counted_as_outside(entries):
    for lane in drawn(entries).lanes:
        own = [e for e in entries if e.lane == lane.name]
        assert sum(m.count for m in lane.marks) + lane.earlier + lane.later == len(own)
        assert lane.earlier == sum(e.time < ATTACK - 30 * MINUTE for e in own)


@settings(deadline=None, max_examples=50)
@given(ENTRIES)
def test_labels_of_a_lane_stay_inside_and_apart(entries):
    for lane in drawn(entries).lanes:
        for above in (False, True):
            spans = sorted(
                (m.label_x - lanes.width(m.label) / 2, m.label_x + lanes.width(m.label) / 2)
                for m in lane.marks
                if m.label and m.above is above
            )
            assert all(a[1] <= b[0] for a, b in pairwise(spans))
            assert all(lo >= LEFT - 0.1 and hi <= RIGHT + 0.1 for lo, hi in spans)


@settings(deadline=None, max_examples=50)
@given(ENTRIES)
def test_a_mark_for_several_events_bears_the_gravest_sign(entries):
    order = ["plain", *lanes.GRAVITY[1:]]
    for lane in drawn(entries).lanes:
        worst = max((lanes.gravity(e) for e in entries if e.lane == lane.name and abs(e.time - ATTACK) <= 30 * MINUTE), default=0)
        assert max((order.index(m.glyph) for m in lane.marks), default=0) == worst


def test_records_the_alert_names_are_marked_as_evidence():
    alert = trojan().alert
    door = drawn(trojan().timeline, frozenset(alert.records)).lanes[0]
    assert [m.evidence for m in door.marks] == [True, False]
    assert door.marks[0].label == "Opened: PC compartment"


@settings(deadline=None, max_examples=60)
@given(st.integers(-(2**62), 2**62), st.integers(0, 2**61))
def test_an_axis_has_at_most_nine_ticks_in_order_inside_the_plot(start, length):
    alert = replace(trojan().alert, first_event=start, updated_at=start + length, raised_at=start, findings=())
    axis = Axis.around(alert)
    xs = [t.x for t in axis.ticks(CLOCK)]
    assert len(xs) <= 10
    assert xs == sorted(xs)
    assert all(LEFT <= x <= RIGHT for x in xs)
    assert axis.holds(start) and axis.holds(start + length)


def test_ticks_fall_on_round_local_times():
    ticks = Axis(ATTACK, ATTACK + 40 * MINUTE).ticks(Clock("Asia/Kolkata"))
    assert [t.label for t in ticks] == ["13:35", "13:40", "13:45", "13:50", "13:55", "14:00", "14:05", "14:10"]
    assert [t.date for t in ticks] == ["2026-03-01", *[""] * 7]


@settings(deadline=None, max_examples=60)
@given(st.dictionaries(st.sampled_from(list(VERDICT)), st.integers(0, 10**9)))
def test_a_bar_is_whole_and_shows_every_verdict_there_is(by_verdict):
    pieces = bar(by_verdict)
    assert {v for v, _, _ in pieces} == {v for v, n in by_verdict.items() if n}
    assert sum(w for _, _, w in pieces) == (BAR if pieces else 0)
    assert all(w >= 4 for _, _, w in pieces)
    assert all(a[1] + a[2] == b[1] for a, b in pairwise(pieces))


def test_a_share_is_never_rounded_up_to_all():
    known = facts.of(report())
    assert replace(known, decided=1_000_000, by_verdict={"explained": 999_999}).explained == "99.99 %"
    assert replace(known, decided=10, by_verdict={"explained": 9, "explained-by-visit": 1}).explained == "100 %"
    assert replace(known, decided=0, by_verdict={}).explained == "–"


def test_pending_movements_are_not_counted_as_decided():
    known = facts.of(report())
    assert (known.movements, known.decided, known.by_verdict["pending"]) == (1043, 1041, 2)
    assert known.unexplained == {"USD": 1_600_000}
    assert (known.alerts, known.paging, known.hit, known.terminals) == (3, 2, 3, 6)


def test_money_of_two_currencies_is_not_added_up():
    assert facts.amounts({"JPY": 5000, "USD": 100}, "USD", EN) == "5,000 JPY + 1.00 USD"
    assert facts.amounts({}, "EUR", EN) == "0.00 EUR"


def curved(*points: CashPoint, known: bool = True) -> curve.Curve | None:
    return curve.draw(points, Axis(0, 100 * SECOND), CLOCK, EN, "USD", known=known)


def test_a_curve_with_a_gap_shades_it_and_knows_its_size():
    made = curved(CashPoint(-5, 1000, 1000), CashPoint(20 * SECOND, 900, 900), CashPoint(50 * SECOND, 900, 500))
    assert made is not None
    assert made.gap.endswith("Z")
    assert made.expected_end - made.actual_end == 400
    assert not made.relative


def test_a_curve_without_a_gap_shades_nothing_and_one_without_movement_is_not_drawn():
    made = curved(CashPoint(0, 1000, 1000), CashPoint(20 * SECOND, 900, 900))
    assert made is not None
    assert made.gap == ""
    assert curved(CashPoint(0, 1000, 1000)) is None
    assert curved() is None


def test_a_curve_of_unknown_level_begins_at_zero():
    made = curved(CashPoint(0, -300, -300), CashPoint(9, -300, -500), known=False)
    assert made is not None
    assert (made.relative, made.expected_end, made.actual_end) == (True, 0, -200)


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.tuples(st.integers(-(10**9), 2 * 10**8), st.integers(-(2**62), 2**62), st.integers(-(2**62), 2**62)), max_size=20)
)
def test_a_curve_of_any_amounts_has_a_short_scale_inside_its_plot(raw):
    made = curved(*(CashPoint(*r) for r in raw))
    if made is not None:
        assert 1 <= len(made.levels) <= 6
        assert all(curve.TOP - 1 <= level.y <= curve.BOTTOM + 1 for level in made.levels)


def test_the_story_in_few_lines_puts_evidence_and_the_grave_before_what_is_in_order():
    told = story.strands(trojan(), 6)
    assert any(s.count == 5 and s.entry.standing == "unexplained" and s.entry.amount == 400_000 for s in told)
    assert not [s for s in told if s.entry.standing == "explained"]
    assert [s.entry.time for s in told] == sorted(s.entry.time for s in told)


def test_an_alert_whose_detection_is_not_known_keeps_the_title_it_was_raised_with():
    alert = replace(trojan().alert, title="Something new", detections=("none.such",), findings=())
    assert story.told(alert, EN).title == "Something new"
    assert [f.detection for f in story.found(alert, EN)] == ["none.such"]


@given(st.text())
def test_plain_text_steers_nothing_and_a_line_is_one(text):
    assert not set(plain(text)) & set("\x1b\x07\x00\x7f\x9b\u202e\u2066\u200b\ufeff")
    assert len(line(text, 40)) <= 40
    assert len(line(text).splitlines()) <= 1


def test_moments_are_local_with_their_offset():
    assert CLOCK.full(ATTACK) == "2026-03-01 03:03:11 -05:00"
    assert CLOCK.of_day(ATTACK, 3) == "03:03:11.120"
    assert CLOCK.iso(ATTACK) == "2026-03-01T03:03:11.120-05:00"
    assert CLOCK.full(2**62).startswith("9999-")
    assert CLOCK.full(-(2**62)).startswith("0001-")

"""Pace: time never goes back, stands still after a gap, and is not led astray by one stamp."""

from itertools import pairwise

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from jackstop.model.settings import HOUR, SECOND
from jackstop.model.tables import HOST, Tables
from jackstop.runners.pace import NEVER, ClockPace, RecordPace

START = 1_772_330_400_000_000


def rows(*seconds):
    times = [START + round(s * SECOND) for s in seconds]
    frame = (
        HOST.empty()
        .clear(len(times))
        .with_columns(time=pl.from_epoch(pl.Series(times), time_unit="us").dt.replace_time_zone("UTC"))
    )
    return Tables.of(host=frame)


def test_time_of_arrival_stands_still_while_senders_catch_up():
    pace = ClockPace(20 * SECOND)
    for s in (0, 1, 2):
        pace.tick(START + s * SECOND)
    assert pace.watermark == START + 2 * SECOND
    pace.tick(START + 100 * SECOND)
    assert pace.watermark == START + 2 * SECOND
    assert pace.waits
    for s in range(101, 120):
        pace.tick(START + s * SECOND)
        assert pace.watermark == START + 2 * SECOND
    pace.tick(START + 120 * SECOND)
    assert pace.watermark == START + 120 * SECOND
    assert not pace.waits


def test_time_of_records_is_behind_the_latest_by_the_slack():
    pace = RecordPace(60 * SECOND)
    assert pace.watermark == NEVER
    pace.note(rows(0, 5, 3))
    pace.note(rows(90, 10))
    assert pace.watermark == START + 30 * SECOND


def test_one_stamp_far_ahead_is_not_believed_and_three_are():
    pace = RecordPace(0)
    pace.note(rows(0, 1, 2))
    pace.note(rows(3, 10 * 3600))
    assert pace.watermark == START + 3 * SECOND
    pace.note(rows(4, 5))
    pace.note(rows(36_000, 36_001, 36_002))
    assert pace.watermark == START + 36_002 * SECOND


@settings(deadline=None)
@given(st.lists(st.lists(st.integers(-5 * 3600, 200 * 3600), max_size=4), max_size=12), st.integers(0, 11))
def test_time_never_goes_back_and_a_pace_comes_back_from_bytes(steps, cut):
    pace, seen = RecordPace(2 * SECOND), NEVER
    for n, seconds in enumerate(steps):
        pace.note(rows(*seconds))
        assert pace.watermark >= seen
        seen = pace.watermark
        if n == cut:
            pace = RecordPace(2 * SECOND, pace.pack())
            assert pace.watermark == seen


@settings(deadline=None)
@given(
    st.lists(st.integers(0, 6 * 3600) | st.integers(0, 200 * 3600), min_size=1, max_size=30),
    st.lists(st.integers(0, 30), max_size=6),
)
def test_time_of_records_does_not_depend_on_how_they_are_cut_nor_on_their_order_in_a_step(seconds, cuts):
    marks = [0, *sorted(cuts), len(seconds)]
    pace = RecordPace(0)
    for begin, end in pairwise(marks):
        pace.note(rows(*seconds[begin:end]))
        pace = RecordPace(0, pace.pack())
    stamps = sorted(set(seconds))
    agreed = [c for a, _, c in zip(stamps, stamps[1:], stamps[2:], strict=False) if c - a <= 3600]
    assert pace.watermark == (START + agreed[-1] * SECOND if agreed else NEVER)


@settings(deadline=None)
@given(st.lists(st.integers(1, HOUR // SECOND), max_size=40), st.integers(0, 39))
def test_time_of_arrival_never_goes_back_either(gaps, cut):
    pace, seen, at = ClockPace(20 * SECOND), NEVER, START
    for n, gap in enumerate(gaps):
        at += gap * SECOND // 10
        pace.tick(at)
        assert seen <= pace.watermark <= at
        seen = pace.watermark
        if n == cut:
            pace = ClockPace(20 * SECOND, pace.pack())
            assert pace.watermark == seen

"""Control charts, against slow ones that go hour by hour."""

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from jackstop.kpi import control
from jackstop.model.settings import HOUR

VALUES = st.lists(st.integers(0, 100_000), min_size=1, max_size=60)


@given(values=VALUES, allowance=st.integers(0, 50_000))
@settings(max_examples=200, deadline=None)
def test_cusum_is_the_sum_that_never_falls_below_nothing(values, allowance):
    slow, total = [], 0
    for v in values:
        total = max(0, total + v - allowance)
        slow.append(total)
    assert pl.DataFrame({"x": values}).select(control.cusum("x", allowance)).to_series().to_list() == slow


@given(values=VALUES, weight=st.floats(0.05, 0.95))
@settings(max_examples=200, deadline=None)
def test_ewma_moves_a_part_of_the_way_each_hour(values, weight):
    slow, mean = [], None
    for v in values:
        mean = v if mean is None else weight * v + (1 - weight) * mean
        slow.append(mean)
    fast = pl.DataFrame({"x": values}).select(control.ewma("x", weight)).to_series().to_list()
    assert all(abs(a - b) <= 1e-9 * max(abs(b), 1) for a, b in zip(fast, slow, strict=True))


def test_hours_without_a_row_are_hours_in_which_nothing_is_unexplained():
    sparse = pl.DataFrame({"terminal": ["A", "B"], "hour": [HOUR, 3 * HOUR], "unexplained": [5, 7]})
    grid = control.dense(sparse, 0, 3 * HOUR + 1)
    assert grid.filter(pl.col("terminal") == "A")["unexplained"].to_list() == [0, 5, 0, 0]
    assert grid.filter(pl.col("terminal") == "B")["unexplained"].to_list() == [0, 0, 0, 7]


def test_a_slow_drip_drifts_and_one_note_does_not():
    hours = [(t, i * HOUR, drip) for t, drip in (("drip", 2000), ("calm", 0)) for i in range(12)]
    hours += [("one note", 0, 2000)]
    grid = control.dense(pl.DataFrame(hours, schema=["terminal", "hour", "unexplained"], orient="row"), 0, 11 * HOUR)
    found = control.drifts(grid, 1000, 10_000)
    assert found.rows() == [("drip", 10 * HOUR, 12_000, 24_000)]

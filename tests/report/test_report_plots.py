"""Small plots: within their frame, and told apart from nothing."""

from dataclasses import replace

from fake_report import measured
from hypothesis import given
from hypothesis import strategies as st

from jackstop.model.measures import Hour
from jackstop.report import plots, texts
from jackstop.report.moments import Clock

CLOCK, T = Clock("UTC"), texts.of("en")


@given(st.lists(st.integers(0, 10**12), min_size=1, max_size=500))
def test_columns_stay_in_their_frame_and_the_highest_hour_is_always_drawn(values):
    hours = tuple(Hour(i * 3_600_000_000, v, v, v, float(v)) for i, v in enumerate(values))
    plot = plots.unexplained(replace(measured(), hours=hours), CLOCK, T)
    assert len(plot.columns) <= 60
    assert all(c.x >= 0 and c.x + c.width <= plots.WIDTH and c.y >= 0 and c.y + c.height <= plots.HEIGHT for c in plot.columns)
    if max(values):
        assert min(c.y for c in plot.columns) == 6.0
    assert plot.top == T.money(max(*values, 1), "USD")


@given(st.lists(st.floats(0, 1e12), max_size=300))
def test_a_spark_line_shows_something_where_there_is_something(values):
    line = plots.spark(values)
    assert len(line) <= 60
    assert ("█" in line) == any(v > 0 for v in values)
    if values and max(values) <= 0:
        assert set(line) == {"▁"}


def test_there_is_no_plot_of_nothing():
    empty = replace(measured(), hours=(), weeks=())
    assert plots.unexplained(empty, CLOCK, T) is None
    assert plots.weeks(empty, CLOCK) is None
    assert plots.level(replace(measured().drops[0], level=()), CLOCK, T, "USD") is None


def test_the_hour_of_a_fall_is_marked_where_it_lies():
    plot = plots.level(measured().drops[0], CLOCK, T, "USD")
    assert plot.line.startswith("M4")
    assert 160 < plot.mark < 172

"""Intervals, against scipy and against their own definitions."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jackstop.kpi import poisson, wilson
from jackstop.kpi.intervals import at_most

stats = pytest.importorskip("scipy.stats")


@given(whole=st.integers(1, 100_000), data=st.data(), confidence=st.sampled_from([0.8, 0.9, 0.95, 0.99]))
@settings(max_examples=300, deadline=None)
def test_wilson_is_what_scipy_says(whole, data, confidence):
    part = data.draw(st.integers(0, whole))
    expected = stats.binomtest(part, whole).proportion_ci(confidence, method="wilson")
    assert wilson(part, whole, confidence) == pytest.approx((expected.low, expected.high), abs=1e-9)


@given(count=st.integers(0, 50_000), confidence=st.sampled_from([0.8, 0.9, 0.95, 0.99]))
@settings(max_examples=300, deadline=None)
def test_poisson_is_the_exact_interval_of_chi_squared(count, confidence):
    tail = (1 - confidence) / 2
    low = 0.0 if count == 0 else stats.chi2.ppf(tail, 2 * count) / 2
    high = stats.chi2.ppf(1 - tail, 2 * count + 2) / 2
    assert poisson(count, confidence) == pytest.approx((low, high), rel=1e-7)


@given(count=st.integers(0, 3000), mean=st.floats(0.001, 4000))
@settings(max_examples=300, deadline=None)
def test_the_poisson_sum_is_what_scipy_says(count, mean):
    assert at_most(count, mean) == pytest.approx(stats.poisson.cdf(count, mean), rel=1e-8, abs=1e-12)


def test_the_ends_are_exact():
    assert wilson(0, 0) == (0.0, 1.0)
    assert wilson(0, 10)[0] == 0.0
    assert wilson(10, 10)[1] == 1.0
    assert poisson(0)[0] == 0.0
    assert poisson(0)[1] == pytest.approx(3.6889, abs=1e-4)


@pytest.mark.parametrize(("part", "whole"), [(-1, 3), (4, 3)])
def test_a_part_larger_than_its_whole_is_refused(part, whole):
    with pytest.raises(ValueError, match="expected a part"):
        wilson(part, whole)


def test_a_negative_count_is_refused():
    with pytest.raises(ValueError, match="expected none or more"):
        poisson(-1)

"""Outflow: hours far out are those a plain reading of the two weeks before calls so, however time is cut."""

from statistics import median

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from jackstop.ledger import outflow
from jackstop.model.settings import HOUR

FALL = {
    "terminal": pl.String,
    "basis": pl.String,
    "at": pl.Int64,
    "fall": pl.Int64,
    "anchor": pl.Boolean,
    "id": pl.UInt64,
    "currency": pl.String,
    "arrival": pl.Int64,
    "records": pl.List(
        pl.Struct({"source": pl.String, "record_offset": pl.Int64, "record_length": pl.Int32, "record_digest": pl.Binary})
    ),
}
LAG = HOUR // 3
DAY_0 = 4 * 24
"""Monday, 5 January 1970, in hours."""


def frame(falls: list[tuple[str, int, int]]) -> pl.DataFrame:
    """(terminal, hour, minor units) as falls of one witness."""
    rows = [
        (
            t,
            "logical",
            h * HOUR + i,
            amount,
            False,
            i,
            "USD",
            h * HOUR + i,
            [{"source": "s", "record_offset": i, "record_length": 1, "record_digest": b""}],
        )
        for i, (t, h, amount) in enumerate(falls)
    ]
    return pl.DataFrame(rows, schema=FALL, orient="row")


def run(falls: list[tuple[str, int, int]], steps: list[int]) -> outflow.Outflow:
    known, before, rows = outflow.Outflow.empty(), -(2**60), frame(falls)
    for watermark in steps:
        fresh = rows.filter(pl.col("at").is_between(before - LAG, watermark - LAG, closed="right"))
        known = outflow.note(known, fresh, LAG, watermark, 10**18)
        before = watermark
    return known


def drained(known: outflow.Outflow) -> list[tuple[str, int, int]]:
    if not known.drains.width:
        return []
    return sorted(known.drains.select("terminal", pl.col("at") // HOUR, "decided").iter_rows())


def slowly(falls: list[tuple[str, int, int]]) -> list[tuple[str, int, int]]:
    """What the docstring says, hour by hour with plain lists."""
    sums: dict[tuple[str, int], int] = {}
    for t, h, amount in falls:
        sums[t, h] = sums.get((t, h), 0) + amount
    found = []
    for (t, h), amount in sums.items():
        since = min(hour for s, hour in sums if s == t)
        weekend = lambda hour: (hour // 24) % 7 in (2, 3)  # noqa: E731
        days = [h - 24 * b for b in range(1, 15) if h - 24 * b >= since and weekend(h - 24 * b) == weekend(h)]
        if len(days) < 4:
            continue
        past = [sums.get((t, d), 0) for d in days]
        usual = median(past)
        stray = median(abs(p - usual) for p in past) * 1.4826
        typical = [v for (s, d), v in sums.items() if s == t and h - 14 * 24 <= d < h]
        if (amount - usual) / max(stray, usual / 4, median(typical) / 2 if typical else 0, 1.0) >= 6:
            found.append((t, h * HOUR, (h + 1) * HOUR + LAG))
    return sorted((t, at // HOUR, decided) for t, at, decided in found)


FALLS = st.lists(
    st.tuples(
        st.sampled_from("AB"),
        st.tuples(st.integers(0, 20), st.sampled_from([9, 10])).map(lambda d: DAY_0 + d[0] * 24 + d[1]),
        st.sampled_from([100, 200, 250, 5_000, 40_000]),
    ),
    max_size=60,
)


@settings(deadline=None)
@given(FALLS)
def test_hours_far_out_are_those_a_plain_reading_finds(falls):
    assert drained(run(falls, [40 * 24 * HOUR])) == slowly(falls)


@settings(deadline=None)
@given(FALLS, st.lists(st.integers(DAY_0 * HOUR, 26 * 24 * HOUR), max_size=6))
def test_they_are_the_same_however_time_is_cut(falls, cuts):
    assert drained(run(falls, [*sorted(set(cuts)), 40 * 24 * HOUR])) == drained(run(falls, [40 * 24 * HOUR]))


def test_a_busy_hour_is_not_far_out_and_an_emptied_cassette_is():
    usual = [("A", DAY_0 + 24 * d + 9, 100_000 + 5_000 * (d % 3)) for d in range(5)]
    tuesday = DAY_0 + 24 * 8 + 9
    assert drained(run([*usual, ("A", tuesday, 160_000)], [40 * 24 * HOUR])) == []
    assert drained(run([*usual, ("A", tuesday, 900_000)], [40 * 24 * HOUR])) == [("A", tuesday, (tuesday + 1) * HOUR + LAG)]


def test_an_exchange_is_no_outflow_and_only_hours_that_are_over_are_judged():
    usual = [("A", DAY_0 + 24 * d + 9, 10_000) for d in range(5)]
    rows = frame([*usual, ("A", DAY_0 + 24 * 7 + 9, 900_000)])
    emptied = rows.with_columns(anchor=pl.col("fall") > 500_000)
    assert drained(outflow.note(outflow.Outflow.empty(), emptied, LAG, 40 * 24 * HOUR, 10**18)) == []
    end = (DAY_0 + 24 * 7 + 10) * HOUR + LAG
    assert drained(run([*usual, ("A", DAY_0 + 24 * 7 + 9, 900_000)], [end - 1])) == []
    assert drained(run([*usual, ("A", DAY_0 + 24 * 7 + 9, 900_000)], [end])) != []

"""Levels by hour, and falls unlike a terminal's own."""

import random

import polars as pl

from jackstop.kpi import levels
from jackstop.kpi.hourly import HOURS
from jackstop.model.fleet import Fleet
from jackstop.model.settings import HOUR

START = 1_772_409_600_000_000
FLEET = Fleet.model_validate({"fleet": {"timezone": "America/New_York", "currency": "USD"}, "terminal": [{"id": "A"}]})

AT_ZERO = Fleet.model_validate({"fleet": {"timezone": "UTC", "currency": "USD"}, "terminal": [{"id": "A"}]})


def hours(values: list[tuple[int, int, int]], terminal: str = "A") -> pl.DataFrame:
    """Levels as (hour from `START`, unit, worth)."""
    rows = [(terminal, START + h * HOUR, f"level:{u}", START + h * HOUR, worth) for h, u, worth in values]
    return pl.DataFrame(rows, schema=HOURS, orient="row")


def test_units_are_summed_and_carried_forward_from_when_all_are_known():
    known = levels.levels(hours([(0, 1, 100), (1, 2, 50), (3, 1, 80)]))
    assert [((h - START) // HOUR, w) for _, h, w in known.rows()] == [(1, 150), (2, 150), (3, 130)]


def test_a_load_is_no_fall_and_places_are_local():
    fallen = levels.falls(levels.levels(hours([(0, 1, 100), (1, 1, 60), (2, 1, 500), (3, 1, 500)])), FLEET)
    assert fallen["fell"].to_list() == [40, 0, 0]
    assert fallen.select("day", "clock").rows()[0] == (7, 20), "01:00 UTC on Monday is 20:00 on Sunday in New York"


def month(seed: int, *, theft: int | None = None) -> pl.DataFrame:
    """Five weeks in which a terminal pays out by day as people come, with noise; a theft at one hour."""
    chance, worth, told = random.Random(seed), 1_000_000_000, []
    for h in range(35 * 24):
        busy = 40_000 if 12 <= (h - 5) % 24 <= 20 else 4_000
        worth -= 2000 * chance.randint(0, busy // 2000) + (800_000 if h == theft else 0)
        told.append((h, 1, worth))
    return hours(told)


def test_a_theft_stands_out_and_busy_hours_do_not():
    quiet = levels.unlike(levels.falls(levels.levels(month(1)), AT_ZERO), 2000)
    assert quiet.filter(pl.col("z") >= 6).height == 0
    robbed = levels.unlike(levels.falls(levels.levels(month(1, theft=500)), AT_ZERO), 2000)
    loud = robbed.filter(pl.col("z") >= 6)
    assert loud["hour"].to_list() == [START + 500 * HOUR]
    assert loud["fell"].item() - loud["usual"].item() > 700_000


def test_without_enough_hours_of_the_kind_there_is_no_profile():
    short = hours([(h, 1, 1000 - h) for h in range(72)])
    assert levels.unlike(levels.falls(levels.levels(short), FLEET), 1).height == 0
    assert levels.unlike(levels.falls(levels.levels(hours([])), FLEET), 1).height == 0

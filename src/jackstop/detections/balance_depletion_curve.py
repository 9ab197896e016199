"""Far more cash left in an hour than is usual at that hour (mission M6, M25)."""

from collections.abc import Iterator

import polars as pl

from jackstop.detections._cases import Case, Row, row
from jackstop.detections._claims import Detection, Text, View, claims, none

META = Detection(
    title=Text("Cash runs down faster than usual", "現金の減少が通常より急"),
    why=Text(
        "In one hour far more left the cassettes than at the same hour of like days in the two weeks before.",
        "1時間のカセット減少額が、過去2週間の同種の曜日・同時刻と比べて大きく外れています。",
    ),
    first_step=Text(
        "See whether approvals explain it, and whether it is a holiday or an event nearby.",
        "承認済み取引で説明がつくか、祝日や近隣の催事でないかを確認してください。",
    ),
    level="low",
    needs=("units",),
    silenced_by=("exchange",),
    gaps="Told once the hour is over and its counters are complete; silent for the first days; knows no holidays, so it is no "
    "stage of a chain and never pages.",
)


def detect(view: View) -> pl.DataFrame:
    """Hours far out."""
    if not view.drains.width:
        return none()
    said = pl.format("{} / {}", "amount", pl.col("usual").round(0).cast(pl.Int64))
    return claims(view.drains, "low", key="id", decided="decided", amount="amount", detail=said, records=pl.col("records"))


_HOUR = 3600
_MONDAY = 22 * _HOUR + 8 * _HOUR
"""Seconds from the trials' start, a Sunday at two, to Monday at eight."""


def _week(last: int) -> Iterator[Row]:
    """Counter readings of five working days, ten notes of 20 gone in one hour of each, on the last day so many."""
    left = 2000
    for day in range(5):
        at = _MONDAY + day * 24 * _HOUR
        yield _count(at + 300, left)
        left -= last if day == 4 else 10
        yield _count(at + 900, left)


def _count(at: float, notes: int) -> Row:
    """A counter reading of one cassette of 20s."""
    said = {"cause": "snapshot", "basis": "physical", "unit": 1, "kind": "bill", "currency": "USD", "value": 2000, "count": notes}
    return row("units", at, "nextware-trace", snapshot=round(at), **said)


_END = (row("feeds", _MONDAY + 4 * 24 * _HOUR + 9 * _HOUR, "cef", activity="duplicates", count=1),)

TESTS = (
    Case("six hundred notes where ten are usual", (*_week(600), *_END), fires=True),
    Case("twelve notes where ten are usual", (*_week(12), *_END), fires=False),
    Case("no counters are known", (*_week(600), *_END), fires=False, missing=("nextware-trace",)),
    Case(
        "the cassette was exchanged by a visit",
        (*_week(600), *_END),
        fires=False,
        visits=((_MONDAY + 96 * _HOUR, _MONDAY + 97 * _HOUR, ("exchange",)),),
    ),
)

"""Record numbers are missing or began anew."""

import polars as pl

from jackstop.detections._cases import Case, row
from jackstop.detections._claims import Detection, Text, View, claims, none

META = Detection(
    title=Text("Log records are missing", "ログの欠落"),
    why=Text(
        "A source's own numbering jumps or begins anew: lost, removed, or another disk.",
        "ログの通番が飛んでいるか、最初から始まっています。",
    ),
    first_step=Text("Fetch the missing records from the machine.", "端末から欠落分を取得してください。"),
    level="low",
    needs=("feeds",),
    attack=("T1070",),
    gaps="Formats without numbers show no gaps.",
)


def detect(view: View) -> pl.DataFrame:
    """Gaps and restarts of numbering."""
    feeds = view.table("feeds")
    if feeds is None:
        return none()
    broken = feeds.filter(pl.col("activity").is_in(["gap", "restarted"]) & pl.col("at").gt(0))
    return claims(
        broken, "low", detail=pl.concat_str("activity", pl.lit(" "), pl.col("count").cast(pl.String), ignore_nulls=True)
    )


TESTS = (
    Case(
        "forty records are missing",
        (row("feeds", 60, "nextware-trace", activity="gap", count=40, before=1, after=42),),
        fires=True,
    ),
    Case("records were delivered twice", (row("feeds", 60, "nextware-trace", activity="duplicates", count=3),), fires=False),
    Case(
        "the trace does not arrive",
        (row("feeds", 60, "nextware-trace", activity="gap", count=40, before=1, after=42),),
        fires=False,
        missing=("nextware-trace",),
    ),
)

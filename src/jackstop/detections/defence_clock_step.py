"""The clock was set by more than a minute (mission M2)."""

import polars as pl

from jackstop.detections._cases import Case, row
from jackstop.detections._claims import Detection, Text, View, claims, none, unpermitted

META = Detection(
    title=Text("The clock was set", "時計の変更"),
    why=Text(
        "The machine's clock was moved by more than a minute: stamps can be made to fall on old approvals.",
        "端末時計が1分を超えて変更されました。過去の承認に時刻を合わせる手口があります。",
    ),
    first_step=Text(
        "Compare with the time service; distrust stamps near the step.", "時刻同期の記録と比べ、変更前後の時刻を疑ってください。"
    ),
    level="medium",
    needs=("feeds",),
    attack=("T1070.006",),
    silenced_by=("software",),
    gaps="A step that neither Windows nor a falling stamp shows is not seen.",
    stage="impairment",
)


STEP = 60_000_000


def detect(view: View) -> pl.DataFrame:
    """Clock steps of more than a minute outside visits."""
    feeds = view.table("feeds")
    if feeds is None:
        return none()
    moved = (pl.col("after") - pl.col("before")).abs()
    steps = feeds.filter((pl.col("activity") == "clock-step") & (moved > STEP))
    return claims(unpermitted(steps, view.visits, "software"), "medium", detail=(moved // 1_000_000).cast(pl.String))


TESTS = (
    Case(
        "the clock is set back an hour",
        (row("feeds", 60, "winlogbeat", activity="clock-step", before=3_600_000_000, after=0),),
        fires=True,
    ),
    Case(
        "the time service corrects a second",
        (row("feeds", 60, "winlogbeat", activity="clock-step", before=1_000_000, after=0),),
        fires=False,
    ),
    Case(
        "the Windows events do not arrive",
        (row("feeds", 60, "winlogbeat", activity="clock-step", before=3_600_000_000, after=0),),
        fires=False,
        missing=("winlogbeat",),
    ),
)

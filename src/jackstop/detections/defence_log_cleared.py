"""A Windows log was cleared (events 1102 and 104)."""

import polars as pl

from jackstop.detections._cases import Case, row
from jackstop.detections._claims import Detection, Text, View, claims, none, unpermitted

META = Detection(
    title=Text("A log was cleared", "ログの消去"),
    why=Text("Somebody emptied an event log.", "イベントログが消去されました。"),
    first_step=Text(
        "Preserve what arrived before; find who was logged on.", "到着済みの記録を保全し、ログオン者を特定してください。"
    ),
    level="high",
    needs=("feeds",),
    attack=("T1070.001", "T1685.005"),
    silenced_by=("software",),
    gaps="A log deleted while Windows is not running leaves only a restart of its record numbers: see feed.gap.",
    stage="impairment",
)


def detect(view: View) -> pl.DataFrame:
    """Cleared logs outside visits that permit software work."""
    feeds = view.table("feeds")
    if feeds is None:
        return none()
    cleared = feeds.filter(pl.col("activity") == "log-cleared")
    return claims(unpermitted(cleared, view.visits, "software"), "high", detail=pl.col("detail"))


TESTS = (
    Case("the security log is cleared", (row("feeds", 60, "winlogbeat", activity="log-cleared", detail="Security"),), fires=True),
    Case(
        "a visit permits software work",
        (row("feeds", 60, "winlogbeat", activity="log-cleared"),),
        fires=False,
        visits=((0, 900, ("software",)),),
    ),
    Case(
        "the Windows events do not arrive",
        (row("feeds", 60, "winlogbeat", activity="log-cleared", detail="Security"),),
        fires=False,
        missing=("winlogbeat",),
    ),
)

"""The host feed fell silent while machines paid."""

import polars as pl

from jackstop.detections._cases import HEARTBEAT, Case, paid, reply, row
from jackstop.detections._claims import Detection, Text, View, movement_claims, none

META = Detection(
    title=Text("The host feed is silent", "ホスト記録の途絶"),
    why=Text(
        "Cash moved and the source that would explain it says nothing: the machine cannot be judged.",
        "現金が動いていますが、照合元の記録が届かず判定できません。",
    ),
    first_step=Text(
        "Restore the feed; the verdicts follow by themselves.", "フィードを復旧してください。判定は自動で更新されます。"
    ),
    level="medium",
    needs=("cash",),
    attack=("T1562.006", "T1685"),
    gaps="Feeds with few messages a day are allowed long silences.",
)


def detect(view: View) -> pl.DataFrame:
    """The first movement of each hour and terminal that a dark host feed left undecided."""
    if not view.movements.height:
        return none()
    dark = view.movements.filter(pl.col("reason") == "host-dark")
    if not dark.height:
        return none()
    dark = dark.with_columns(hour=pl.col("at") // 3_600_000_000)
    return movement_claims(dark.sort("at", "id").unique(["terminal", "hour"], keep="first", maintain_order=True), "medium")


TESTS = (
    Case(
        "the host goes silent and the application still pays what it calls approved",
        (
            *HEARTBEAT,
            row("cash", 7257, "ncr-journal", activity="reply-received", layer="application", amount=20_000),
            *paid(7260, 20_000),
        ),
        fires=True,
    ),
    Case("the host feed lives", (*HEARTBEAT, reply(57, 20_000), *paid(60, 20_000)), fires=False),
    Case(
        "the host's messages do not arrive",
        (
            *HEARTBEAT,
            row("cash", 7257, "ncr-journal", activity="reply-received", layer="application", amount=20_000),
            *paid(7260, 20_000),
        ),
        fires=False,
        missing=("switch-csv",),
    ),
)

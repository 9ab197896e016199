"""An order to pay soon after a door was opened unannounced: the founders' own high-priority rule (mission M3, M20)."""

import polars as pl

from jackstop.detections._cases import HEARTBEAT, Case, door, paid, reply
from jackstop.detections._claims import Detection, Text, View, claims, follows, none, openings
from jackstop.model.settings import MINUTE

META = Detection(
    title=Text("Cash ordered soon after the machine was opened", "開扉直後の払出命令"),
    why=Text(
        "A door or lid was opened with no visit announced, and the dispenser was ordered to pay within minutes.",
        "作業予定のない開扉の数分後に払出が命じられました。",
    ),
    first_step=Text(
        "Send a guard; compare the camera with the opening time.", "警備員を派遣し、開扉時刻のカメラ映像を確認してください。"
    ),
    level="high",
    needs=("cash", "cabinet"),
    attack=("T1200",),
    silenced_by=("open-cabinet", "open-safe"),
    gaps="Needs door contacts; a cut or bridged contact says nothing.",
    stage="cash",
)


WITHIN = 10 * MINUTE


def detect(view: View) -> pl.DataFrame:
    """Episodes at most ten minutes after an unannounced opening, as soon as the order is seen."""
    opened = openings(view)
    if opened is None or not view.movements.height:
        return none()
    found = follows(view.movements, opened, WITHIN).with_columns(began=pl.max_horizontal("arrival", "at"))
    proof = pl.concat_list("sign_record", "records")
    return claims(
        found,
        "high",
        key="id",
        decided="began",
        records=proof,
        detail=((pl.col("at") - pl.col("sign_at")) // 1_000_000).cast(pl.String),
    )


TESTS = (
    Case("a door opens and notes are ordered four minutes later", (*HEARTBEAT, door(60), *paid(300, 20_000)), fires=True),
    Case("the door was opened an hour before", (*HEARTBEAT, door(-3500), reply(57, 20_000), *paid(60, 20_000)), fires=False),
    Case(
        "a visit permits the opening",
        (*HEARTBEAT, door(60), reply(297, 20_000), *paid(300, 20_000)),
        fires=False,
        visits=((0, 200, ("open-cabinet",)),),
    ),
    Case("no door contacts are known", (*HEARTBEAT, *paid(300, 20_000)), fires=False, missing=("cef",)),
)

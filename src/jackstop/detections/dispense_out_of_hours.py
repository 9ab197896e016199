"""Notes moved while the site was closed (mission M12)."""

import polars as pl

from jackstop.detections._cases import HEARTBEAT, Case, paid, reply
from jackstop.detections._claims import Detection, Text, View, doubtful, movement_claims, none, with_hours

META = Detection(
    title=Text("Cash moved while the site was closed", "閉店時間中の払い出し"),
    why=Text(
        "Nobody should be able to reach the machine at that time, and nothing explains the notes.",
        "本来は誰も近づけない時間帯に、説明のつかない払い出しがありました。",
    ),
    first_step=Text(
        "Look at the camera for that minute; check the site's hours.", "該当時刻のカメラと営業時間を確認してください。"
    ),
    level="low",
    needs=("cash",),
    attack=("T1106",),
    silenced_by=("test-dispense",),
    gaps="Sites without opening hours in fleet.toml are never closed; movements the host approved are left out.",
    stage="cash",
)


def detect(view: View) -> pl.DataFrame:
    """Movements at closed sites that neither host nor visit explains, at their verdict."""
    doubted = doubtful(view)
    if not doubted.height:
        return none()
    return movement_claims(with_hours(doubted, view.fleet).filter("closed"), "low")


_NOON = 34 * 3600

TESTS = (
    Case("notes move on a Sunday night", (*HEARTBEAT, *paid(60, 20_000)), fires=True),
    Case("the same with no host feed", paid(60, 20_000), fires=True, missing=("switch-csv",)),
    Case("the host approved it", (*HEARTBEAT, reply(57, 20_000), *paid(60, 20_000)), fires=False),
    Case("on Monday at noon", paid(_NOON, 20_000), fires=False, missing=("switch-csv",)),
)

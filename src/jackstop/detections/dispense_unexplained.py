"""Cash picked or shown that nothing explains: the heart of the matter (mission M2)."""

import polars as pl

from jackstop.detections._cases import HEARTBEAT, Case, paid, reply
from jackstop.detections._claims import Detection, Text, View, movement_claims, none, suspicious

META = Detection(
    title=Text("Cash left with no authorisation", "承認のない現金の払い出し"),
    why=Text(
        "The dispenser moved notes and no host approval, visit or return explains them.",
        "払出機が紙幣を動かしましたが、ホスト承認・作業予定・回収のいずれでも説明できません。",
    ),
    first_step=Text(
        "Take the terminal out of service and look at its camera now.", "端末を直ちに取扱中止にし、監視カメラを確認してください。"
    ),
    level="critical",
    needs=("cash", "host"),
    attack=("T1106",),
    silenced_by=("test-dispense",),
    gaps="A black box leaves no line: see balance.missing-notes. Without a host feed nothing can be said.",
    stage="cash",
)


def detect(view: View) -> pl.DataFrame:
    """Unexplained movements, at their verdict."""
    found = suspicious(view)
    if not found.height:
        return none()
    found = found.filter(pl.col("verdict") == "unexplained")
    return movement_claims(found, "critical")


TESTS = (
    Case("notes are paid and the host approved nothing", (*HEARTBEAT, *paid(60, 80_000)), fires=True),
    Case(
        "a second payment follows on one approval",
        (*HEARTBEAT, reply(57, 20_000), *paid(60, 20_000), *paid(90, 20_000)),
        fires=True,
    ),
    Case("the host approved it", (*HEARTBEAT, reply(57, 80_000), *paid(60, 80_000)), fires=False),
    Case("the host feed is not there at all", paid(60, 80_000), fires=False, missing=("switch-csv",)),
)

"""More cash paid than the host authorised."""

import polars as pl

from jackstop.detections._cases import HEARTBEAT, Case, paid, reply
from jackstop.detections._claims import Detection, Text, View, movement_claims, none, suspicious

META = Detection(
    title=Text("More cash left than was authorised", "承認額を超える払い出し"),
    why=Text("The notes paid are worth more than the approval they rest on.", "払い出された紙幣の価値が承認額を上回っています。"),
    first_step=Text(
        "Check the denominations declared for the cassettes, then treat it as tampering with the dispense order.",
        "カセットの券種設定を確認し、問題がなければ払出命令の改ざんとして扱ってください。",
    ),
    level="critical",
    needs=("cash", "host"),
    attack=("T1565",),
    gaps="Needs the cassettes' denominations where the trace gives note counts only.",
    stage="cash",
)


def detect(view: View) -> pl.DataFrame:
    """Movements over the authorised amount, at their verdict."""
    found = suspicious(view)
    if not found.height:
        return none()
    return movement_claims(found.filter(pl.col("reason") == "over-authorised"), "critical")


TESTS = (
    Case("forty were approved and four hundred paid", (*HEARTBEAT, reply(57, 4_000), *paid(60, 40_000)), fires=True),
    Case("what was approved was paid", (*HEARTBEAT, reply(57, 40_000), *paid(60, 40_000)), fires=False),
    Case("the host feed is not there at all", paid(60, 40_000), fires=False, missing=("switch-csv",)),
)
